//! Finding the process that owns a cache folder or a mount point.
//!
//! The kernel's list of Unix sockets (`/proc/net/unix`) is the register: it knows every control socket wherever its
//! cache folder is, and forgets it with the process. Folders in the usual places are asked as well, since the list ends
//! at the edge of a network namespace and does not know paths longer than a socket address. Whoever likes can be in the
//! list: of it only private folders of the one user count that can own what is sought, and all answers are bounded in time.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::config::{CacheLocation, Settings};
use crate::control::{self, Reply, Request, Whereabouts};
use crate::error::{Error, Result};
use crate::fuse;

/// A process that answers for a cache folder.
#[derive(Clone, Debug)]
pub struct Owner {
    pub cache_dir: PathBuf,
    /// 0 where it cannot be seen from here.
    pub pid: u32,
    /// The user whose folder it is, and whose process.
    pub user: u32,
    pub mount_point: Option<PathBuf>,
}

/// Where an owner is, it says at once, unless it is stopped.
const PATIENCE: Duration = Duration::from_secs(3);
/// All of them together.
const SEARCH: Duration = Duration::from_secs(10);

/// The owner of a mount; for root also that of another user's mount.
///
/// Errors: why an owner that may be the one did not answer, where none of the others is.
pub fn of_mount(mount_point: &Path, settings: &Settings) -> Result<Option<Owner>> {
    let mount_point = fs::canonicalize(mount_point).unwrap_or_else(|_| mount_point.to_path_buf());
    let mut dirs = usual_cache_dirs(settings);
    dirs.extend(listening_dirs(fuse::user_of_mount(&mount_point).unwrap_or_else(control::our_uid)));
    let mut silent = Ok(None);
    for answer in answers(&dirs) {
        match answer {
            Ok(owner) if owner.mount_point.as_ref() == Some(&mount_point) => return Ok(Some(owner)),
            Ok(_) => {}
            Err(error) => silent = silent.and(Err(error)),
        }
    }
    silent
}

/// The owners of the cache folders that the settings name; where they name none, every one of ours, in order of folder.
///
/// Errors: why one did not answer.
pub fn all(settings: &Settings) -> Vec<Result<Owner>> {
    let mut dirs = usual_cache_dirs(settings);
    if settings.cache_dirs().is_empty() {
        dirs.extend(listening_dirs(control::our_uid()));
    }
    answers(&dirs).collect()
}

fn answers(dirs: &BTreeSet<PathBuf>) -> impl Iterator<Item = Result<Owner>> {
    let end = Instant::now() + SEARCH;
    dirs.iter().filter_map(move |dir| of_cache_dir(dir, end.min(Instant::now() + PATIENCE)).transpose())
}

fn of_cache_dir(cache_dir: &Path, deadline: Instant) -> Result<Option<Owner>> {
    let Some(Reply::Where(Whereabouts { mount_point, pid, .. })) =
        control::ask_by(cache_dir, Request::Where, deadline)?
    else {
        return Ok(None);
    };
    // Whoever answered was of the folder's user.
    let user = fs::metadata(cache_dir).map_err(|error| Error::from(error).about(cache_dir.display()))?.uid();
    Ok(Some(Owner { cache_dir: cache_dir.to_path_buf(), pid, user, mount_point }))
}

/// The folders that the settings name, or else all below the default place.
fn usual_cache_dirs(settings: &Settings) -> BTreeSet<PathBuf> {
    let mut dirs: BTreeSet<PathBuf> = settings.cache_dirs().into_iter().collect();
    if let (CacheLocation::Default(base), true) = (&settings.cache_location, settings.orgs.is_empty()) {
        dirs.extend(fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.path()));
    }
    dirs
}

/// This user's cache folders in which some process listens on a socket with our name.
fn listening_dirs(user: u32) -> Vec<PathBuf> {
    let table = fs::read("/proc/net/unix").unwrap_or_default();
    let text = String::from_utf8_lossy(&table);
    let dirs = text.lines().filter_map(|line| control::folder_of_socket(socket_path(line)?));
    dirs.filter(|dir| is_cache_of(dir, user)).collect()
}

fn is_cache_of(dir: &Path, user: u32) -> bool {
    control::is_private(dir, user) && control::has_lock(dir)
}

/// The eighth column, which may hold spaces.
fn socket_path(line: &str) -> Option<&Path> {
    line.find(" /").map(|at| Path::new(&line[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_names_the_folder() {
        let line = "0000000000000000: 00000002 00000000 00010000 0001 01 29340 /home/a b/edxfs/control.sock";
        let dir = control::folder_of_socket(socket_path(line).expect("it has a path"));
        assert_eq!(dir, Some(PathBuf::from("/home/a b/edxfs")));
        assert_eq!(socket_path("0000000000000000: 00000002 00000000 00010000 0001 01 29340"), None);
    }
}
