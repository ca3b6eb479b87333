//! Byte ranges of an archive that lies elsewhere, and a seekable window over them that asks for few.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use crate::error::{Error, Result};

/// An archive that is read by byte ranges, each of which is one request to its source.
pub trait Ranged {
    /// Length of the whole archive.
    fn bytes(&self) -> u64;

    /// The bytes of `range`, which lies within the archive and is not empty. A reader that ends early is an error of
    /// whoever reads it.
    fn read(&self, range: Range<u64>) -> Result<Box<dyn Read + Send>>;
}

/// Where a window that misses fetches.
pub enum Fetch {
    /// What lies between the wanted byte and the window, so often and so much at most: for a directory at the tail.
    Downwards { times: usize, limit: u64 },
    /// A block from the wanted byte on, replacing the window: for headers far apart.
    Block { bytes: u64 },
}

/// One contiguous piece of the archive in memory, seekable as if it were the whole.
pub struct Window<'a> {
    archive: &'a dyn Ranged,
    fetch: Fetch,
    start: u64,
    piece: Vec<u8>,
    position: u64,
}

impl<'a> Window<'a> {
    /// Begins with the last `tail_bytes` of the archive (0: with nothing).
    pub fn new(archive: &'a dyn Ranged, tail_bytes: u64, fetch: Fetch) -> Result<Self> {
        let start = archive.bytes().saturating_sub(tail_bytes);
        let piece = fetched(archive, start..archive.bytes())?;
        Ok(Window { archive, fetch, start, piece, position: 0 })
    }

    fn has(&self, position: u64) -> bool {
        position >= self.start && position - self.start < self.piece.len() as u64
    }

    /// Makes the window cover `self.position`, which lies within the archive.
    fn load(&mut self) -> Result<()> {
        match &mut self.fetch {
            Fetch::Block { bytes } => {
                let end = self.archive.bytes().min(self.position.saturating_add(*bytes));
                self.piece = fetched(self.archive, self.position..end)?;
                self.start = self.position;
            }
            Fetch::Downwards { times, limit } => {
                let start = self.position;
                // Nothing above the window is missing: it reaches to the archive's end.
                if *times == 0 || self.start - start > *limit {
                    return Err(Error::corrupt("its directory is not where its end says"));
                }
                *times -= 1;
                let mut piece = fetched(self.archive, start..self.start)?;
                piece.append(&mut self.piece);
                self.piece = piece;
                self.start = start;
            }
        }
        Ok(())
    }
}

/// Reads exactly `range`.
fn fetched(archive: &dyn Ranged, range: Range<u64>) -> Result<Vec<u8>> {
    let bytes = range.end - range.start;
    if bytes == 0 {
        return Ok(Vec::new());
    }
    let mut piece =
        Vec::with_capacity(usize::try_from(bytes).map_err(|_| Error::corrupt("its directory is too large"))?);
    archive.read(range)?.take(bytes).read_to_end(&mut piece)?;
    if piece.len() as u64 != bytes {
        return Err(Error::corrupt("is shorter than its listed size"));
    }
    Ok(piece)
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.archive.bytes() || buffer.is_empty() {
            return Ok(0);
        }
        if !self.has(self.position) {
            self.load()?;
        }
        let from = usize::try_from(self.position - self.start).expect("an offset into a piece that is in memory");
        let piece = &self.piece[from..];
        let bytes = piece.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&piece[..bytes]);
        self.position += bytes as u64;
        Ok(bytes)
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.archive.bytes().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or_else(|| Error::corrupt("an offset in it lies outside of it"))?;
        Ok(self.position)
    }
}
