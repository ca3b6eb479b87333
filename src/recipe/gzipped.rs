//! Content as gzip, the same bytes each time.

/// What an upgrade of the library may change: the bytes it writes.
pub const GZIP: &str = "zlib-rs 0.6.8";
