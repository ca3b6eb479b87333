//! An organisation's cache folder: ours alone, who owns it, and can its key be opened.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::io::Errno;

use crate::control::status::{Status, size};
use crate::control::{self, Reply, Request};
use crate::doctor::disk::mount_of;
use crate::doctor::keys::{Given, Keys};
use crate::doctor::room::{CHECK, Room, existing};
use crate::doctor::{Case, Machine, Report, recipients};
use crate::error::{Error, ErrorKind, Result};
use crate::shell::quoted;
use crate::volume::data_key;

const ANOTHER: &str = "give another --cache-dir";

/// A folder that can be used.
pub struct Cache {
    pub room: Room,
    pub mounted_on: Option<PathBuf>,
}

/// None where there is, or would be, none.
pub fn check(case: &Case<'_>, org: &str, keys: &Keys, report: &mut Report<'_>) -> Option<Cache> {
    let folder = case.settings.cache_dir(org);
    let there = match state(case.machine, &folder, case.environment.uid) {
        Ok(State::Missing) => "not there yet, can be made".to_owned(),
        Ok(State::Ours { mode }) => format!("{mode:04o}"),
        Err(error) => {
            report.wrong(CHECK, &error.about(folder.display()));
            return None;
        }
    };
    let room = Room::of(&folder);
    let (used, limit) = (size(room.used_bytes), size(case.settings.cache_bytes));
    report.ok(CHECK, format!("{}, {there}, {used} of {limit}, {room}", folder.display()));
    if keys.given == Given::Some {
        tell_key(org, &folder, keys, report);
    }
    Some(Cache { room, mounted_on: tell_owner(case, &folder, report) })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Missing,
    /// Permission bits.
    Ours {
        mode: u32,
    },
}

/// Errors: `Usage` or `Refused`, with what mends it.
fn state(machine: &Machine, folder: &Path, uid: u32) -> Result<State> {
    let meta = match fs::metadata(folder) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = existing(folder);
            return match obstacle(parent, Access::WRITE_OK | Access::EXEC_OK) {
                None => Ok(State::Missing),
                Some(Obstacle::ReadOnlyDisk) => Err(read_only(machine, parent)),
                Some(Obstacle::Rights) => {
                    let message = format!("cannot be made: you may not write to {}", parent.display());
                    Err(Error::new(ErrorKind::Refused, message).advise(ANOTHER))
                }
            };
        }
        Err(error) => return Err(Error::usage("cannot be looked at").caused_by(error)),
    };
    if !meta.is_dir() {
        return Err(Error::usage("is not a folder").advise(ANOTHER));
    }
    control::check_private(folder, &meta, uid)?;
    let mode = meta.mode() & 0o7777;
    match obstacle(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        None => Ok(State::Ours { mode }),
        Some(Obstacle::ReadOnlyDisk) => Err(read_only(machine, folder)),
        Some(Obstacle::Rights) => {
            let closed = mode & 0o700 != 0o700;
            let remedy = if closed { format!("chmod 700 {}", quoted(folder)) } else { ANOTHER.to_owned() };
            let message = format!("may not be read and written by you (mode {mode:04o})");
            Err(Error::new(ErrorKind::Refused, message).advise(remedy))
        }
    }
}

/// What keeps us from using a folder as we must.
enum Obstacle {
    ReadOnlyDisk,
    Rights,
}

fn obstacle(folder: &Path, wanted: Access) -> Option<Obstacle> {
    match rustix::fs::access(folder, wanted) {
        Ok(()) => None,
        Err(Errno::ROFS) => Some(Obstacle::ReadOnlyDisk),
        Err(_) => Some(Obstacle::Rights),
    }
}

fn read_only(machine: &Machine, folder: &Path) -> Error {
    let point = mount_of(machine, folder).map_or_else(|| folder.to_owned(), |mounted| mounted.point);
    let remedy = format!("see why with: sudo dmesg, then: sudo mount -o remount,rw {}, or {ANOTHER}", quoted(point));
    Error::new(ErrorKind::Refused, "cannot be written: its disk is read-only").advise(remedy)
}

/// The key file of the cache, as a mount opens it.
fn tell_key(org: &str, folder: &Path, keys: &Keys, report: &mut Report<'_>) {
    let path = folder.join(data_key::FILE);
    match data_key::open(folder, &keys.secret).err().map(|error| error.kind()) {
        Some(ErrorKind::NotFound) => {}
        Some(ErrorKind::Corrupt | ErrorKind::Unsupported) => {
            let command = format!("edxfs purge --org {} --cache-dir {}", quoted(org), quoted(folder));
            let error = Error::corrupt("is damaged, so nothing in this cache can be read any more");
            let error = error.advise(format!("destroy the cache, which is made anew: {command}"));
            report.wrong(CHECK, &error.about(path.display()));
        }
        _ => {
            let wrapped = fs::read(&path).map_err(Error::from);
            recipients::tell(&path.display().to_string(), wrapped, keys, report);
        }
    }
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
        let state = |folder: &Path, uid| state(&Machine::this(), folder, uid);
        assert_eq!(state(&base.path().join("a/b"), uid).expect("it can be made"), State::Missing);
        assert_eq!(state(base.path(), uid).expect("it is private"), State::Ours { mode: 0o700 });
        assert!(state(base.path(), uid + 1).is_err_and(|error| error.to_string().contains("belongs to user")));
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(base.path(), open).expect("it is ours");
        assert!(state(base.path(), uid).is_err_and(|error| error.to_string().contains("chmod 700")));
    }
}
