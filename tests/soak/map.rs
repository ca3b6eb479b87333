//! A file mapped into memory, whole.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::{io, ptr, slice};

/// Unmapped when dropped. A file of 0 bytes has no pages.
pub struct Map {
    begin: *mut libc::c_void,
    bytes: usize,
}

impl Map {
    pub fn of(file: &File) -> io::Result<Map> {
        let bytes = file.metadata()?.len() as usize;
        if bytes == 0 {
            return Ok(Map { begin: ptr::null_mut(), bytes });
        }
        // SAFETY: the kernel chooses the place, and the descriptor is open.
        let begin =
            unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if begin == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(Map { begin, bytes }) }
    }

    pub fn bytes(&self) -> &[u8] {
        match self.bytes {
            0 => &[],
            // SAFETY: so many bytes are mapped there; the file system never changes what is in an open file.
            bytes => unsafe { slice::from_raw_parts(self.begin.cast(), bytes) },
        }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if self.bytes > 0 {
            // SAFETY: what was mapped, and no slice of it lives on.
            unsafe { libc::munmap(self.begin, self.bytes) };
        }
    }
}
