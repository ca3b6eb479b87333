//! Folders that vanish with their owner.

use std::ffi::{CString, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A new private folder, removed with all that is in it.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn make(parent: &Path) -> Result<Self> {
        let template = parent.join("edxfs-XXXXXX").into_os_string();
        let template = CString::new(template.as_bytes()).map_err(|_| Error::usage("TMPDIR holds a NUL"))?;
        let template = template.into_raw();
        // SAFETY: `template` is a writable C string, given back to its owner at once.
        let (made, template) = unsafe { (libc::mkdtemp(template), CString::from_raw(template)) };
        if made.is_null() {
            return Err(Error::from(io::Error::last_os_error()).about(parent.display()));
        }
        Ok(Scratch(OsString::from_vec(template.into_bytes()).into()))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A decode that is not waited for may still put a file there.
        let deadline = Instant::now() + Duration::from_secs(5);
        while let Err(error) = fs::remove_dir_all(&self.0) {
            if error.kind() == io::ErrorKind::NotFound {
                return;
            }
            if Instant::now() > deadline {
                tracing::warn!("cannot remove {}: {error}", self.0.display());
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A folder that is made if it is missing; only then, and only if empty, it is removed.
pub struct OwnFolder {
    path: PathBuf,
    made: Origin,
}

#[derive(PartialEq, Eq)]
enum Origin {
    Made,
    Found,
}

impl OwnFolder {
    pub fn make(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path)?;
        let made = match fs::create_dir(&path) {
            Ok(()) => Origin::Made,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Origin::Found,
            Err(error) => return Err(Error::from(error).about(path.display())),
        };
        Ok(OwnFolder { path, made })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for OwnFolder {
    fn drop(&mut self) {
        if self.made == Origin::Made {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_is_private_and_vanishes() {
        let parent = tempfile::tempdir().expect("a temporary folder can be made");
        let scratch = Scratch::make(parent.path()).expect("there is room");
        fs::write(scratch.path().join("x"), "x").expect("it is ours");
        drop(scratch);
        assert_eq!(fs::read_dir(parent.path()).expect("still there").count(), 0);
    }

    #[test]
    fn a_folder_that_was_there_stays() {
        let parent = tempfile::tempdir().expect("a temporary folder can be made");
        drop(OwnFolder::make(parent.path()).expect("it exists"));
        assert!(parent.path().exists());
        let new = parent.path().join("new");
        drop(OwnFolder::make(&new).expect("its parent exists"));
        assert!(!new.exists());
    }
}
