//! Scratch space in memory, for tests of what is built in it.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::{Scratch, ScratchSpace};

/// A space whose files are vectors of at most `limit` bytes each.
pub struct Memory {
    pub limit: u64,
}

impl Memory {
    pub fn space() -> Arc<dyn ScratchSpace> {
        Arc::new(Memory { limit: u64::MAX })
    }
}

impl ScratchSpace for Memory {
    fn create(&self) -> Result<Box<dyn Scratch>> {
        Ok(Box::new(File { limit: self.limit, bytes: Vec::new() }))
    }
}

struct File {
    limit: u64,
    bytes: Vec<u8>,
}

impl Scratch for File {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let rest = self.bytes.get(offset as usize..).unwrap_or_default();
        let bytes = rest.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&rest[..bytes]);
        Ok(bytes)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        let end = offset as usize + bytes.len();
        if end as u64 > self.limit {
            return Err(Error::new(ErrorKind::CacheFull, "no room in memory"));
        }
        self.bytes.resize(self.bytes.len().max(end), 0);
        self.bytes[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn truncate(&mut self, bytes: u64) -> Result<()> {
        self.bytes.truncate(bytes as usize);
        Ok(())
    }
}
