//! Bytes put aside while something is made: written and read anywhere, sealed on the disk, gone when dropped.
//!
//! A file without a name in the folder of temporary files. Page `n` of its plain bytes (4096, zeros behind the end) lies
//! in slot `n`, at `n` × 4120:
//!
//! ```text
//! offset  bytes
//! 0       8       number of the write, which is the nonce: 1, 2, … through the life of the file
//! 8       4096    ciphertext; associated data: `n`
//! 4104    16      tag
//! ```
//!
//! The key is random and only in memory, as is the knowledge which pages were written; the others are zeros. Slots that
//! follow each other are written and read together.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::store::blob::Keep;
use crate::store::budget::Shelving;
use crate::store::lru::disk_bytes;
use crate::store::seal::{PAGE_SEAL_BYTES, ScratchCipher};
use crate::store::shelf::Shelf;

const PAGE: usize = 4096;
const SLOT: usize = PAGE + PAGE_SEAL_BYTES;
/// Pages that are sealed and written, or read and opened, in one go.
const WINDOW: usize = 64;

/// One scratch file; its disk bytes count as used until it is dropped.
pub struct ScratchFile {
    shelf: Arc<Shelf>,
    file: File,
    cipher: ScratchCipher,
    bytes: u64,
    /// Disk bytes that count as used.
    reserved: u64,
    /// Pages whose slot holds something.
    sealed: PageSet,
    /// Written and not yet in the file.
    fresh: Window,
    /// As read from the file.
    seen: Window,
    slots: Vec<u8>,
}

impl ScratchFile {
    pub(super) fn create(shelf: Arc<Shelf>) -> Result<Self> {
        let (path, file) = shelf.create_temporary()?;
        fs::remove_file(&path)?;
        Ok(ScratchFile {
            shelf,
            file,
            cipher: ScratchCipher::random()?,
            bytes: 0,
            reserved: 0,
            sealed: PageSet::default(),
            fresh: Window::default(),
            seen: Window::default(),
            slots: Vec::new(),
        })
    }

    /// Plain bytes.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Fills `buffer` from `offset` as far as there are bytes; bytes read. Errors: `Corrupt`, local I/O.
    pub fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let wanted = self.bytes.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let mut filled = 0;
        while filled < wanted {
            let (page, within) = place(offset + filled as u64);
            let rest = &mut buffer[filled..wanted];
            let pages = (within + rest.len()).div_ceil(PAGE);
            let bytes = rest.len().min(PAGE - within);
            match self.page(page, pages)? {
                Some(plain) => rest[..bytes].copy_from_slice(&plain[within..within + bytes]),
                None => rest[..bytes].fill(0),
            }
            filled += bytes;
        }
        Ok(filled)
    }

    /// Makes the file longer where needed; what nobody wrote is zeros. Errors: `CacheFull`, `Corrupt`, local I/O.
    pub fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut rest = bytes;
        let mut position = offset;
        while !rest.is_empty() {
            let (page, within) = place(position);
            let (now, later) = rest.split_at(rest.len().min(PAGE - within));
            self.writable(page, now.len())?[within..within + now.len()].copy_from_slice(now);
            rest = later;
            position += now.len() as u64;
            self.bytes = self.bytes.max(position);
        }
        Ok(())
    }

    /// Cuts the file, and gives back its room. Errors: `CacheFull`, `Corrupt`, local I/O.
    pub fn truncate(&mut self, bytes: u64) -> Result<()> {
        if bytes >= self.bytes {
            return Ok(());
        }
        let (last, within) = place(bytes);
        if within > 0 && self.page(last, 1)?.is_some() {
            self.writable(last, 0)?[within..].fill(0);
        }
        let pages = bytes.div_ceil(PAGE as u64);
        self.fresh.cut(pages);
        self.seen.cut(pages);
        self.sealed.cut(pages);
        self.bytes = bytes;
        let end = pages * SLOT as u64;
        if disk_bytes(end) < self.reserved {
            self.file.set_len(end.min(self.file.metadata()?.len()))?;
            self.shelf.release(self.reserved - disk_bytes(end), Shelving::Ordinary);
            self.reserved = disk_bytes(end);
        }
        Ok(())
    }

    /// A page's plain bytes, None for zeros; `wanted` pages from it on are about to be read.
    fn page(&mut self, page: u64, wanted: usize) -> Result<Option<&[u8]>> {
        if !self.fresh.holds(page) && !self.seen.holds(page) {
            if !self.sealed.contains(page) {
                return Ok(None);
            }
            self.load(page, wanted)?;
        }
        Ok(self.fresh.get(page).or_else(|| self.seen.get(page)))
    }

    /// Reads slots from `page` on: as many as wanted, and more the longer pages have been read in order.
    fn load(&mut self, page: u64, wanted: usize) -> Result<()> {
        let ahead = if self.seen.end() == page { 2 * self.seen.pages() } else { 0 };
        let most = page.saturating_add(wanted.max(ahead).clamp(1, WINDOW) as u64);
        let readable = |other: &u64| self.sealed.contains(*other) && !self.fresh.holds(*other);
        let count = (page..most).take_while(readable).count();
        self.slots.resize(count * SLOT, 0);
        self.file.read_exact_at(&mut self.slots, page * SLOT as u64).map_err(read_error)?;
        self.seen.begin(page);
        for (page, slot) in (page..).zip(self.slots.chunks_exact_mut(SLOT)) {
            match self.cipher.open(page, slot) {
                Ok(plain) => self.seen.plain.extend_from_slice(plain),
                Err(error) => {
                    self.seen.plain.clear();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// The page among the fresh ones, of which the caller replaces `bytes`.
    fn writable(&mut self, page: u64, bytes: usize) -> Result<&mut [u8]> {
        if !self.fresh.holds(page) {
            let mut before = [0; PAGE];
            if bytes < PAGE
                && let Some(plain) = self.page(page, 1)?
            {
                before.copy_from_slice(plain);
            }
            if self.seen.holds(page) {
                self.seen.plain.clear();
            }
            if self.fresh.pages() == WINDOW || self.fresh.end() != page {
                self.flush()?;
                self.fresh.begin(page);
            }
            self.fresh.plain.extend_from_slice(&before);
        }
        self.fresh.get_mut(page).ok_or_else(|| Error::internal("a page to write is not there"))
    }

    fn flush(&mut self) -> Result<()> {
        if self.fresh.plain.is_empty() {
            return Ok(());
        }
        self.reserve(self.fresh.end() * SLOT as u64)?;
        self.slots.clear();
        for (page, plain) in (self.fresh.first..).zip(self.fresh.plain.chunks_exact(PAGE)) {
            self.cipher.seal(page, plain, &mut self.slots)?;
        }
        self.file.write_all_at(&self.slots, self.fresh.first * SLOT as u64).map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => self.shelf.disk_full(error),
            _ => error.into(),
        })?;
        self.sealed.insert(self.fresh.first, self.fresh.end());
        self.fresh.plain.clear();
        Ok(())
    }

    fn reserve(&mut self, end: u64) -> Result<()> {
        let growth = disk_bytes(end).saturating_sub(self.reserved);
        if growth > 0 {
            if !self.shelf.reserve(growth, Keep::Always, Shelving::Ordinary) {
                return Err(self.shelf.over_limit());
            }
            self.reserved += growth;
        }
        Ok(())
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        self.shelf.release(self.reserved, Shelving::Ordinary);
    }
}

/// The page of a plain byte, and where in it.
fn place(offset: u64) -> (u64, usize) {
    (offset / PAGE as u64, (offset % PAGE as u64) as usize)
}

/// A bad sector damages a file just as a flipped bit does.
fn read_error(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EIO) => Error::corrupt("a scratch file of the cache is damaged").caused_by(error),
        _ => error.into(),
    }
}

/// Pages that follow each other, in plain.
#[derive(Default)]
struct Window {
    first: u64,
    plain: Vec<u8>,
}

impl Window {
    fn pages(&self) -> usize {
        self.plain.len() / PAGE
    }

    fn end(&self) -> u64 {
        self.first + self.pages() as u64
    }

    fn begin(&mut self, page: u64) {
        self.first = page;
        self.plain.clear();
    }

    fn holds(&self, page: u64) -> bool {
        (self.first..self.end()).contains(&page)
    }

    fn get(&self, page: u64) -> Option<&[u8]> {
        let at = usize::try_from(page.checked_sub(self.first)?).ok()?.checked_mul(PAGE)?;
        self.plain.get(at..at + PAGE)
    }

    fn get_mut(&mut self, page: u64) -> Option<&mut [u8]> {
        let at = usize::try_from(page.checked_sub(self.first)?).ok()?.checked_mul(PAGE)?;
        self.plain.get_mut(at..at + PAGE)
    }

    /// Keeps what lies before page `end`.
    fn cut(&mut self, end: u64) {
        let pages = end.saturating_sub(self.first).min(self.pages() as u64) as usize;
        self.plain.truncate(pages * PAGE);
    }
}

/// A bit for each page.
#[derive(Default)]
struct PageSet(Vec<u64>);

impl PageSet {
    fn contains(&self, page: u64) -> bool {
        let word = usize::try_from(page / 64).ok().and_then(|word| self.0.get(word));
        word.is_some_and(|word| word >> (page % 64) & 1 == 1)
    }

    fn insert(&mut self, first: u64, end: u64) {
        let words = end.div_ceil(64) as usize;
        self.0.resize(words.max(self.0.len()), 0);
        for page in first..end {
            self.0[(page / 64) as usize] |= 1 << (page % 64);
        }
    }

    /// Keeps pages before `end`.
    fn cut(&mut self, end: u64) {
        self.0.truncate(end.div_ceil(64) as usize);
        if !end.is_multiple_of(64)
            && let Some(word) = self.0.get_mut((end / 64) as usize)
        {
            *word &= (1 << (end % 64)) - 1;
        }
    }
}

#[cfg(test)]
mod tests;
