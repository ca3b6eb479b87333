//! Digest → blob within a byte limit; has never heard of a recipe.
//!
//! On disk, below the cache folder (which the caller has made, checked and locked):
//!
//! ```text
//! blobs-v1/ab/ab12…    one file per content, named by its keyed digest; the format is drawn in `store/blob.rs`
//! lasting-v1/ab/…      blobs of the same format that are evicted last, within a quarter of the limit
//! tmp/                 contents being written, and scratch files; swept at the next start
//! ```
//!
//! Files have mode 0600, folders 0700. A blob's modification time is its last use, to the minute. Nothing is synced:
//! what a power cut damages is detected when it is opened or read, dropped, and made again by whoever needs it.

pub mod blob;
mod budget;
mod lru;
pub mod removal;
pub mod scratch;
pub mod seal;
mod shelf;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::store::blob::{Blob, BlobWriter, Digest, Keep};
use crate::store::scratch::ScratchFile;
use crate::store::seal::{BlobKeys, DataKey, SALT_BYTES};
use crate::store::shelf::{Salt, Shelf};

pub use crate::store::budget::Shelving;

/// The blobs of one cache folder. Cheap to clone; clones are the same store. One process, one store per folder.
#[derive(Clone)]
pub struct Store(Arc<Shelf>);

impl Store {
    /// Opens the store below `folder`, which exists. Does not wait for the blobs of earlier runs to be counted: until
    /// that is done in the background, they can be had already, but the limit is not yet kept.
    ///
    /// `limit_bytes` counts files in blocks of 4 KiB. Errors: local I/O.
    pub fn open(folder: &Path, key: &DataKey, limit_bytes: u64) -> Result<Self> {
        Shelf::open(folder, BlobKeys::new(key), limit_bytes, Salt::Random).map(Store)
    }

    /// For the test of the format alone: every blob has this salt, which is not safe for more than one content.
    #[doc(hidden)]
    pub fn open_with_salt(folder: &Path, key: &DataKey, limit_bytes: u64, salt: [u8; SALT_BYTES]) -> Result<Self> {
        Shelf::open(folder, BlobKeys::new(key), limit_bytes, Salt::Fixed(salt)).map(Store)
    }

    /// The content, opened; None if it is not there, or is damaged or foreign, in which case it is dropped.
    pub fn get(&self, digest: &Digest) -> Option<Blob> {
        self.0.get(digest)
    }

    /// Whether `get` is likely to find it, without opening it; changes no order of eviction.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.0.contains(digest)
    }

    /// Whether somebody has it open: then `get` costs nothing. The first opening reads all that is sealed, to check it.
    pub fn is_open(&self, digest: &Digest) -> bool {
        self.0.is_open(digest)
    }

    /// Begins a new content; where the store has it already, it stays shelved as it is. With `Keep::IfRoom`, waits until the room is known.
    ///
    /// Errors: `Internal` without a random generator.
    pub fn writer(&self, keep: Keep, shelving: Shelving) -> Result<BlobWriter> {
        if keep == Keep::IfRoom {
            self.0.wait_scanned();
        }
        BlobWriter::new(Arc::clone(&self.0), keep, shelving)
    }

    /// An empty file for what does not fit into memory; takes room as it grows, evicting blobs for it.
    ///
    /// Errors: local I/O, `Internal` without a random generator.
    pub fn scratch(&self) -> Result<ScratchFile> {
        ScratchFile::create(Arc::clone(&self.0))
    }

    /// Disk bytes of all blobs and of what is being written. Blobs that were evicted while open do not count.
    pub fn used_bytes(&self) -> u64 {
        self.0.used_bytes()
    }

    pub fn limit_bytes(&self) -> u64 {
        self.0.limit_bytes()
    }

    /// Whether an ordinary file of `bytes` fits without an eviction; false until that is known.
    pub fn has_room(&self, bytes: u64) -> bool {
        self.0.has_room(bytes)
    }
}

/// A panic while bookkeeping leaves it usable: every change is a few assignments.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
