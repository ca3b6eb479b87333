//! Can this user mount: the device, the setuid program that helps everybody but root, and leave for `--allow-other`.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::config::Readers;
use crate::doctor::{Case, Report};
use crate::error::{Error, ErrorKind, Result};
use crate::shell::quoted;

const CHECK: &str = "fuse";

pub fn check(case: &Case<'_>, report: &mut Report<'_>) {
    let device = case.machine.dev.join("fuse");
    let opened = OpenOptions::new().read(true).write(true).open(&device).map(drop);
    let device = judge_device(opened).map_err(|error| error.about(device.display()));
    let (named, programs) = (case.environment.fusermount.as_deref(), &case.environment.programs);
    let helper = helper(&places(named, programs));
    match device.and_then(|()| judge_helper(helper, named, case.environment.uid)) {
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

/// Where fuser looks for it, in its order: by name in all of `PATH`, and where `PATH` often does not lead.
/// Source: `detect_fusermount_bin` of fuser 0.18.
fn places(named: Option<&Path>, programs: &[PathBuf]) -> Vec<PathBuf> {
    const NAMES: [&str; 2] = ["fusermount3", "fusermount"];
    let in_path = |name: &Path| programs.iter().map(|folder| folder.join(name)).collect::<Vec<_>>();
    match named {
        Some(name) if name.parent() == Some(Path::new("")) => in_path(name),
        Some(path) => vec![path.to_owned()],
        None => {
            let known = ["/sbin", "/bin"].iter().flat_map(|folder| NAMES.map(|name| Path::new(folder).join(name)));
            NAMES.iter().flat_map(|name| in_path(Path::new(name))).chain(known).collect()
        }
    }
}

/// The first that can be run.
fn helper(places: &[PathBuf]) -> Helper {
    for path in places {
        let Ok(meta) = fs::metadata(path) else { continue };
        if meta.is_file() && meta.permissions().mode() & 0o111 != 0 {
            let setuid = meta.uid() == 0 && meta.permissions().mode() & 0o4000 != 0;
            return if setuid { Helper::SetuidRoot(path.clone()) } else { Helper::Plain(path.clone()) };
        }
    }
    Helper::Missing
}

fn judge_helper(helper: Helper, named: Option<&Path>, uid: u32) -> Result<String> {
    match (helper, named) {
        _ if uid == 0 => Ok("/dev/fuse opens; root needs no fusermount3".to_owned()),
        (Helper::SetuidRoot(path), _) => Ok(format!("/dev/fuse opens, {} is setuid root", path.display())),
        (Helper::Plain(path), _) => Err(Error::new(ErrorKind::Refused, "is not setuid root, so only root can mount")
            .advise(format!("sudo chown root {0} && sudo chmod 4755 {0}", quoted(&path)))
            .about(path.display())),
        (Helper::Missing, Some(named)) => {
            Err(Error::not_found("cannot be run, so only root can mount; FUSERMOUNT_PATH names it")
                .advise("unset FUSERMOUNT_PATH")
                .about(named.display()))
        }
        (Helper::Missing, None) => {
            let message = "no fusermount3 in PATH, /sbin or /bin, so only root can mount";
            Err(Error::not_found(message).advise("sudo apt install fuse3"))
        }
    }
}

/// Whether fuse.conf(5) lets users mount for others: a line of its own, without a value.
fn allows_others(text: &str) -> bool {
    text.lines().any(|line| line.trim() == "user_allow_other")
}

fn not_allowed(path: &Path) -> Error {
    Error::new(ErrorKind::Refused, "has no line user_allow_other, so --allow-other is for root alone")
        .advise(format!("echo user_allow_other | sudo tee -a {}", quoted(path)))
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
    fn the_helper_is_looked_for_where_the_mount_looks() {
        let programs = ["/usr/bin", "/opt/bin"].map(PathBuf::from);
        let found = |named: Option<&str>| {
            let places = places(named.map(Path::new), &programs);
            places.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        let usual = "/usr/bin/fusermount3 /opt/bin/fusermount3 /usr/bin/fusermount /opt/bin/fusermount \
                     /sbin/fusermount3 /sbin/fusermount /bin/fusermount3 /bin/fusermount";
        assert_eq!(found(None), usual);
        assert_eq!(found(Some("/x/fm")), "/x/fm");
        assert_eq!(found(Some("fm")), "/usr/bin/fm /opt/bin/fm");
    }

    #[test]
    fn everybody_but_root_needs_a_setuid_helper() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = folder.path().join("fusermount3");
        let places = [PathBuf::from("/nonexistent/fusermount3"), program.clone()];
        assert_eq!(helper(&places), Helper::Missing);
        fs::write(&program, "").expect("it is ours");
        assert_eq!(helper(&places), Helper::Missing, "it cannot be run");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        assert_eq!(helper(&places), Helper::Plain(program.clone()));
        let judge = |helper: Helper, named: Option<&str>, uid| {
            judge_helper(helper, named.map(Path::new), uid).map_err(|error| error.to_string())
        };
        assert!(judge(Helper::Plain(program.clone()), None, 1000).is_err_and(|text| text.contains("4755")));
        assert!(judge(Helper::Missing, None, 1000).is_err_and(|text| text.contains("apt install fuse3")));
        assert!(
            judge(Helper::Missing, Some("/x/fm"), 1000).is_err_and(|text| text.starts_with("/x/fm: cannot be run"))
        );
        assert!(judge(Helper::SetuidRoot(program), None, 1000).is_ok() && judge(Helper::Missing, None, 0).is_ok());
    }
}
