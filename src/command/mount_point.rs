//! Is this folder fit to be mounted on?

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::command::complain;
use crate::config::{Settings, SourceSettings};
use crate::error::{Error, Result};
use crate::fuse;

/// Detaches what a crash left there; returns the folder's absolute path.
///
/// Errors: `Usage` if there is no such folder, or if what the mount itself reads lies below it.
pub fn prepare(path: &Path, settings: &Settings) -> Result<PathBuf> {
    check(path, settings).map_err(|error| error.about(path.display()))
}

fn check(path: &Path, settings: &Settings) -> Result<PathBuf> {
    fuse::detach_stale(path)?;
    let meta = fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::usage("no such folder to mount on").advise("make it with mkdir"),
        _ => Error::usage("cannot mount there").caused_by(error),
    })?;
    if !meta.is_dir() {
        return Err(Error::usage("not a folder, so nothing can be mounted on it"));
    }
    let path = fs::canonicalize(path)?;
    // Reading them through the mount would wait for itself.
    let mut needed = settings.cache_dirs();
    needed.extend(settings.keys.iter().cloned());
    if let SourceSettings::Folder(folder) = &settings.source {
        needed.push(folder.clone());
    }
    for inner in needed {
        let real = fs::canonicalize(&inner).unwrap_or(inner);
        if real.starts_with(&path) {
            let message = format!("{} lies in it, and the mount would cover that", real.display());
            return Err(Error::usage(message).advise("mount on another folder"));
        }
    }
    let is_mounted_on =
        path.parent().and_then(|parent| fs::metadata(parent).ok()).is_some_and(|p| p.dev() != meta.dev());
    if !is_mounted_on && fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some()) {
        complain(format_args!(
            "{}: the folder is not empty; its files are hidden while it is mounted on",
            path.display()
        ));
    }
    Ok(path)
}
