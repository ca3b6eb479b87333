//! A content on disk: chunks, compressed and sealed, found through a sealed table. No bookkeeping.
//!
//! One file per content, its name the hex digits of its digest. All integers are little-endian:
//!
//! ```text
//! offset  bytes
//! 0       8       "edxfsblb"
//! 8       2       version, 1
//! 10      2       0
//! 12      4       plain bytes of a chunk, 262144
//! 16      32      salt, random, different in every file
//! 48      …       the chunks, in any order and without gaps that mean anything: each ciphertext, then a 16-byte tag
//! T       L       the table: ciphertext, then a 16-byte tag
//! T+L     8       T
//! T+L+8   8       L
//! T+L+16  8       "edxfsend"
//!
//! the table opened:
//! 0       8       plain bytes of the content
//! 8       32      its digest
//! 40      12 × n  of chunk 0, 1, …: offset in this file (8), bytes with the tag (4); n = plain bytes / 262144, rounded up
//! ```
//!
//! A chunk is the next 256 KiB of the content (the last may be shorter, never empty), compressed with zstd, or as it is
//! if that is not smaller: then its sealed length is its plain length + 16. Everything is sealed with AES-256-GCM under
//! a key derived from the data key and the salt; nonce: index of the chunk (8 bytes), 4 zero bytes; associated data:
//! the 48 bytes of the header, the index (8), a flag (1: 0 a chunk, 1 the last one, 2 the table). The table's index is
//! 2⁶⁴ − 1. So a chunk cannot be moved, in its file or to another, nor the file be cut behind it, without notice.
//!
//! **Digest**: keyed BLAKE3 over the keyed BLAKE3 hashes of the chunks, in order, and the length in bytes. It stands for
//! the content under one data key, and chunks can be hashed by several threads in any order.
//!
//! Nothing is synced to the disk: after a power cut a file may be damaged, which is detected, and it is made again.
//! An empty content has a digest but no file.

pub(super) mod chunk;
pub(super) mod format;
pub(super) mod pool;
pub(super) mod writer;

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::error::{Error, ErrorKind, Result};
use crate::store::blob::format::{CHUNK_BYTES, HEADER_BYTES, TRAILER_BYTES, Table, damaged};
use crate::store::seal::{BlobCipher, Piece};
use crate::store::shelf::Shelf;

pub use crate::store::blob::writer::{BlobWriter, Draft, Keep};

/// What names a content: equal for equal bytes under one data key, and telling nothing without that key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Digest(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hex digits.
    pub(super) fn to_hex(self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// Reads what `to_hex` wrote, and nothing else.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let digest = Digest(*blake3::Hash::from_hex(text).ok()?.as_bytes());
        (digest.to_hex() == text).then_some(digest)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({}…)", &self.to_hex()[..12])
    }
}

/// An open, complete, verified content: stays readable after eviction. Cheap to clone.
#[derive(Clone)]
pub struct Blob(Option<Arc<Opened>>);

impl Blob {
    /// No bytes, no file.
    pub fn empty() -> Self {
        Blob(None)
    }

    pub(super) fn of(opened: Arc<Opened>) -> Self {
        Blob(Some(opened))
    }

    /// Plain bytes.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        self.0.as_ref().map_or(0, |opened| opened.table.plain_bytes)
    }

    /// Fills `buffer` from `offset` as far as the content reaches; bytes read.
    ///
    /// Errors: `Corrupt` where the file on disk is damaged; the store has then dropped it.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let Some(opened) = &self.0 else { return Ok(0) };
        let wanted = self.len().saturating_sub(offset).min(buffer.len() as u64) as usize;
        let mut filled = 0;
        while filled < wanted {
            let position = offset + filled as u64;
            let chunk = opened.chunk(position / CHUNK_BYTES as u64)?;
            let rest = &chunk[(position % CHUNK_BYTES as u64) as usize..];
            let bytes = rest.len().min(wanted - filled);
            buffer[filled..filled + bytes].copy_from_slice(&rest[..bytes]);
            filled += bytes;
        }
        Ok(filled)
    }

    /// The content from its beginning. A read error is an `Error` inside the `io::Error`.
    pub fn reader(&self) -> BlobReader {
        BlobReader { blob: self.clone(), position: 0 }
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.len())
    }
}

/// Reads a blob in order.
pub struct BlobReader {
    blob: Blob,
    position: u64,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.blob.read_at(buffer, self.position)?;
        self.position += bytes as u64;
        Ok(bytes)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.blob.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// A blob file held open, its table read.
pub(super) struct Opened {
    shelf: Arc<Shelf>,
    file: File,
    cipher: BlobCipher<HEADER_BYTES>,
    table: Table,
    /// Seconds since 1970 of the file's modification time, which stands for its last use.
    used: AtomicU64,
}

/// A modification time younger than this is not renewed.
const TOUCH_SECONDS: u64 = 60;

impl Opened {
    /// Reads header and table, and checks every chunk's seal, so that damage is found while the content can still be
    /// made again and not under a reader. Sealed bytes are few: nothing is decompressed for it.
    ///
    /// Errors: `Corrupt` also for a file of another content.
    pub fn read(shelf: Arc<Shelf>, file: File, expected: &Digest) -> Result<Self> {
        let metadata = file.metadata()?;
        let file_bytes = metadata.len();
        let trailer_offset = file_bytes.checked_sub(TRAILER_BYTES as u64).ok_or_else(damaged)?;
        let header = read_array(&file, 0)?;
        let salt = format::header_salt(&header)?;
        let (table_offset, table_bytes) = format::table_place(&read_array(&file, trailer_offset)?, file_bytes)?;
        let cipher = shelf.keys.cipher(&salt, header);
        let mut sealed = vec![0; table_bytes as usize];
        file.read_exact_at(&mut sealed, table_offset).map_err(read_error)?;
        let table = Table::decode(cipher.open(Piece::Table, &mut sealed)?, table_offset)?;
        if table.digest != *expected {
            return Err(damaged());
        }
        let used = metadata.modified().map_or(0, seconds);
        let opened = Opened { shelf, file, cipher, table, used: AtomicU64::new(used) };
        (0..opened.table.chunks.len() as u64).try_for_each(|index| {
            let (piece, mut sealed) = opened.sealed_chunk(index)?;
            opened.cipher.open(piece, &mut sealed).map(drop)
        })?;
        Ok(opened)
    }

    /// A file that was just written.
    pub fn written(shelf: Arc<Shelf>, file: File, cipher: BlobCipher<HEADER_BYTES>, table: Table) -> Self {
        Opened { shelf, file, cipher, table, used: AtomicU64::new(seconds(SystemTime::now())) }
    }

    pub fn digest(&self) -> &Digest {
        &self.table.digest
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Notes a use for the order of eviction after a restart; at most once a minute, as it writes to the disk.
    pub fn touch(&self) {
        let now = seconds(SystemTime::now());
        let before = self.used.load(Ordering::Relaxed);
        // A clock that was ahead has been put right: the old time would outlast every other.
        if now.abs_diff(before) >= TOUCH_SECONDS
            && self.used.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            // An evicted or read-only file merely keeps its old time.
            let _ = self.file.set_modified(SystemTime::now());
        }
    }

    fn chunk(&self, index: u64) -> Result<Arc<Vec<u8>>> {
        let key = (self.table.digest, index);
        if let Some(chunk) = self.shelf.chunks.find(&key) {
            return Ok(chunk);
        }
        match self.decode(index) {
            Ok(plain) => {
                let chunk = Arc::new(plain);
                self.shelf.chunks.add(key, Arc::clone(&chunk));
                Ok(chunk)
            }
            Err(error) => {
                if error.kind() == ErrorKind::Corrupt {
                    self.shelf.drop_damaged(self);
                }
                Err(error)
            }
        }
    }

    fn decode(&self, index: u64) -> Result<Vec<u8>> {
        let (piece, mut sealed) = self.sealed_chunk(index)?;
        chunk::open(&self.cipher, piece, &mut sealed, self.table.chunk_bytes(index))
    }

    fn sealed_chunk(&self, index: u64) -> Result<(Piece, Vec<u8>)> {
        let place = usize::try_from(index).ok().and_then(|index| self.table.chunks.get(index)).ok_or_else(damaged)?;
        let mut sealed = vec![0; place.sealed_bytes as usize];
        self.file.read_exact_at(&mut sealed, place.offset).map_err(read_error)?;
        let piece =
            if index + 1 == self.table.chunks.len() as u64 { Piece::LastChunk(index) } else { Piece::Chunk(index) };
        Ok((piece, sealed))
    }
}

/// A bad sector damages a file just as a flipped bit does: it is to be made again.
fn read_error(error: io::Error) -> Error {
    if error.raw_os_error() == Some(libc::EIO) { damaged().caused_by(error) } else { error.into() }
}

fn read_array<const N: usize>(file: &File, offset: u64) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, offset).map_err(read_error)?;
    Ok(bytes)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
