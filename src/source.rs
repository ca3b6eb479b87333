//! Where encrypted objects come from: listing, and reading pinned to one ETag. No decoding.
//!
//! An object's identity everywhere is its key and ETag. Every read names that identity: bytes of another version
//! are never returned, `ErrorKind::Changed` is.

pub mod folder;
pub mod recorded;
pub mod s3;

use std::fmt;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;

use crate::error::Result;

/// Full key of an object: `bucket/key` in S3, the path below the folder otherwise. `/` separates, no leading `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(Arc<str>);

impl ObjectKey {
    pub fn new(key: &str) -> Self {
        ObjectKey(key.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component.
    pub fn base_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Opaque version tag of an object, as the source gives it, without quotes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ETag(Arc<str>);

impl ETag {
    pub fn new(tag: &str) -> Self {
        ETag(tag.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One version of one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    pub key: ObjectKey,
    pub etag: ETag,
    /// Length in bytes, encrypted.
    pub bytes: u64,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

/// Whether an object can be read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    Ready,
    /// In a storage class that must be restored first.
    Archived,
}

/// What a listing says of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    pub id: ObjectId,
    pub modified: Timestamp,
    pub availability: Availability,
}

/// The bytes of one range of one object, in order. A read error is an `Error` inside the `io::Error`.
pub type ObjectReader = Box<dyn Read + Send>;

/// A place that holds objects of one organisation.
///
/// Errors of both methods: `Refused`, `Unreachable`, `TimedOut`; of `open` also `Changed`, `NotFound`, `Archived`.
pub trait Source: Send + Sync {
    /// Every object under the organisation's prefixes, in no particular order.
    fn list(&self) -> Result<Vec<ObjectMeta>>;

    /// Bytes `range` of exactly this version; the reader fails with `Corrupt` if the object ends before the range does.
    fn open(&self, id: &ObjectId, range: Range<u64>) -> Result<ObjectReader>;

    /// Encrypted bytes and requests so far, for `status`.
    fn traffic(&self) -> Traffic;
}

/// What has been asked of a source since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub fetched_bytes: u64,
    /// Object reads begun (not listings).
    pub fetched_objects: u64,
}
