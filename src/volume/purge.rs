//! The end of a cache folder: its key is destroyed, then all that is ours in it is removed, and nothing else.
//!
//! Ours are, by name: `key.gpg` and `key.part`; the ledger; the store's blobs and temporary files; the same in
//! `unkeyed`; the socket; at last the lock, by which the next purge would know the folder again.

use std::fs;
use std::io::ErrorKind as IoKind;
use std::path::Path;

use crate::control;
use crate::engine::ledger::Ledger;
use crate::error::{Error, Result};
use crate::store::removal;
use crate::volume::data_key;
use crate::volume::start::{LEDGER, UNKEYED};

/// What is left of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purged {
    /// Nothing, the folder included.
    Gone,
    /// There was no such folder, or an empty one that no cache can have been in.
    NeverThere,
    /// Files of other names than ours: these.
    Left(Vec<String>),
}

/// Destroys a cache folder's key and removes the folder; goes on where an earlier purge was cut off.
///
/// Errors: `Usage` if it is no cache folder of ours, or somebody owns it: nothing has been changed then. Where the key
/// cannot be destroyed nothing else is removed; what cannot be removed after that is the error, the rest is.
pub fn purge(folder: &Path) -> Result<Purged> {
    if names(folder).map_err(|error| error.about(folder.display()))?.is_empty() {
        return Ok(if remove_emptied(folder) { Purged::Gone } else { Purged::NeverThere });
    }
    recognise(folder).map_err(|error| error.about(folder.display()))?;
    let owned = control::own(folder)?;
    let folder = owned.dir().to_owned();
    data_key::destroy(&folder)?;
    let unkeyed = folder.join(UNKEYED);
    let removed = remove_cached(&unkeyed).and(remove_cached(&folder));
    let _ = fs::remove_dir(&unkeyed);
    let removed = removed.and_then(|()| owned.remove());
    removed.map_err(|error| {
        error.advise("the key is destroyed, so nothing here can be read any more: remove the rest, and purge again")
    })?;
    match fs::remove_dir(&folder) {
        Ok(()) => Ok(Purged::Gone),
        Err(error) if error.kind() == IoKind::DirectoryNotEmpty => Ok(Purged::Left(names(&folder)?)),
        Err(error) => Err(Error::from(error).about(folder.display())),
    }
}

/// Removes what a purge leaves that was cut off before its last step: an empty folder, this user's alone.
fn remove_emptied(folder: &Path) -> bool {
    control::is_private(folder, control::our_uid()) && fs::remove_dir(folder).is_ok()
}

fn remove_cached(folder: &Path) -> Result<()> {
    Ledger::remove_files(&folder.join(LEDGER)).and(removal::remove_from(folder))
}

/// A mount that was refused leaves a lock in any folder that it was given, so a key beside a lock alone may well be
/// somebody's own file of that name: only where something was cached was it ours.
fn recognise(folder: &Path) -> Result<()> {
    if !control::has_lock(folder) {
        return Err(Error::usage("this is no cache folder of edxfs, so nothing was removed"));
    }
    let cached = fs::symlink_metadata(folder.join(LEDGER)).is_ok() || removal::is_in(folder);
    if data_key::is_in(folder) && !cached {
        let unsure = Error::usage("holds a key.gpg and nothing cached, so nothing was removed");
        return Err(unsure.advise("if that file is not yours but edxfs's, remove it yourself"));
    }
    Ok(())
}

/// Sorted; none of a folder that does not exist.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == IoKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == IoKind::NotADirectory => return Err(Error::usage("this is no folder")),
        entries => entries?,
    };
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<std::io::Result<_>>()?;
    names.sort();
    Ok(names)
}
