//! Scratch space out of the store, for recipes; and whose fault it is when the cache's files are damaged under a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::{Scratch, ScratchSpace};
use crate::store::Store;
use crate::store::scratch::ScratchFile;

/// Scratch files of one store.
pub struct Space {
    pub store: Store,
    /// Grows with every byte that is read or written.
    pub moved: Arc<AtomicU64>,
}

impl ScratchSpace for Space {
    fn create(&self) -> Result<Box<dyn Scratch>> {
        Ok(Box::new(Moving { file: self.store.scratch()?, moved: self.moved.clone() }))
    }
}

struct Moving {
    file: ScratchFile,
    moved: Arc<AtomicU64>,
}

impl Scratch for Moving {
    fn len(&self) -> u64 {
        self.file.len()
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let bytes = self.file.read_at(buffer, offset).map_err(of_cache)?;
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        self.moved.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file.write_at(bytes, offset).map_err(of_cache)
    }

    fn truncate(&mut self, bytes: u64) -> Result<()> {
        self.file.truncate(bytes).map_err(of_cache)
    }
}

/// What is damaged on our own disk says nothing of a run's inputs, which may leave out an input that is corrupt. The run
/// fails, and the next one reads sound bytes.
pub(super) fn of_cache(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Corrupt => {
            let whole = Error::internal("a file of the cache was damaged while it was read").caused_by(error);
            whole.advise("open it again")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests;
