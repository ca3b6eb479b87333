//! SQLite databases over byte stores of ours, so that none lies on a disk in plain text.

use std::sync::Arc;

use rusqlite::Connection;

use crate::error::{Error, ErrorKind, Result};

/// What an upgrade of SQLite may change: the bytes that it writes.
pub const SQLITE: &str = "sqlite 3.54.1";

/// Bytes that can be read and written anywhere; gone when dropped.
pub trait Scratch: Send {
    #[allow(clippy::len_without_is_empty)]
    fn len(&self) -> u64;
    /// Fills `buffer` from `offset` as far as there are bytes; bytes read. Errors: `Corrupt`, local I/O.
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize>;
    /// Errors: `CacheFull`, local I/O.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<()>;
    fn truncate(&mut self, bytes: u64) -> Result<()>;
}

/// Where scratch files come from.
pub trait ScratchSpace: Send + Sync {
    fn create(&self) -> Result<Box<dyn Scratch>>;
}

/// A database being built in scratch space.
pub struct Building {
    connection: Connection,
    _space: Arc<dyn ScratchSpace>,
}

impl Building {
    pub fn begin(space: Arc<dyn ScratchSpace>) -> Result<Self> {
        let connection = Connection::open_in_memory().map_err(failed)?;
        Ok(Building { connection, _space: space })
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The finished file, from its first byte to its last.
    pub fn finish(self, _append: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        Err(Error::internal("cannot be written yet"))
    }
}

/// SQLite's error as one of ours: `CacheFull` where scratch space ran out.
pub fn failed(error: rusqlite::Error) -> Error {
    let full = matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
    let kind = if full { ErrorKind::CacheFull } else { ErrorKind::Internal };
    Error::new(kind, "a database cannot be built or read").caused_by(error)
}
