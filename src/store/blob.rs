//! (being written)
use crate::error::Result;

/// An open, complete, verified content: stays readable after eviction.
#[derive(Clone)]
pub struct Blob;

impl Blob {
    /// Plain bytes.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        todo!()
    }
    /// Fills `buffer` from `offset` as far as the content reaches; bytes read. Errors: `Corrupt`.
    pub fn read_at(&self, _buffer: &mut [u8], _offset: u64) -> Result<usize> {
        todo!()
    }
}
