//! One folder that is written into, held open: no name in it is followed through a symbolic link, and nothing appears
//! under a name before it is complete.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::{fs, io::Errno};

use crate::export::split;

/// An open folder; also its lock, where it was taken.
pub struct Folder(OwnedFd);

/// A file that is being written under a name of its own, and locked as long as it is open.
pub struct Part {
    name: String,
    file: File,
}

/// The outcome of beginning a part.
pub enum Begun {
    Part(Part),
    /// Another process is writing it.
    Busy,
    /// A folder, a link, or something else that is not ours has its name.
    Blocked,
}

/// What lies under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lying {
    Nothing,
    File {
        bytes: u64,
        modified: Timestamp,
    },
    /// A folder, a link, or something else that is not ours.
    Other,
}

impl Folder {
    /// As `open`, and makes it (mode 0700) if only it is missing.
    pub fn make(path: &Path) -> io::Result<Folder> {
        make(CWD, path)?;
        Folder::open(path)
    }

    /// Opens a folder by its path.
    pub fn open(path: &Path) -> io::Result<Folder> {
        Ok(Folder(fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// A folder in it, made (mode 0700) if it is missing; None where something else has the name.
    pub fn subfolder(&self, name: &str) -> io::Result<Option<Folder>> {
        make(&self.0, name)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(folder) => Ok(Some(Folder(folder))),
            Err(Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes it for this process, until it is dropped; false where another one has it.
    pub fn lock(&self) -> io::Result<bool> {
        lock(&self.0)
    }

    pub fn lying(&self, name: &str) -> io::Result<Lying> {
        let stat = match fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(Lying::Nothing),
            Err(error) => return Err(error.into()),
        };
        let modified = Timestamp::new(stat.st_mtime, i32::try_from(stat.st_mtime_nsec).unwrap_or(0));
        Ok(match (FileType::from_raw_mode(stat.st_mode), modified) {
            (FileType::RegularFile, Ok(modified)) => Lying::File { bytes: stat.st_size.cast_unsigned(), modified },
            _ => Lying::Other,
        })
    }

    /// A file's whole content, or what begins it; None where there is none. Errors: also for what is no file.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut content = Vec::new();
        match fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(file) => File::from(file).read_to_end(&mut content)?,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(content))
    }

    /// Opens a file to write behind its end, making it (mode 0600) if it is missing.
    pub fn append(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fs::openat(&self.0, name, flags, Mode::from(0o600))?.into())
    }

    /// A new file (mode 0600), in place of one that an earlier run left.
    pub fn begin(&self, name: &str) -> io::Result<Begun> {
        match self.lying(name)? {
            Lying::Nothing => {}
            Lying::File { .. } if self.remove_abandoned(name)? => {}
            Lying::File { .. } => return Ok(Begun::Busy),
            Lying::Other => return Ok(Begun::Blocked),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match fs::openat(&self.0, name, flags, Mode::from(0o600)) {
            Ok(file) => File::from(file),
            Err(Errno::EXIST) => return Ok(Begun::Busy),
            Err(error) => return Err(error.into()),
        };
        // Before it was locked it looked abandoned to others.
        let part = Part { name: name.to_owned(), file };
        Ok(if lock(&part.file)? && self.holds(&part)? { Begun::Part(part) } else { Begun::Busy })
    }

    /// False where it is still being written.
    fn remove_abandoned(&self, name: &str) -> io::Result<bool> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let part = match fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(file) => Part { name: name.to_owned(), file: file.into() },
            Err(Errno::NOENT) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        let is_abandoned = lock(&part.file)?;
        if is_abandoned {
            self.give_up(&part)?;
        }
        Ok(is_abandoned)
    }

    /// Whether the part's name still leads to it.
    fn holds(&self, part: &Part) -> io::Result<bool> {
        let ours = fs::fstat(&part.file)?;
        match fs::statat(&self.0, &part.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => Ok((there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a part, once it is on the disk, its time and its name, over whatever file had that.
    pub fn publish(&self, part: &Part, name: &str, modified: Option<Timestamp>) -> io::Result<()> {
        if let Some(modified) = modified {
            fs::futimens(&part.file, &times(modified))?;
        }
        part.file.sync_all()?;
        if !self.holds(part)? {
            return Err(io::Error::other(format!("somebody has taken {} away", part.name)));
        }
        Ok(fs::renameat(&self.0, &part.name, &self.0, name)?)
    }

    /// Removes a part, unless something else has its name by now.
    pub fn give_up(&self, part: &Part) -> io::Result<()> {
        if self.holds(part)? { Ok(fs::unlinkat(&self.0, &part.name, AtFlags::empty())?) } else { Ok(()) }
    }

    /// Sets its time, where it has another.
    pub fn set_time(&self, modified: Timestamp) -> io::Result<()> {
        let stat = fs::fstat(&self.0)?;
        let (seconds, nanoseconds) = split(modified);
        if stat.st_mtime == seconds && u32::try_from(stat.st_mtime_nsec) == Ok(nanoseconds) {
            return Ok(());
        }
        Ok(fs::futimens(&self.0, &times(modified))?)
    }
}

fn make(at: impl AsFd, path: impl rustix::path::Arg) -> io::Result<()> {
    match fs::mkdirat(at, path, Mode::from(0o700)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// False where another process has the lock. A disk that knows no locks (NFS none on folders) cannot tell two exports
/// into one place apart; that is no reason to have none.
fn lock(file: impl AsFd) -> io::Result<bool> {
    match fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) | Err(Errno::BADF | Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether the disk takes no such name: too long, or of characters that it has not.
pub fn is_of_name(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NAMETOOLONG | Errno::INVAL | Errno::ILSEQ))
}

impl Part {
    /// Empties it.
    pub fn clear(&mut self) -> io::Result<()> {
        self.file.rewind()?;
        self.file.set_len(0)
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn times(modified: Timestamp) -> Timestamps {
    let (tv_sec, nanoseconds) = split(modified);
    let last_modification = Timespec { tv_sec, tv_nsec: nanoseconds.into() };
    Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification }
}
