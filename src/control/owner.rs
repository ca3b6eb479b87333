//! Taking a cache folder for oneself.

use std::fs::{self, DirBuilder, File, Metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::control::{LOCK_NAME, SOCKET_NAME, open_dir, our_uid};
use crate::error::{Error, ErrorKind, Result};
use crate::lock::{self, Lock};
use crate::shell::quoted;

/// A cache folder that is ours until this is dropped, or the process ends.
#[derive(Debug)]
pub struct Owned {
    pub(super) dir: PathBuf,
    _lock: File,
}

impl Owned {
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes a socket that a crash has left, and then the lock, which is given up.
    pub fn remove(self) -> Result<()> {
        for name in [SOCKET_NAME, LOCK_NAME] {
            let path = self.dir.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::from(error).about(path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether a folder holds the lock of an owner, of now or of before.
pub fn has_lock(cache_dir: &Path) -> bool {
    lock::is_lock(&cache_dir.join(LOCK_NAME))
}

/// The outcome of reaching for a folder.
#[derive(Debug)]
pub enum Claim {
    Ours(Owned),
    /// Somebody else's; the process id, where it could be read.
    Taken {
        pid: Option<u32>,
    },
}

/// Takes a cache folder, making it (mode 0700) if there is none.
///
/// Errors: `Usage` if another process owns it, or it is not a private folder of this user; local I/O.
pub fn own(cache_dir: &Path) -> Result<Owned> {
    match claim(cache_dir)? {
        Claim::Ours(owned) => Ok(owned),
        Claim::Taken { pid } => {
            let who = pid.map_or("another process".to_string(), |pid| format!("process {pid}"));
            let message = format!("the cache folder is in use by {who}, and only one may own it");
            let advice = "use its mount point (`edxfs status` shows it), end it with `edxfs unmount`, \
                          or give another --cache-dir";
            Err(Error::usage(message).advise(advice).about(cache_dir.display()))
        }
    }
}

/// As [`own`], but says whose a folder is instead of failing.
pub fn claim(cache_dir: &Path) -> Result<Claim> {
    claim_private(cache_dir).map_err(|error| error.about(cache_dir.display()))
}

fn claim_private(cache_dir: &Path) -> Result<Claim> {
    DirBuilder::new().recursive(true).mode(0o700).create(cache_dir).map_err(|error| {
        Error::new(Error::from(std::io::Error::from(error.kind())).kind(), "cannot make the cache folder")
            .caused_by(error)
    })?;
    let meta = open_dir(cache_dir)
        .and_then(|dir| dir.metadata())
        .map_err(|error| Error::usage("cannot be used as a cache folder").caused_by(error))?;
    check_private(cache_dir, &meta, our_uid())?;
    // The folder is ours alone by now, so that nobody else can lay a link in the way.
    let lock = match lock::take(&cache_dir.join(LOCK_NAME))? {
        Lock::Ours(lock) => lock,
        Lock::Taken { pid } => return Ok(Claim::Taken { pid }),
    };
    Ok(Claim::Ours(Owned { dir: fs::canonicalize(cache_dir)?, _lock: lock }))
}

/// Whether a cache folder of a user's may lie, or may have lain, there: a folder, and this user's alone.
pub fn is_private(cache_dir: &Path, user: u32) -> bool {
    let meta = open_dir(cache_dir).and_then(|dir| dir.metadata());
    meta.is_ok_and(|meta| check_private(cache_dir, &meta, user).is_ok())
}

/// Whether a folder is this user's alone. Errors: `Usage` with the remedy.
pub fn check_private(cache_dir: &Path, meta: &Metadata, us: u32) -> Result<()> {
    if meta.uid() != us {
        let message = format!("this cache folder belongs to user {}, not to you ({us})", meta.uid());
        return Err(Error::new(ErrorKind::Usage, message).advise("give another --cache-dir"));
    }
    let mode = meta.mode() & 0o7777;
    if mode & 0o077 != 0 {
        let message = format!("others can get into this cache folder (mode {mode:04o})");
        let advice = format!("close it with: chmod 700 {}", quoted(cache_dir));
        return Err(Error::new(ErrorKind::Usage, message).advise(advice));
    }
    Ok(())
}
