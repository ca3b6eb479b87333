//! Scratch space out of the store, for recipes.

use crate::error::Result;
use crate::sqlite::{Scratch, ScratchSpace};
use crate::store::Store;
use crate::store::scratch::ScratchFile;

/// Scratch files of one store.
pub struct Space(pub Store);

impl ScratchSpace for Space {
    fn create(&self) -> Result<Box<dyn Scratch>> {
        Ok(Box::new(self.0.scratch()?))
    }
}

impl Scratch for ScratchFile {
    fn len(&self) -> u64 {
        self.len()
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.read_at(buffer, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        self.write_at(bytes, offset)
    }

    fn truncate(&mut self, bytes: u64) -> Result<()> {
        self.truncate(bytes)
    }
}

#[cfg(test)]
mod tests;
