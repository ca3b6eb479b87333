//! The cache folder's blobs: which are there, how much room they take, which of them are open.
//!
//! A lock guards bookkeeping alone and is never held while a file is touched. So a name and its entry may differ for a
//! moment: an entry without a file is found out at the next `get`, and counts too much rather than too little.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::SystemTime;

use crate::error::{Error, ErrorKind, Result};
use crate::store::blob::pool::Pool;
use crate::store::blob::{Blob, Digest, Keep, Opened};
use crate::store::budget::{Budget, Evicted, Shelving};
use crate::store::locked;
use crate::store::lru::{Lru, disk_bytes};
use crate::store::seal::{BlobKeys, SALT_BYTES, random_bytes};

/// The folders carry the version of the blob format, so that another version's files are never even opened.
pub(super) const BLOBS: &str = "blobs-v1";
pub(super) const LASTING: &str = "lasting-v1";
pub(super) const SCRATCH: &str = "tmp";
/// Decoded chunks kept for readers.
const DECODED_BYTES: u64 = 32 << 20;

/// Where the salts of new blobs come from.
#[derive(Clone, Copy)]
pub(super) enum Salt {
    Random,
    /// For the test of the format alone: the same for every blob.
    Fixed([u8; SALT_BYTES]),
}

pub(super) struct Shelf {
    folder: PathBuf,
    blobs: PathBuf,
    lasting: PathBuf,
    scratch: PathBuf,
    salt: Salt,
    /// Begins the name of every temporary file of this run; others are leftovers.
    run: String,
    temporaries: AtomicU64,
    state: Mutex<State>,
    scanned: Condvar,
    /// Buffers of chunk size that have been used before: fresh ones cost page faults.
    spare: Mutex<Vec<Vec<u8>>>,
    empty: Digest,
    pub keys: BlobKeys,
    pub chunks: ChunkCache,
    pub pool: Pool,
}

struct State {
    budget: Budget,
    /// Whether the files of earlier runs are all in the budget.
    scanned: bool,
}

impl Shelf {
    pub fn open(folder: &Path, keys: BlobKeys, limit: u64, salt: Salt) -> Result<Arc<Self>> {
        let threads = match salt {
            Salt::Random => thread::available_parallelism().map_or(2, usize::from),
            Salt::Fixed(_) => 0,
        };
        let shelf = Arc::new(Shelf {
            blobs: folder.join(BLOBS),
            lasting: folder.join(LASTING),
            scratch: folder.join(SCRATCH),
            folder: folder.to_owned(),
            salt,
            run: format!("{:016x}-", u64::from_le_bytes(random_bytes()?)),
            temporaries: AtomicU64::new(0),
            state: Mutex::new(State { budget: Budget::new(limit), scanned: false }),
            scanned: Condvar::new(),
            spare: Mutex::new(Vec::new()),
            empty: Digest::from_bytes(keys.content_digest(&[], 0)),
            keys,
            chunks: ChunkCache(Mutex::new(Lru::default())),
            pool: Pool::new(threads),
        });
        for path in [&shelf.blobs, &shelf.lasting, &shelf.scratch] {
            create_folder(path).map_err(|error| Error::from(error).about(path.display()))?;
        }
        let scanning = Arc::clone(&shelf);
        if thread::Builder::new().name("scan".into()).spawn(move || scanning.scan()).is_err() {
            shelf.scan();
        }
        Ok(shelf)
    }

    pub fn get(self: &Arc<Self>, digest: &Digest) -> Option<Blob> {
        if *digest == self.empty {
            return Some(Blob::empty());
        }
        let opened = locked(&self.state).budget.touch(digest).and_then(Weak::upgrade);
        let opened = match opened {
            Some(opened) => opened,
            None => Shelving::ALL.iter().find_map(|shelving| self.open_file(digest, *shelving))?,
        };
        opened.touch();
        Some(Blob::of(opened))
    }

    fn open_file(self: &Arc<Self>, digest: &Digest, shelving: Shelving) -> Option<Arc<Opened>> {
        let path = self.path(digest, shelving);
        let read = File::open(&path).map_err(Error::from).and_then(|file| {
            let bytes = disk_bytes(file.metadata()?.len());
            Ok((Arc::new(Opened::read(Arc::clone(self), file, digest)?), bytes))
        });
        match read {
            Ok((opened, bytes)) => {
                locked(&self.state).budget.insert(*digest, Arc::downgrade(&opened), bytes, shelving);
                Some(opened)
            }
            Err(error) => {
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) {
                    locked(&self.state).budget.remove(digest, shelving);
                }
                if error.kind() == ErrorKind::Corrupt {
                    tracing::warn!("a damaged file of the cache was dropped; it will be made again");
                    remove(&path);
                }
                None
            }
        }
    }

    /// Whether `get` would probably find it. Touches the disk only as long as the folder is not known.
    pub fn contains(&self, digest: &Digest) -> bool {
        let (known, scanned) = {
            let state = locked(&self.state);
            (state.budget.peek(digest).is_some(), state.scanned)
        };
        known
            || *digest == self.empty
            || (!scanned && Shelving::ALL.iter().any(|shelving| self.path(digest, *shelving).exists()))
    }

    /// Whether somebody has it open, so that `get` reads nothing.
    pub fn is_open(&self, digest: &Digest) -> bool {
        let state = locked(&self.state);
        *digest == self.empty || state.budget.peek(digest).is_some_and(|blob| blob.strong_count() > 0)
    }

    /// Forgets a blob whose file turned out to be damaged; a newer file of the same name stays.
    pub fn drop_damaged(&self, opened: &Opened) {
        for shelving in Shelving::ALL {
            self.drop_damaged_in(opened, shelving);
        }
    }

    fn drop_damaged_in(&self, opened: &Opened, shelving: Shelving) {
        let path = self.path(opened.digest(), shelving);
        let same = match (opened.file().metadata(), fs::metadata(&path)) {
            (Ok(ours), Ok(named)) => (ours.dev(), ours.ino()) == (named.dev(), named.ino()),
            _ => false,
        };
        if same {
            tracing::warn!("a damaged file of the cache was dropped; it will be made again");
            locked(&self.state).budget.remove(opened.digest(), shelving);
            remove(&path);
        }
    }

    /// Adds `bytes` to what is used, if they fit or can be made to fit.
    pub fn reserve(&self, bytes: u64, keep: Keep, shelving: Shelving) -> bool {
        let reserved = locked(&self.state).budget.reserve(bytes, keep, shelving);
        reserved.map(|evicted| self.remove_evicted(&evicted)).is_some()
    }

    pub fn release(&self, bytes: u64, shelving: Shelving) {
        locked(&self.state).budget.release(bytes, shelving);
    }

    /// Moves a complete temporary file to its name; its reserved bytes are the blob's from then on.
    pub fn settle(&self, temporary: &Path, opened: &Arc<Opened>, reserved: u64, shelving: Shelving) -> Result<()> {
        let path = self.path(opened.digest(), shelving);
        let renamed = match fs::rename(temporary, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Not the cache folder itself: whoever has removed it, once the mount had ended, wants it gone.
                create_one(self.folder_of(shelving))
                    .and_then(|()| create_one(path.parent().expect("a blob lies in a folder")))
                    .and_then(|()| fs::rename(temporary, &path))
            }
            other => other,
        };
        renamed.map_err(|error| Error::from(error).about(self.folder.display()))?;
        let budget = &mut locked(&self.state).budget;
        budget.release(reserved, shelving);
        budget.insert(*opened.digest(), Arc::downgrade(opened), reserved, shelving);
        Ok(())
    }

    pub fn create_temporary(&self) -> Result<(PathBuf, File)> {
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        let path = self.scratch.join(format!("{}{number}", self.run));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        match options.open(&path) {
            Ok(file) => Ok((path, file)),
            Err(error) => Err(Error::from(error).about(self.scratch.display())),
        }
    }

    pub fn new_salt(&self) -> Result<[u8; SALT_BYTES]> {
        match self.salt {
            Salt::Random => random_bytes(),
            Salt::Fixed(salt) => Ok(salt),
        }
    }

    pub fn used_bytes(&self) -> u64 {
        locked(&self.state).budget.used()
    }

    pub fn limit_bytes(&self) -> u64 {
        locked(&self.state).budget.limit()
    }

    pub fn has_room(&self, bytes: u64) -> bool {
        let state = locked(&self.state);
        state.scanned && state.budget.has_room(disk_bytes(bytes), Shelving::Ordinary)
    }

    /// Waits until the files of earlier runs are counted: before that, nobody can say what room there is.
    pub fn wait_scanned(&self) {
        let state = locked(&self.state);
        drop(self.scanned.wait_while(state, |state| !state.scanned).unwrap_or_else(PoisonError::into_inner));
    }

    pub fn over_limit(&self) -> Error {
        let message = format!("the file does not fit into the cache of {} bytes", self.limit_bytes());
        Error::new(ErrorKind::CacheFull, message).advise("give it more with --cache-size").about(self.folder.display())
    }

    pub fn disk_full(&self, error: io::Error) -> Error {
        Error::new(ErrorKind::CacheFull, "the disk of the cache is full")
            .advise("free some of it, or move the cache with --cache-dir and limit it with --cache-size")
            .caused_by(error)
            .about(self.folder.display())
    }

    pub fn spare_buffer(&self) -> Vec<u8> {
        locked(&self.spare).pop().unwrap_or_default()
    }

    pub fn recycle(&self, mut buffer: Vec<u8>) {
        const SPARE_BUFFERS: usize = 16;
        let mut spare = locked(&self.spare);
        if buffer.capacity() > 0 && spare.len() < SPARE_BUFFERS {
            buffer.clear();
            spare.push(buffer);
        }
    }

    fn folder_of(&self, shelving: Shelving) -> &Path {
        match shelving {
            Shelving::Ordinary => &self.blobs,
            Shelving::Lasting => &self.lasting,
        }
    }

    fn path(&self, digest: &Digest, shelving: Shelving) -> PathBuf {
        let name = digest.to_hex();
        self.folder_of(shelving).join(&name[..2]).join(name)
    }

    fn remove_evicted(&self, evicted: &[Evicted]) {
        for (shelving, digest) in evicted {
            remove(&self.path(digest, *shelving));
        }
    }

    /// Sweeps what crashed runs left, takes in the blobs of earlier runs, and evicts down to the limit.
    fn scan(&self) {
        for (path, _) in entries(&self.scratch) {
            if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&self.run)) {
                remove(&path);
            }
        }
        for shelving in Shelving::ALL {
            let found = blobs_in(self.folder_of(shelving));
            let budget = &mut locked(&self.state).budget;
            for (_, digest, bytes) in found.into_iter().rev() {
                budget.insert_oldest(digest, bytes, shelving);
            }
        }
        let evicted = locked(&self.state).budget.evict();
        self.remove_evicted(&evicted);
        locked(&self.state).scanned = true;
        self.scanned.notify_all();
    }
}

/// Decoded chunks, most recently used first; content-addressed, so they stay right whatever happens to files.
pub(super) struct ChunkCache(Mutex<Lru<ChunkKey, Arc<Vec<u8>>>>);

type ChunkKey = (Digest, u64);

impl ChunkCache {
    pub fn find(&self, key: &ChunkKey) -> Option<Arc<Vec<u8>>> {
        locked(&self.0).touch(key).cloned()
    }

    pub fn add(&self, key: ChunkKey, chunk: Arc<Vec<u8>>) {
        /// Of an entry besides its bytes, so that very many tiny ones count as well.
        const ENTRY_BYTES: u64 = 256;
        let bytes = chunk.len() as u64 + ENTRY_BYTES;
        let mut chunks = locked(&self.0);
        chunks.insert(key, chunk, bytes);
        let evicted = chunks.shrink(DECODED_BYTES, |_| true);
        drop(chunks);
        drop(evicted);
    }
}

/// The blob files below a folder: last use, digest, disk bytes; the oldest first.
fn blobs_in(folder: &Path) -> Vec<(SystemTime, Digest, u64)> {
    let files = entries(folder).flat_map(|(fan_out, _)| entries(&fan_out));
    let blob = |(path, metadata): (PathBuf, fs::Metadata)| {
        let digest = Digest::from_hex(path.file_name()?.to_str()?)?;
        Some((metadata.modified().ok()?, digest, disk_bytes(metadata.len())))
    };
    let mut found: Vec<_> = files.filter_map(blob).collect();
    found.sort_unstable();
    found
}

/// Entries of a folder that can be read, in no order.
fn entries(folder: &Path) -> impl Iterator<Item = (PathBuf, fs::Metadata)> + use<> {
    let listing = fs::read_dir(folder).into_iter().flatten();
    listing.filter_map(|entry| {
        let entry = entry.ok()?;
        Some((entry.path(), entry.metadata().ok()?))
    })
}

fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Errors: also where there is no folder to make it in.
fn create_one(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

/// Nobody can be told, and what stays is found by the next scan.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}
