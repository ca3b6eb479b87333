//! Finding the process that owns a cache folder or a mount point.

use std::ffi::{CString, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::config::{CacheLocation, Settings};
use crate::control::{self, Reply, Request};
use crate::error::Result;

/// The mount root's xattr that names the cache folder of the process behind it.
const CONTROL_XATTR: &std::ffi::CStr = c"user.edxfs.control";

/// A process that answers for a cache folder.
#[derive(Clone, Debug)]
pub struct Owner {
    pub cache_dir: PathBuf,
    pub pid: u32,
    pub mount_point: Option<PathBuf>,
}

/// The owner of a cache folder, if it is served. Errors: as `control::ask`.
pub fn of_cache_dir(cache_dir: &Path) -> Result<Option<Owner>> {
    let reply = control::ask(cache_dir, Request::Where)?;
    Ok(match reply {
        Some(Reply::Where { mount_point, pid }) => Some(Owner { cache_dir: cache_dir.to_path_buf(), pid, mount_point }),
        _ => None,
    })
}

/// The owner of a mount: by its root's xattr, else whichever cache folder in the usual places reports it.
pub fn of_mount(mount_point: &Path, settings: &Settings) -> Option<Owner> {
    let mount_point = fs::canonicalize(mount_point).unwrap_or_else(|_| mount_point.to_path_buf());
    let mut dirs: Vec<PathBuf> = control_xattr(&mount_point).into_iter().collect();
    dirs.extend(usual_cache_dirs(settings));
    let mut owners = dirs.iter().filter_map(|dir| of_cache_dir(dir).ok().flatten());
    owners.find(|owner| owner.mount_point.as_ref() == Some(&mount_point))
}

/// Every owner in the usual places, in order of cache folder.
pub fn all(settings: &Settings) -> Vec<Owner> {
    usual_cache_dirs(settings).iter().filter_map(|dir| of_cache_dir(dir).ok().flatten()).collect()
}

/// The folders that the settings name, or else all below the default place.
fn usual_cache_dirs(settings: &Settings) -> Vec<PathBuf> {
    let mut dirs = settings.cache_dirs();
    if let (CacheLocation::Default(base), true) = (&settings.cache_location, settings.orgs.is_empty()) {
        let entries = fs::read_dir(base).into_iter().flatten().flatten();
        dirs.extend(entries.map(|entry| entry.path()));
        dirs.sort();
    }
    dirs
}

fn control_xattr(mount_point: &Path) -> Option<PathBuf> {
    let path = CString::new(mount_point.as_os_str().as_bytes()).ok()?;
    let mut value = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: both names end in NUL, and `value` is writable for its whole length.
    let length =
        unsafe { libc::getxattr(path.as_ptr(), CONTROL_XATTR.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    value.truncate(usize::try_from(length).ok()?);
    Some(OsString::from_vec(value).into())
}
