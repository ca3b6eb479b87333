//! SQLite databases over byte stores of ours, so that none lies on a disk in plain text.
//!
//! Neither the database nor anything that SQLite puts aside (sorts, transient tables, statement journals) has a path:
//! every file that SQLite opens is a `Scratch` of the space that was given, or the content being read. A path in SQL
//! (`ATTACH`) cannot be opened.

pub mod pages;
pub mod record;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod vfs;

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::pages::Pages;
use crate::sqlite::vfs::{Backing, Place};

/// What an upgrade of SQLite may change: the bytes that it writes.
pub const SQLITE: &str = "sqlite 3.54.1";

/// Before the first write. No journal: what fails is thrown away whole. The cache's bound is the sorter's as well.
const BUILD: &str = "PRAGMA page_size = 4096; PRAGMA encoding = 'UTF-8'; PRAGMA auto_vacuum = NONE;
    PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
    PRAGMA temp_store = FILE; PRAGMA cache_size = -32768; PRAGMA cache_spill = ON;";

/// Sorts of a reader need scratch space, and it has none: they stay in memory.
const READ: &str = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;";

/// Bytes that can be read and written anywhere; gone when dropped.
#[allow(clippy::len_without_is_empty)]
pub trait Scratch: Send {
    fn len(&self) -> u64;
    /// Fills `buffer` from `offset` as far as there are bytes; bytes read. Errors: `Corrupt`, local I/O.
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize>;
    /// What lies between the old end and `offset` becomes zeros. Errors: `CacheFull`, local I/O.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<()>;
    /// Cuts; never makes it longer.
    fn truncate(&mut self, bytes: u64) -> Result<()>;
}

/// Where scratch files come from.
pub trait ScratchSpace: Send + Sync {
    fn create(&self) -> Result<Box<dyn Scratch>>;
}

/// A database being built in scratch space. Dropped, it leaves nothing.
///
/// Equal statements give equal bytes. Many small statements belong into one transaction, which may stay open to the
/// end: `into_pages` commits it. Nothing can be rolled back.
pub struct Building {
    // Before the place: a connection is closed before its place is another's.
    connection: Connection,
    place: Place,
}

impl Building {
    /// An empty database. Errors: those of the space.
    pub fn begin(space: Arc<dyn ScratchSpace>) -> Result<Self> {
        let main = Backing::Scratch(space.create()?);
        let place = Place::take(main, Some(space))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = connect(&place, flags)?;
        connection.execute_batch(BUILD).map_err(failed)?;
        Ok(Building { connection, place })
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Ends what SQLite does; pages can be added behind its own, on the way to `destination`.
    pub fn into_pages(self, destination: &mut dyn Destination) -> Result<Pages<'_>> {
        let Building { connection, place } = self;
        if !connection.is_autocommit() {
            connection.execute_batch("COMMIT").map_err(failed)?;
        }
        connection.close().map_err(|(_, error)| failed(error))?;
        match place.closed() {
            Some(Backing::Scratch(file)) => Pages::behind(file, destination),
            _ => Err(Error::internal("a database stayed open after its end")),
        }
    }
}

/// Where a finished database goes. Its front, which names the roots of what lies behind it, is known last.
pub trait Destination {
    /// Leaves at least `bytes` for last; how many it are, a multiple of the page size. Comes once, before all others.
    fn leave_front(&mut self, bytes: u64) -> Result<u64>;
    /// Errors: `CacheFull`, local I/O.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;
    /// Goes on at the first byte: what was left is filled, exactly if anything lies behind it.
    fn return_to_front(&mut self) -> Result<()>;
}

/// A complete database that is read where it lies.
pub struct Reading {
    connection: Connection,
    _place: Place,
}

impl Reading {
    /// Takes `content` as it is; nobody may change it meanwhile. Errors: the content's own; `Corrupt` for what is no
    /// database.
    pub fn open<T: Read + Seek + Send + 'static>(mut content: T) -> Result<Self> {
        let bytes = content.seek(SeekFrom::End(0))?;
        let place = Place::take(Backing::Content { content: Box::new(content), position: bytes, bytes }, None)?;
        let connection = connect(&place, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.execute_batch(READ).map_err(failed)?;
        // Nothing has been read so far.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)?;
        Ok(Reading { connection, _place: place })
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}

fn connect(place: &Place, flags: OpenFlags) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags_and_vfs(vfs::MAIN, flags, place.name()).map_err(failed)
}

/// SQLite's error as one of ours; where a file failed beneath it on this thread, that file's own error.
pub fn failed(error: rusqlite::Error) -> Error {
    let code = error.sqlite_error_code();
    if let Some(ErrorCode::SystemIoFailure | ErrorCode::DiskFull | ErrorCode::CannotOpen) = code
        && let Some(cause) = vfs::take_failure()
    {
        return cause;
    }
    let kind = match code {
        Some(ErrorCode::DiskFull) => ErrorKind::CacheFull,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => ErrorKind::Corrupt,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, "a database cannot be built or read").caused_by(error)
}

/// Fills `buffer` as far as there are bytes.
fn read_full(content: &mut dyn Read, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match content.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(filled)
}
