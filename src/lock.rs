//! A file that one process at a time may hold; its text is the holder's process id.
//!
//! The kernel lets go of it with the process, however that ends. The file stays: whoever removed it could remove a
//! successor's.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::Result;

/// The outcome of reaching for a lock.
#[derive(Debug)]
pub enum Lock {
    /// Ours until the file is closed.
    Ours(File),
    /// Somebody else's; the process id, where it could be read.
    Taken { pid: Option<u32> },
}

/// Reaches for the lock in this file, of mode 0600, without waiting. Errors: local I/O.
pub fn take(path: &Path) -> Result<Lock> {
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let _ = file.take(20).read_to_string(&mut text);
            return Ok(Lock::Taken { pid: text.trim().parse().ok() });
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())?;
    Ok(Lock::Ours(file))
}
