//! Scratch space out of the store, for recipes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Result;
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
        let bytes = self.file.read_at(buffer, offset)?;
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        self.moved.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file.write_at(bytes, offset)
    }

    fn truncate(&mut self, bytes: u64) -> Result<()> {
        self.file.truncate(bytes)
    }
}

#[cfg(test)]
mod tests;
