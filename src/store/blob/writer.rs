//! Writing a content: chunks are hashed, compressed, sealed and written by several threads, in any order.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::store::blob::format::{self, CHUNK_BYTES, HEADER_BYTES, Place, Table};
use crate::store::blob::{Blob, Digest, Opened, chunk};
use crate::store::budget::Shelving;
use crate::store::locked;
use crate::store::lru::disk_bytes;
use crate::store::seal::{BlobCipher, Piece};
use crate::store::shelf::Shelf;

/// What a writer may do for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Evict what was least recently used; fail with `CacheFull` when that does not help.
    Always,
    /// Evict nothing: where there is no room, go on hashing and keep no file.
    IfRoom,
}

/// Takes a content from its first byte to its last, or its front last. Dropped before `publish`, it leaves nothing behind.
pub struct BlobWriter {
    shared: Arc<Shared>,
    temporary: Option<Arc<Temporary>>,
    /// At most one chunk; grown only as far as needed, since hundreds of writers may be open at once.
    buffer: Vec<u8>,
    /// The index of the buffer's chunk. Only ever one chunk is sealed under an index: it is the nonce.
    next: u64,
    front: Front,
}

/// The chunks that come after all others.
#[derive(Clone, Copy)]
enum Front {
    /// There are none: what is appended is in order.
    None,
    /// So many are left for later.
    Left { chunks: u64 },
    /// They are being written; behind them the content is complete, and ends at `plain_bytes`.
    Returned { chunks: u64, plain_bytes: u64 },
}

impl BlobWriter {
    pub(in crate::store) fn new(shelf: Arc<Shelf>, keep: Keep, shelving: Shelving) -> Result<Self> {
        let salt = shelf.new_salt()?;
        let header = format::header(&salt);
        let progress = Progress { end: HEADER_BYTES as u64, storing: true, ..Progress::default() };
        let shared = Shared {
            cipher: shelf.keys.cipher(&salt, header),
            shelf,
            keep,
            shelving,
            header,
            stopped: AtomicBool::new(false),
            progress: Mutex::new(progress),
            idle: Condvar::new(),
        };
        Ok(BlobWriter { shared: Arc::new(shared), temporary: None, buffer: Vec::new(), next: 0, front: Front::None })
    }

    /// Leaves at least `bytes` for last; how many it are. Comes before everything that is appended, and once.
    pub fn leave_front(&mut self, bytes: u64) -> Result<u64> {
        if !matches!(self.front, Front::None) || self.plain_bytes() > 0 {
            return Err(Error::internal("a content's front was left after its beginning"));
        }
        let chunks = bytes.div_ceil(CHUNK_BYTES as u64);
        if chunks > 0 {
            (self.next, self.front) = (chunks, Front::Left { chunks });
        }
        Ok(chunks * CHUNK_BYTES as u64)
    }

    /// Goes on at the first byte. What was left is to be filled exactly, if anything lies behind it. Errors: as `append`.
    pub fn return_to_front(&mut self) -> Result<()> {
        let Front::Left { chunks } = self.front else { return Err(Error::internal("a content's front was not left")) };
        let plain_bytes = self.plain_bytes();
        if self.buffer.is_empty() {
            self.front = Front::None;
        } else {
            self.submit(Piece::LastChunk(self.next))?;
            self.front = Front::Returned { chunks, plain_bytes };
        }
        self.next = 0;
        Ok(())
    }

    /// Where the next byte goes.
    fn plain_bytes(&self) -> u64 {
        self.next * CHUNK_BYTES as u64 + self.buffer.len() as u64
    }

    /// Appends to the content. Errors: `CacheFull`, also for bytes appended before; local I/O.
    pub fn append(&mut self, mut bytes: &[u8]) -> Result<()> {
        if self.shared.stopped.load(Ordering::Relaxed) {
            self.shared.check()?;
        }
        if let Front::Returned { chunks, .. } = self.front
            && self.plain_bytes() + bytes.len() as u64 > chunks * CHUNK_BYTES as u64
        {
            return Err(Error::internal("a content's front is longer than what was left for it"));
        }
        while !bytes.is_empty() {
            if self.buffer.len() == CHUNK_BYTES {
                self.submit(Piece::Chunk(self.next))?;
                self.next += 1;
            }
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.buffer.len()));
            let needed = self.buffer.len() + now.len();
            if self.buffer.capacity() < needed {
                let capacity = needed.max(2 * self.buffer.capacity()).min(CHUNK_BYTES);
                self.buffer.reserve_exact(capacity - self.buffer.len());
            }
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Waits until every chunk is written, and completes the file; it is not in the store before `Draft::publish`.
    ///
    /// Errors: `CacheFull`, local I/O.
    pub fn finish(mut self) -> Result<Draft> {
        let (last, plain_bytes) = match self.front {
            Front::None => (Piece::LastChunk(self.next), self.plain_bytes()),
            Front::Returned { chunks, plain_bytes } if self.plain_bytes() == chunks * CHUNK_BYTES as u64 => {
                (Piece::Chunk(self.next), plain_bytes)
            }
            _ => return Err(Error::internal("a content's front is not filled")),
        };
        if plain_bytes > 0 {
            self.job(last)?.run();
        }
        let mut progress = self.shared.wait_idle();
        if let Some(error) = &progress.error {
            return Err(error.clone());
        }
        let digest = Digest::from_bytes(self.shared.shelf.keys.content_digest(&progress.digests, plain_bytes));
        let table = Table { plain_bytes, digest, chunks: std::mem::take(&mut progress.places) };
        let (storing, end) = (progress.storing, progress.end);
        drop(progress);
        let mut temporary = self.temporary.take().filter(|_| storing);
        if let Some(file) = &temporary
            && !self.shared.write_ends(file, &table, end)?
        {
            temporary = None;
        }
        // Closed until it is published: a day may have more outputs than a process may open files.
        let kept = temporary.and_then(Arc::into_inner).map(|temporary| temporary.kept);
        Ok(Draft { shared: Arc::clone(&self.shared), kept, table })
    }

    /// Hands the buffer to whoever seals it.
    fn submit(&mut self, piece: Piece) -> Result<()> {
        let job = self.job(piece)?;
        self.buffer = self.shared.shelf.spare_buffer();
        if let Err(task) = self.shared.shelf.pool.offer(Box::new(move || job.run())) {
            task();
        }
        Ok(())
    }

    /// A job for the buffer's bytes; the file comes into being with the first.
    fn job(&mut self, piece: Piece) -> Result<Job> {
        let storing = {
            let mut progress = locked(&self.shared.progress);
            progress.pending += 1;
            progress.storing
        };
        // From here on the job's end, however it comes, is counted.
        let mut job =
            Job { shared: Arc::clone(&self.shared), temporary: None, piece, plain: Vec::new(), outcome: None };
        if !storing {
            self.temporary = None;
        } else if self.temporary.is_none() {
            self.temporary = Some(Arc::new(Temporary::create(&self.shared.shelf, self.shared.shelving)?));
        }
        job.temporary = self.temporary.clone();
        job.plain = std::mem::take(&mut self.buffer);
        Ok(job)
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        drop(self.shared.wait_idle());
    }
}

/// A complete content that is not in the store yet.
pub struct Draft {
    shared: Arc<Shared>,
    /// None where there was no room for it.
    kept: Option<Kept>,
    table: Table,
}

impl Draft {
    pub fn digest(&self) -> Digest {
        self.table.digest
    }

    /// Plain bytes.
    pub fn bytes(&self) -> u64 {
        self.table.plain_bytes
    }

    /// Puts the content into the store, unless the store has it already; None if there was no room to keep it
    /// (`Keep::IfRoom` alone).
    ///
    /// Errors: local I/O.
    pub fn publish(self) -> Result<Option<Blob>> {
        let shelf = &self.shared.shelf;
        if let Some(blob) = shelf.get(&self.table.digest) {
            return Ok(Some(blob));
        }
        let Some(kept) = self.kept else { return Ok(None) };
        let cipher = shelf.keys.cipher(&format::header_salt(&self.shared.header)?, self.shared.header);
        let file = File::open(&kept.path)?;
        let opened = Arc::new(Opened::written(Arc::clone(shelf), file, cipher, self.table));
        shelf.settle(&kept.path, &opened, kept.reserved.load(Ordering::Relaxed), kept.shelving)?;
        kept.settled.store(true, Ordering::Relaxed);
        Ok(Some(Blob::of(opened)))
    }
}

/// A file under the scratch folder, open.
struct Temporary {
    file: File,
    kept: Kept,
}

/// A file under the scratch folder, open or not; removed when dropped, unless it was settled in the store.
struct Kept {
    shelf: Arc<Shelf>,
    path: PathBuf,
    shelving: Shelving,
    /// Bytes of the budget that it holds.
    reserved: AtomicU64,
    settled: AtomicBool,
}

impl Temporary {
    fn create(shelf: &Arc<Shelf>, shelving: Shelving) -> Result<Self> {
        let (path, file) = shelf.create_temporary()?;
        let (reserved, settled) = (AtomicU64::new(0), AtomicBool::new(false));
        Ok(Temporary { file, kept: Kept { shelf: Arc::clone(shelf), path, shelving, reserved, settled } })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !self.settled.load(Ordering::Relaxed) {
            // What cannot be removed now is swept at the next start.
            let _ = std::fs::remove_file(&self.path);
            self.shelf.release(self.reserved.load(Ordering::Relaxed), self.shelving);
        }
    }
}

/// What a writer and its jobs have in common.
struct Shared {
    shelf: Arc<Shelf>,
    keep: Keep,
    shelving: Shelving,
    header: [u8; HEADER_BYTES],
    cipher: BlobCipher<HEADER_BYTES>,
    /// An error occurred, or the writer is gone: what is still queued need not be done.
    stopped: AtomicBool,
    progress: Mutex<Progress>,
    idle: Condvar,
}

#[derive(Default)]
struct Progress {
    /// Jobs begun and not ended.
    pending: usize,
    /// By chunk index, as is `places`.
    digests: Vec<[u8; 32]>,
    places: Vec<Place>,
    /// File bytes given out so far.
    end: u64,
    storing: bool,
    error: Option<Error>,
}

impl Shared {
    fn check(&self) -> Result<()> {
        locked(&self.progress).error.clone().map_or(Ok(()), Err)
    }

    fn wait_idle(&self) -> std::sync::MutexGuard<'_, Progress> {
        let progress = locked(&self.progress);
        self.idle.wait_while(progress, |progress| progress.pending > 0).unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `bytes` at a free place of the file; None when there is no room and none is demanded.
    fn store(&self, temporary: &Temporary, bytes: &[u8]) -> Result<Option<Place>> {
        let (offset, growth) = {
            let mut progress = locked(&self.progress);
            if !progress.storing {
                return Ok(None);
            }
            let offset = progress.end;
            progress.end += bytes.len() as u64;
            let before = if offset == HEADER_BYTES as u64 { 0 } else { disk_bytes(offset) };
            (offset, disk_bytes(progress.end) - before)
        };
        if self.shelf.reserve(growth, self.keep, self.shelving) {
            temporary.kept.reserved.fetch_add(growth, Ordering::Relaxed);
            match temporary.file.write_all_at(bytes, offset) {
                Ok(()) => return Ok(Some(Place { offset, sealed_bytes: bytes.len() as u32 })),
                Err(error) if !is_full(&error) => return Err(error.into()),
                Err(error) if self.keep == Keep::Always => return Err(self.shelf.disk_full(error)),
                Err(_) => {}
            }
        } else if self.keep == Keep::Always {
            return Err(self.shelf.over_limit());
        }
        locked(&self.progress).storing = false;
        Ok(None)
    }

    /// Writes table, trailer and header; false if there was no room.
    fn write_ends(&self, temporary: &Temporary, table: &Table, end: u64) -> Result<bool> {
        let mut bytes = table.encode();
        self.cipher.seal(Piece::Table, &mut bytes)?;
        let table_bytes = bytes.len() as u64;
        bytes.extend_from_slice(&format::trailer(end, table_bytes));
        if self.store(temporary, &bytes)?.is_none() {
            return Ok(false);
        }
        temporary.file.write_all_at(&self.header, 0)?;
        Ok(true)
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// One chunk on its way to the file.
struct Job {
    shared: Arc<Shared>,
    temporary: Option<Arc<Temporary>>,
    piece: Piece,
    plain: Vec<u8>,
    /// None until the work has ended by itself.
    outcome: Option<Result<([u8; 32], Option<Place>)>>,
}

impl Job {
    fn run(mut self) {
        if !self.shared.stopped.load(Ordering::Relaxed) {
            self.outcome = Some(self.work());
        }
    }

    fn work(&self) -> Result<([u8; 32], Option<Place>)> {
        let digest = self.shared.shelf.keys.chunk_digest(&self.plain);
        let Some(temporary) = &self.temporary else { return Ok((digest, None)) };
        let mut sealed = self.shared.shelf.spare_buffer();
        chunk::seal(&self.shared.cipher, self.piece, &self.plain, &mut sealed)?;
        let place = self.shared.store(temporary, &sealed)?;
        self.shared.shelf.recycle(sealed);
        Ok((digest, place))
    }

    fn index(&self) -> usize {
        match self.piece {
            Piece::Chunk(index) | Piece::LastChunk(index) => index as usize,
            Piece::Table => 0,
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // The file first: once nothing is pending, the writer must hold the only handle.
        self.temporary = None;
        self.shared.shelf.recycle(std::mem::take(&mut self.plain));
        let stopped = || Err(Error::internal("a chunk was not sealed, because its writer stopped"));
        let outcome = self.outcome.take().unwrap_or_else(stopped);
        let index = self.index();
        let mut progress = locked(&self.shared.progress);
        match outcome {
            Ok((digest, place)) => {
                let count = progress.digests.len().max(index + 1);
                progress.digests.resize(count, [0; 32]);
                progress.places.resize(count, Place { offset: 0, sealed_bytes: 0 });
                progress.digests[index] = digest;
                if let Some(place) = place {
                    progress.places[index] = place;
                }
            }
            Err(error) => {
                progress.error.get_or_insert(error);
                self.shared.stopped.store(true, Ordering::Relaxed);
            }
        }
        progress.pending -= 1;
        if progress.pending == 0 {
            self.shared.idle.notify_all();
        }
    }
}
