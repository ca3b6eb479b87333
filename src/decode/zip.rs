//! Central directory and members over ranged reads; never the whole package.

use std::sync::Arc;

/// How an entry's bytes are stored in its archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    Stored,
    Deflated,
}

/// One entry of a zip (or of a tar, then `Stored` and `crc32` None): enough to read it without the directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Entry {
    /// Full name in the archive, `/` between components.
    pub name: Arc<str>,
    /// Offset of the local header (zip) or of the first byte (tar).
    pub offset: u64,
    /// Bytes in the archive.
    pub compressed: u64,
    /// Bytes after inflating (still encrypted).
    pub bytes: u64,
    pub crc32: Option<u32>,
    pub method: Method,
}
