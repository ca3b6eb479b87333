//! Which files of a folder are the store's, whatever version of it made them; and removing those.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::store::blob::Digest;
use crate::store::shelf::{BLOBS, LASTING, SCRATCH};

/// Whether a store has been in this folder.
pub fn is_in(folder: &Path) -> bool {
    folders(folder).iter().any(|(name, _)| is_of_blobs(name))
}

/// Removes blobs and temporary files below `folder`, which nobody may use at that time, and the folders that are empty
/// then. What has another name than ours stays. Errors: the first that was met; the others are removed all the same.
pub fn remove_from(folder: &Path) -> Result<()> {
    let mut first = Ok(());
    for (name, path) in folders(folder) {
        if is_of_blobs(&name) {
            for (fan_out, path) in folders(&path) {
                if fan_out.len() == 2 && fan_out.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    first = first.and(remove_files(&path, |name| Digest::from_hex(name).is_some()));
                    remove_if_empty(&path);
                }
            }
        } else if name == SCRATCH {
            first = first.and(remove_files(&path, is_temporary));
        } else {
            continue;
        }
        remove_if_empty(&path);
    }
    first
}

fn is_of_blobs(name: &str) -> bool {
    let stem = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let is_like = |ours: &&str| stem(name) < name.len() && name[..stem(name)] == ours[..stem(ours)];
    [BLOBS, LASTING].iter().any(is_like)
}

/// `0123456789abcdef-7`: the run, the number.
fn is_temporary(name: &str) -> bool {
    let parts = name.split_once('-').filter(|(run, number)| run.len() == 16 && !number.is_empty());
    parts.is_some_and(|(run, number)| {
        run.bytes().all(|byte| byte.is_ascii_hexdigit()) && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The folders in a folder, no links; none of what cannot be listed, which its own removal will say.
fn folders(folder: &Path) -> Vec<(String, PathBuf)> {
    entries(folder).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(named).collect()
}

fn remove_files(folder: &Path, ours: impl Fn(&str) -> bool) -> Result<()> {
    let mut first = Ok(());
    for (name, path) in entries(folder).map(named) {
        if ours(&name) {
            first = first.and(remove(&path));
        }
    }
    first
}

fn entries(folder: &Path) -> impl Iterator<Item = fs::DirEntry> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

fn named(entry: fs::DirEntry) -> (String, PathBuf) {
    (entry.file_name().to_string_lossy().into_owned(), entry.path())
}

/// Removes a file that may be gone already. Errors: local I/O, about the path.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::from(error).about(path.display())),
        _ => Ok(()),
    }
}

/// Whoever has put something there has it still.
fn remove_if_empty(folder: &Path) {
    let _ = fs::remove_dir(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_every_version_are_ours_and_no_others() {
        for name in ["blobs-v1", "blobs-v12", "lasting-v1"] {
            assert!(is_of_blobs(name), "{name}");
        }
        for name in ["blobs", "blobs-v", "blobs-v1a", "blobs-vx1", "my-blobs-v1", "lasting-1", "tmp", "1", ""] {
            assert!(!is_of_blobs(name), "{name}");
        }
        assert!(is_temporary("0123456789abcdef-17"));
        for name in ["0123456789abcdef-", "0123456789abcde-1", "0123456789abcdeg-1", "0123456789abcdef-1a", "a-1", "x"]
        {
            assert!(!is_temporary(name), "{name}");
        }
    }
}
