//! The files that SQLite sees.
//!
//! SQLite opens what it puts aside without a name, so only the VFS can say whose it is. Hence a VFS for each database
//! that is open at the same time, taken from a pool: registered once, used again, never unregistered.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::CString;
use std::io::{Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlite_plugin::flags::{AccessFlags, LockLevel, OpenOpts};
use sqlite_plugin::vars;
use sqlite_plugin::vfs::{DEFAULT_DEVICE_CHARACTERISTICS, RegisterOpts, Vfs, VfsHandle, VfsResult, register_static};

use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::{Scratch, ScratchSpace, read_full};

/// The only name that can be opened in a place.
pub const MAIN: &str = "main";

/// Anything that can be read anywhere.
pub trait Seekable: Read + Seek + Send {}

impl<T: Read + Seek + Send> Seekable for T {}

/// What the bytes of a file lie in.
pub enum Backing {
    Scratch(Box<dyn Scratch>),
    Content { content: Box<dyn Seekable>, position: u64, bytes: u64 },
}

impl Backing {
    fn len(&self) -> u64 {
        match self {
            Backing::Scratch(scratch) => scratch.len(),
            Backing::Content { bytes, .. } => *bytes,
        }
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        match self {
            Backing::Scratch(scratch) => scratch.read_at(buffer, offset),
            Backing::Content { content, position, .. } => {
                if *position != offset {
                    content.seek(SeekFrom::Start(offset))?;
                }
                // Unknown until the read has ended well.
                *position = u64::MAX;
                let filled = read_full(content, buffer)?;
                *position = offset + filled as u64;
                Ok(filled)
            }
        }
    }
}

/// What one VFS has to open.
#[derive(Default)]
struct Contents {
    /// The database, while it is not open.
    main: Option<Backing>,
    space: Option<Arc<dyn ScratchSpace>>,
}

type Shared = Arc<Mutex<Contents>>;

/// VFSs that nobody uses, and how many there are in all.
struct Pool {
    free: Vec<(String, Shared)>,
    registered: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { free: Vec::new(), registered: 0 });

/// A VFS of one's own, given back when dropped.
pub struct Place {
    name: String,
    contents: Shared,
}

impl Place {
    /// A place where `main` can be opened once.
    pub fn take(main: Backing, space: Option<Arc<dyn ScratchSpace>>) -> Result<Self> {
        let mut pool = locked(&POOL);
        let (name, contents) = match pool.free.pop() {
            Some(free) => free,
            None => register(&mut pool)?,
        };
        *locked(&contents) = Contents { main: Some(main), space };
        FAILURE.take();
        Ok(Place { name, contents })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The database after its connection has been closed.
    pub fn closed(&self) -> Option<Backing> {
        locked(&self.contents).main.take()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Outside of the lock: to drop a scratch file is I/O.
        drop(std::mem::take(&mut *locked(&self.contents)));
        locked(&POOL).free.push((std::mem::take(&mut self.name), Arc::clone(&self.contents)));
    }
}

fn register(pool: &mut Pool) -> Result<(String, Shared)> {
    let name = format!("edxfs-{}", pool.registered);
    let contents = Shared::default();
    let c_name = CString::new(name.as_str()).expect("a name without NUL");
    register_static(c_name, Files(Arc::clone(&contents)), RegisterOpts { make_default: false })
        .map_err(|code| Error::internal(format!("sqlite takes no files of ours: error {code}")))?;
    pool.registered += 1;
    Ok((name, contents))
}

thread_local! {
    /// SQLite passes on a number alone.
    static FAILURE: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// The last error of a file on this thread, once.
pub fn take_failure() -> Option<Error> {
    FAILURE.take()
}

/// Keeps `error` for `take_failure`; what SQLite is told.
fn told(error: Error, code: i32) -> i32 {
    let full = error.kind() == ErrorKind::CacheFull;
    FAILURE.set(Some(error));
    if full { vars::SQLITE_FULL } else { code }
}

struct Files(Shared);

pub struct Handle {
    backing: Backing,
    is_main: bool,
}

impl VfsHandle for Handle {
    fn readonly(&self) -> bool {
        matches!(self.backing, Backing::Content { .. })
    }

    fn in_memory(&self) -> bool {
        false
    }
}

impl Vfs for Files {
    type Handle = Handle;

    fn canonical_path<'a>(&self, path: Cow<'a, str>) -> VfsResult<Cow<'a, str>> {
        Ok(path)
    }

    fn open(&self, path: Option<&str>, _opts: OpenOpts) -> VfsResult<Handle> {
        let mut contents = locked(&self.0);
        let backing = match path {
            Some(MAIN) => contents.main.take(),
            Some(_) => None,
            None => {
                let space = contents.space.clone();
                drop(contents);
                let created = space.map(|space| space.create()).transpose();
                created.map_err(|error| told(error, vars::SQLITE_CANTOPEN))?.map(Backing::Scratch)
            }
        };
        match backing {
            Some(backing) => Ok(Handle { backing, is_main: path.is_some() }),
            None => Err(told(Error::internal("a database may open no other file"), vars::SQLITE_CANTOPEN)),
        }
    }

    fn delete(&self, _path: &str) -> VfsResult<()> {
        Ok(())
    }

    fn access(&self, _path: &str, _flags: AccessFlags) -> VfsResult<bool> {
        Ok(false)
    }

    fn file_size(&self, handle: &mut Handle) -> VfsResult<usize> {
        usize::try_from(handle.backing.len()).map_err(|_| vars::SQLITE_IOERR_FSTAT)
    }

    fn truncate(&self, handle: &mut Handle, size: usize) -> VfsResult<()> {
        let Backing::Scratch(scratch) = &mut handle.backing else { return Err(vars::SQLITE_READONLY) };
        scratch.truncate(size as u64).map_err(|error| told(error, vars::SQLITE_IOERR_TRUNCATE))
    }

    fn write(&self, handle: &mut Handle, offset: usize, data: &[u8]) -> VfsResult<usize> {
        let Backing::Scratch(scratch) = &mut handle.backing else { return Err(vars::SQLITE_READONLY) };
        scratch.write_at(data, offset as u64).map_err(|error| told(error, vars::SQLITE_IOERR_WRITE))?;
        Ok(data.len())
    }

    fn read(&self, handle: &mut Handle, offset: usize, data: &mut [u8]) -> VfsResult<usize> {
        handle.backing.read_at(data, offset as u64).map_err(|error| told(error, vars::SQLITE_IOERR_READ))
    }

    fn lock(&self, _handle: &mut Handle, _level: LockLevel) -> VfsResult<()> {
        Ok(())
    }

    fn unlock(&self, _handle: &mut Handle, _level: LockLevel) -> VfsResult<()> {
        Ok(())
    }

    fn check_reserved_lock(&self, _handle: &mut Handle) -> VfsResult<bool> {
        Ok(false)
    }

    fn close(&self, handle: Handle) -> VfsResult<()> {
        if handle.is_main {
            locked(&self.0).main = Some(handle.backing);
        }
        Ok(())
    }

    fn device_characteristics(&self, handle: &mut Handle) -> VfsResult<i32> {
        let fixed = if handle.readonly() { vars::SQLITE_IOCAP_IMMUTABLE } else { 0 };
        Ok(DEFAULT_DEVICE_CHARACTERISTICS | vars::SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN | fixed)
    }
}

/// A panic while bookkeeping leaves it usable: every change is one assignment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
