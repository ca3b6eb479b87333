//! Finding the process that owns a cache folder or a mount point.
//!
//! The kernel's list of Unix sockets (`/proc/net/unix`) is the register: it knows every control socket wherever its
//! cache folder is, and forgets it with the process. Folders in the usual places are asked as well, since the list ends
//! at the edge of a network namespace and does not know paths longer than a socket address.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::config::{CacheLocation, Settings};
use crate::control::{self, Reply, Request};
use crate::error::Result;

/// A process that answers for a cache folder.
#[derive(Clone, Debug)]
pub struct Owner {
    pub cache_dir: PathBuf,
    pub pid: u32,
    pub mount_point: Option<PathBuf>,
}

/// The owner of a mount, if it is ours.
pub fn of_mount(mount_point: &Path, settings: &Settings) -> Option<Owner> {
    let mount_point = fs::canonicalize(mount_point).unwrap_or_else(|_| mount_point.to_path_buf());
    let mut dirs = usual_cache_dirs(settings);
    dirs.extend(listening_dirs());
    let mut owners = dirs.iter().filter_map(|dir| of_cache_dir(dir).ok().flatten());
    owners.find(|owner| owner.mount_point.as_ref() == Some(&mount_point))
}

/// The owners of the cache folders that the settings name; where they name none, every owner, in order of folder.
pub fn all(settings: &Settings) -> Vec<Owner> {
    let mut dirs = usual_cache_dirs(settings);
    if settings.cache_dirs().is_empty() {
        dirs.extend(listening_dirs());
    }
    dirs.iter().filter_map(|dir| of_cache_dir(dir).ok().flatten()).collect()
}

fn of_cache_dir(cache_dir: &Path) -> Result<Option<Owner>> {
    let reply = control::ask(cache_dir, Request::Where)?;
    Ok(match reply {
        Some(Reply::Where { mount_point, pid }) => Some(Owner { cache_dir: cache_dir.to_path_buf(), pid, mount_point }),
        _ => None,
    })
}

/// The folders that the settings name, or else all below the default place.
fn usual_cache_dirs(settings: &Settings) -> BTreeSet<PathBuf> {
    let mut dirs: BTreeSet<PathBuf> = settings.cache_dirs().into_iter().collect();
    if let (CacheLocation::Default(base), true) = (&settings.cache_location, settings.orgs.is_empty()) {
        dirs.extend(fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.path()));
    }
    dirs
}

/// Folders in which some process listens on a socket with our name; its folder is open to nobody but its user.
fn listening_dirs() -> Vec<PathBuf> {
    let table = fs::read("/proc/net/unix").unwrap_or_default();
    let text = String::from_utf8_lossy(&table);
    text.lines().filter_map(|line| control::folder_of_socket(socket_path(line)?)).collect()
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
