//! Can this user mount: the device, the setuid program that helps everybody but root, and leave for `--allow-other`.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::config::Readers;
use crate::doctor::{Case, Report};
use crate::error::{Error, ErrorKind, Result};

const CHECK: &str = "fuse";

pub fn check(case: &Case<'_>, report: &mut Report<'_>) {
    let device = case.machine.dev.join("fuse");
    let opened = OpenOptions::new().read(true).write(true).open(&device).map(drop);
    let device = judge_device(opened).map_err(|error| error.about(device.display()));
    match device.and_then(|()| judge_helper(helper(&case.environment.programs), case.environment.uid)) {
        Ok(words) => report.ok(CHECK, words),
        Err(error) => report.wrong(CHECK, &error),
    }
    if case.settings.readers == Readers::Everybody && case.environment.uid != 0 {
        let path = case.machine.etc.join("fuse.conf");
        match fs::read_to_string(&path).is_ok_and(|text| allows_others(&text)) {
            true => report.ok("allow-other", format!("{} has user_allow_other", path.display())),
            false => report.wrong("allow-other", &not_allowed(&path)),
        }
    }
}

fn judge_device(opened: io::Result<()>) -> Result<()> {
    let Err(error) = opened else { return Ok(()) };
    Err(match error.kind() {
        io::ErrorKind::NotFound => Error::not_found("is not there").advise("sudo modprobe fuse"),
        io::ErrorKind::PermissionDenied => {
            Error::new(ErrorKind::Refused, "you may not open it").advise("sudo chmod 666 /dev/fuse")
        }
        _ if matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO)) => {
            Error::not_found("the kernel has no FUSE").advise("sudo modprobe fuse")
        }
        _ => Error::from(error),
    })
}

/// The setuid program, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Helper {
    Missing,
    /// Without the right to mount for others.
    Plain(PathBuf),
    SetuidRoot(PathBuf),
}

fn helper(programs: &[PathBuf]) -> Helper {
    for folder in programs {
        let path = folder.join("fusermount3");
        let Ok(meta) = fs::metadata(&path) else { continue };
        if meta.is_file() && meta.permissions().mode() & 0o111 != 0 {
            let setuid = meta.uid() == 0 && meta.permissions().mode() & 0o4000 != 0;
            return if setuid { Helper::SetuidRoot(path) } else { Helper::Plain(path) };
        }
    }
    Helper::Missing
}

fn judge_helper(helper: Helper, uid: u32) -> Result<String> {
    match helper {
        _ if uid == 0 => Ok("/dev/fuse opens; root needs no fusermount3".to_owned()),
        Helper::SetuidRoot(path) => Ok(format!("/dev/fuse opens, {} is setuid root", path.display())),
        Helper::Plain(path) => Err(Error::new(ErrorKind::Refused, "is not setuid root, so only root can mount")
            .advise(format!("sudo chown root {0} && sudo chmod 4755 {0}", path.display()))
            .about(path.display())),
        Helper::Missing => {
            Err(Error::not_found("no fusermount3 in PATH, so only root can mount").advise("sudo apt install fuse3"))
        }
    }
}

/// Whether fuse.conf(5) lets users mount for others: a line of its own, without a value.
fn allows_others(text: &str) -> bool {
    text.lines().any(|line| line.trim() == "user_allow_other")
}

fn not_allowed(path: &Path) -> Error {
    Error::new(ErrorKind::Refused, "has no line user_allow_other, so --allow-other is for root alone")
        .advise(format!("echo user_allow_other | sudo tee -a {}", path.display()))
        .about(path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_that_is_no_comment_allows_others() {
        for (text, allows) in [
            ("user_allow_other\n", true),
            ("mount_max = 1000\n  user_allow_other  \n", true),
            ("#user_allow_other\n", false),
            ("# user_allow_other - Using the allow_other\n", false),
            ("user_allow_other = 1\n", false),
            ("", false),
        ] {
            assert_eq!(allows_others(text), allows, "{text:?}");
        }
    }

    #[test]
    fn the_device_must_be_there_and_ours_to_open() {
        for (kind, word) in [(io::ErrorKind::NotFound, "modprobe"), (io::ErrorKind::PermissionDenied, "chmod 666")] {
            let error = judge_device(Err(kind.into())).expect_err("it did not open");
            assert!(error.to_string().contains(word), "{error}");
        }
        assert!(judge_device(Ok(())).is_ok());
    }

    #[test]
    fn everybody_but_root_needs_a_setuid_helper() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let programs = [PathBuf::from("/nonexistent"), folder.path().to_owned()];
        let program = folder.path().join("fusermount3");
        assert_eq!(helper(&programs), Helper::Missing);
        fs::write(&program, "").expect("it is ours");
        assert_eq!(helper(&programs), Helper::Missing, "it cannot be run");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        assert_eq!(helper(&programs), Helper::Plain(program.clone()));
        assert!(judge_helper(Helper::Plain(program.clone()), 1000).is_err_and(|e| e.to_string().contains("4755")));
        assert!(judge_helper(Helper::Missing, 1000).is_err_and(|e| e.to_string().contains("apt install fuse3")));
        assert!(judge_helper(Helper::SetuidRoot(program), 1000).is_ok() && judge_helper(Helper::Missing, 0).is_ok());
    }
}
