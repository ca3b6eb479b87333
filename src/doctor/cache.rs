//! An organisation's cache folder: ours alone, who owns it, and has its disk the room that it was promised.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::control::status::{Status, size};
use crate::control::{self, Reply, Request};
use crate::doctor::keys::{Given, Keys};
use crate::doctor::{Case, Report, recipients};
use crate::error::{Error, ErrorKind, Result};
use crate::volume::KEY_FILE;

const CHECK: &str = "cache folder";

/// Looks at one folder; returns where it is mounted.
pub fn check(case: &Case<'_>, folder: &Path, keys: &Keys, report: &mut Report<'_>) -> Option<PathBuf> {
    let state = match state(folder, case.environment.uid) {
        Ok(state) => state,
        Err(error) => {
            report.wrong(CHECK, &error.about(folder.display()));
            return None;
        }
    };
    let used = if state == State::Missing { 0 } else { disk_bytes(folder) };
    let limit = case.settings.cache_bytes;
    let free = free_bytes(existing(folder)).ok();
    let room = free.map_or_else(|| "free space unknown".to_owned(), |free| format!("{} free", size(free)));
    let there = if state == State::Missing { "not there yet, can be made" } else { "0700" };
    report.ok(CHECK, format!("{}, {there}, {} of {}, {room}", folder.display(), size(used), size(limit)));
    if let Some(free) = free
        && free < limit.saturating_sub(used)
    {
        let (free, more, fits) = (size(free), size(limit - used), whole_mib(used + free / 10 * 9));
        report.warn(CHECK, format!("its disk has {free} free, but it may grow by {more}: --cache-size {fits}"));
    }
    let key = folder.join(KEY_FILE);
    if keys.given == Given::Some && key.exists() {
        recipients::tell(&key.display().to_string(), fs::read(&key).map_err(Error::from), keys, report);
    }
    tell_owner(case, folder, report)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Missing,
    Ours,
}

/// Errors: `Usage` with the command that mends it.
fn state(folder: &Path, uid: u32) -> Result<State> {
    let meta = match fs::metadata(folder) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = existing(folder);
            return match may_write(parent) {
                true => Ok(State::Missing),
                false => {
                    Err(Error::new(ErrorKind::Refused, format!("cannot be made: {} is not yours", parent.display()))
                        .advise("give another --cache-dir"))
                }
            };
        }
        Err(error) => return Err(Error::usage("cannot be looked at").caused_by(error)),
    };
    if !meta.is_dir() {
        return Err(Error::usage("is not a folder").advise("give another --cache-dir"));
    }
    control::check_private(folder, &meta, uid).map(|()| State::Ours)
}

/// The nearest folder above that is there.
pub fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}

fn may_write(folder: &Path) -> bool {
    // SAFETY: the path ends in NUL and outlives the call.
    c_path(folder).is_ok_and(|path| unsafe { libc::access(path.as_ptr(), libc::W_OK | libc::X_OK) } == 0)
}

/// What the files of a folder take on its disk; those that go meanwhile count as nothing.
fn disk_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => disk_bytes(&entry.path()),
        Ok(meta) => meta.blocks() * 512,
        Err(_) => 0,
    });
    bytes.sum()
}

/// Bytes that this user may still write there.
fn free_bytes(path: &Path) -> Result<u64> {
    let path = c_path(path)?;
    // SAFETY: all zeros is a valid statvfs, the path ends in NUL, and both outlive the call.
    let answer = unsafe {
        let mut answer: libc::statvfs = std::mem::zeroed();
        if libc::statvfs(path.as_ptr(), &raw mut answer) != 0 {
            return Err(io::Error::last_os_error().into());
        }
        answer
    };
    Ok(answer.f_bavail.saturating_mul(answer.f_frsize))
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::usage("a path holds no NUL"))
}

fn whole_mib(bytes: u64) -> String {
    format!("{}MiB", (bytes >> 20).max(1))
}

/// Asks whoever serves the folder; a mount that runs is as it should be.
fn tell_owner(case: &Case<'_>, folder: &Path, report: &mut Report<'_>) -> Option<PathBuf> {
    const OWNER: &str = "owner";
    match control::ask(folder, Request::Status) {
        Ok(Some(Reply::Status(status))) => {
            match &status.refresh_error {
                Some(error) => report.warn(OWNER, format!("{}; it cannot refresh: {error}", in_words(&status))),
                None => report.ok(OWNER, in_words(&status)),
            }
            status.mount_point
        }
        Ok(_) => {
            let locks = fs::read_to_string(case.machine.proc.join("locks")).unwrap_or_default();
            let inode = fs::metadata(folder.join("lock")).map(|meta| meta.ino());
            if inode.is_ok_and(|inode| is_locked(&locks, inode)) {
                let pid = fs::read_to_string(folder.join("lock")).unwrap_or_default();
                let text = format!("process {} has the folder, and does not answer (yet)", pid.trim());
                report.note(OWNER, text);
            }
            None
        }
        // Whoever has the folder keeps it; what the doctor cannot learn is no reason to call that wrong.
        Err(error) => {
            report.warn(OWNER, error.to_string());
            None
        }
    }
}

fn in_words(status: &Status) -> String {
    let place =
        status.mount_point.as_ref().map_or("not mounted".to_owned(), |at| format!("mounted on {}", at.display()));
    let refreshed = status.last_refresh.map_or("not yet".to_owned(), |time| format!("{time:.0}"));
    let problems = match status.problems {
        0 => "no problems".to_owned(),
        count => format!("{count} problems, listed in problems.tsv"),
    };
    format!("process {}, {place}, last refresh {refreshed}, {problems}", status.pid)
}

/// Whether a file of this inode is locked as a whole: `1: FLOCK  ADVISORY  WRITE 4242 fe:00:1234 0 EOF`.
fn is_locked(locks: &str, inode: u64) -> bool {
    locks.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let inode_of = |place: &str| place.rsplit(':').next()?.parse::<u64>().ok();
        words.get(1) == Some(&"FLOCK") && words.get(5).and_then(|place| inode_of(place)) == Some(inode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_found_by_its_inode() {
        let locks = "1: POSIX  ADVISORY  WRITE 4242 fe:00:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 4243 fe:00:1234 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 4244 fe:00:88 0 EOF\n";
        assert!(is_locked(locks, 1234));
        assert!(!is_locked(locks, 77) && !is_locked(locks, 88) && !is_locked("", 1));
    }

    #[test]
    fn a_folder_is_ours_alone_or_says_what_mends_it() {
        let base = tempfile::tempdir().expect("a temporary folder");
        let uid = fs::metadata(base.path()).expect("it is there").uid();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(base.path(), private).expect("it is ours");
        assert_eq!(state(&base.path().join("a/b"), uid).expect("it can be made"), State::Missing);
        assert_eq!(state(base.path(), uid).expect("it is private"), State::Ours);
        assert!(state(base.path(), uid + 1).is_err_and(|error| error.to_string().contains("belongs to user")));
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(base.path(), open).expect("it is ours");
        assert!(state(base.path(), uid).is_err_and(|error| error.to_string().contains("chmod 700")));
    }
}
