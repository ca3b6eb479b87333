//! Scratch space and destinations in memory, for tests of what is built there.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::pages::PAGE_BYTES;
use crate::sqlite::{Destination, Scratch, ScratchSpace};

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

/// A database as it comes out, with a front of at least two pages more than what is asked for.
#[derive(Default)]
pub struct Bytes {
    bytes: Vec<u8>,
    front: usize,
    /// How much of the front is filled, once it was returned to.
    filled: Option<usize>,
}

impl Destination for Bytes {
    fn leave_front(&mut self, bytes: u64) -> Result<u64> {
        assert!(self.bytes.is_empty(), "the front is left first");
        self.front = bytes as usize + 2 * PAGE_BYTES;
        self.bytes.resize(self.front, 0);
        Ok(self.front as u64)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.filled {
            None => self.bytes.extend_from_slice(bytes),
            Some(filled) => {
                let end = *filled + bytes.len();
                assert!(end <= self.front, "the front is as long as what was left for it");
                self.bytes[*filled..end].copy_from_slice(bytes);
                *filled = end;
            }
        }
        Ok(())
    }

    fn return_to_front(&mut self) -> Result<()> {
        self.filled = Some(0);
        Ok(())
    }
}

impl Bytes {
    /// What came out.
    pub fn content(&self) -> &[u8] {
        let filled = match self.filled {
            None if self.front == 0 => return &self.bytes,
            filled => filled.expect("the front was returned to"),
        };
        assert!(filled == self.front || self.bytes.len() == self.front, "the front is filled");
        if filled < self.front { &self.bytes[..filled] } else { &self.bytes }
    }
}
