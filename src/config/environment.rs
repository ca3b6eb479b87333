//! The environment, read once at start.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::StderrKind;

/// What the environment says, as far as it matters. (The AWS SDK reads its own variables by itself.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// From `HOME`, else from the user database.
    pub home: Option<PathBuf>,
    pub config_home: Option<PathBuf>,
    pub cache_home: Option<PathBuf>,
    pub state_home: Option<PathBuf>,
    /// systemd's folder of credentials.
    pub credentials: Option<PathBuf>,
    /// Where the service manager waits to be told.
    pub notify_socket: Option<OsString>,
    pub temp_dir: PathBuf,
    /// The folders of `PATH`.
    pub programs: Vec<PathBuf>,
    /// `FUSERMOUNT_PATH`, the only program that fuser then mounts with. (It reads the variable by itself.)
    pub fusermount: Option<PathBuf>,
    pub aws: AwsNames,
    pub stderr: StderrKind,
    pub uid: u32,
    pub gid: u32,
}

/// Where the AWS SDK looks, for `doctor` to say it in words. (The SDK reads these variables by itself.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsNames {
    /// `AWS_PROFILE`.
    pub profile: Option<String>,
    /// `AWS_CONFIG_FILE`, else `~/.aws/config`.
    pub config_file: Option<PathBuf>,
    /// `AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`.
    pub credentials_file: Option<PathBuf>,
}

impl AwsNames {
    fn capture(home: Option<&Path>) -> Self {
        let file = |name: &str, usual: &str| {
            let named = env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
            named.or_else(|| home.map(|home| home.join(".aws").join(usual)))
        };
        AwsNames {
            profile: env::var("AWS_PROFILE").ok().filter(|name| !name.trim().is_empty()),
            config_file: file("AWS_CONFIG_FILE", "config"),
            credentials_file: file("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        }
    }
}

impl Environment {
    /// The environment of this process.
    pub fn capture() -> Self {
        let home = env::home_dir().filter(|home| home.is_absolute());
        // The XDG specification: a path that is not absolute is to be ignored.
        let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
        Environment {
            config_home: folder("XDG_CONFIG_HOME").or_else(|| below_home(".config")),
            cache_home: folder("XDG_CACHE_HOME").or_else(|| below_home(".cache")),
            state_home: folder("XDG_STATE_HOME").or_else(|| below_home(".local/state")),
            credentials: folder("CREDENTIALS_DIRECTORY"),
            notify_socket: env::var_os("NOTIFY_SOCKET"),
            temp_dir: env::temp_dir(),
            programs: env::var_os("PATH").iter().flat_map(env::split_paths).collect(),
            fusermount: env::var_os("FUSERMOUNT_PATH").map(PathBuf::from),
            aws: AwsNames::capture(home.as_deref()),
            stderr: StderrKind::of_this_process(),
            // SAFETY: these calls take nothing and cannot fail.
            uid: unsafe { libc::geteuid() },
            gid: unsafe { libc::getegid() },
            home,
        }
    }

    /// `path` with a leading `~/` replaced, and below `base` where it is not absolute.
    pub fn absolute(&self, path: &Path, base: &Path) -> PathBuf {
        match (&self.home, path.strip_prefix("~")) {
            (Some(home), Ok(rest)) => home.join(rest),
            _ => base.join(path),
        }
    }
}

impl StderrKind {
    pub fn of_this_process() -> Self {
        stderr_kind(env::var("JOURNAL_STREAM").ok().as_deref())
    }
}

/// `JOURNAL_STREAM` is inherited by whoever redirects standard error, so it counts only if device and inode agree.
fn stderr_kind(journal_stream: Option<&str>) -> StderrKind {
    let Some((device, inode)) = journal_stream.and_then(|value| value.split_once(':')) else {
        return StderrKind::Other;
    };
    let meta = io::stderr().as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
    match meta {
        Ok(meta) if device.parse() == Ok(meta.dev()) && inode.parse() == Ok(meta.ino()) => StderrKind::Journal,
        _ => StderrKind::Other,
    }
}
