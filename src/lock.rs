//! A file that one process at a time may hold; its text is the holder's process id.
//!
//! The kernel lets go of it with the process, however that ends. The file stays; where its holder removes it, because
//! the folder goes with it, whoever has opened it meanwhile finds that out and opens the next one.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::error::Result;

/// More than the number of any process.
const LIMIT: u64 = 20;

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
    let mut file = open(path)?;
    loop {
        match file.try_lock() {
            Ok(()) if is_named(path, &file)? => break,
            Ok(()) => file = open(path)?,
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.take(LIMIT).read_to_string(&mut text);
                return Ok(Lock::Taken { pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())?;
    Ok(Lock::Ours(file))
}

/// Whether this can be a lock, held or not: a file with the number of a process, or nothing.
pub fn is_lock(path: &Path) -> bool {
    let short = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() <= LIMIT);
    let number = |text: String| text.trim().bytes().all(|byte| byte.is_ascii_digit());
    short && fs::read_to_string(path).is_ok_and(number)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    options.mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Whether a path leads to this very file.
fn is_named(path: &Path, file: &File) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_was_removed_under_its_name_does_not_count() {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let path = dir.path().join("lock");
        let lock = open(&path).expect("it is ours");
        assert!(is_named(&path, &lock).expect("both are there"));
        fs::remove_file(&path).expect("it is ours");
        assert!(!is_named(&path, &lock).expect("one is there"));
        let _next = open(&path).expect("it is ours");
        assert!(!is_named(&path, &lock).expect("both are there"));
    }

    #[test]
    fn only_the_number_of_a_process_is_a_lock() {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let path = dir.path().join("lock");
        assert!(!is_lock(&path));
        for (text, ours) in [("4242\n", true), ("", true), ("pid 42", false), ("123456789012345678901", false)] {
            fs::write(&path, text).expect("it is ours");
            assert_eq!(is_lock(&path), ours, "{text:?}");
        }
    }
}
