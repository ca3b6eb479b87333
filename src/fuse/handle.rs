//! File handle → what it reads: a content or a listing, fixed when it was opened.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::error::Result;
use crate::store::blob::Blob;
use crate::volume::Listed;

/// The bytes of an open file.
#[derive(Clone)]
pub enum Content {
    Blob(Blob),
    Text(Arc<str>),
}

impl Content {
    pub fn len(&self) -> u64 {
        match self {
            Content::Blob(blob) => blob.len(),
            Content::Text(text) => text.len() as u64,
        }
    }

    /// Fills `buffer` from `offset`, which must not lie behind the end, as far as the content reaches; bytes read.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        match self {
            Content::Blob(blob) => blob.read_at(buffer, offset),
            Content::Text(text) => {
                let rest = text.as_bytes().get(offset as usize..).unwrap_or_default();
                let bytes = rest.len().min(buffer.len());
                buffer[..bytes].copy_from_slice(&rest[..bytes]);
                Ok(bytes)
            }
        }
    }
}

/// A directory as it was when it was opened.
pub struct Listing {
    pub path: Box<str>,
    pub entries: Arc<Vec<Listed>>,
    /// Numbers of `.` and `..`.
    pub own: u64,
    pub parent: u64,
}

/// What stands behind a handle.
pub enum Handle {
    File { ino: u64, content: Content },
    Directory(Listing),
}

/// Every handle that the kernel holds.
#[derive(Default)]
pub struct OpenHandles {
    open: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    handles: HashMap<u64, Arc<Handle>>,
}

impl OpenHandles {
    /// Numbers are never used twice.
    pub fn insert(&self, handle: Handle) -> u64 {
        let mut table = self.write();
        table.next += 1;
        let number = table.next;
        table.handles.insert(number, Arc::new(handle));
        number
    }

    pub fn get(&self, number: u64) -> Option<Arc<Handle>> {
        self.read().handles.get(&number).cloned()
    }

    pub fn remove(&self, number: u64) -> Option<Arc<Handle>> {
        self.write().handles.remove(&number)
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.open.write().unwrap_or_else(PoisonError::into_inner)
    }
}
