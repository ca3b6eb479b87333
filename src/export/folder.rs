//! One folder that is written into, held open: no name in it is followed through a symbolic link, and nothing appears
//! under a name before it is complete.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::{fs, io::Errno};

use crate::export::split;

/// What stands behind a name while it is being written.
const PART: &str = ".part";

/// An open folder; also its lock, where it was taken.
pub struct Folder(OwnedFd);

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
        match fs::flock(&self.0, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
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

    /// A new file `name.part` (mode 0600), in place of one that an earlier run left; None where something else has
    /// that name.
    pub fn begin(&self, name: &str) -> io::Result<Option<File>> {
        let part = part_of(name);
        match self.lying(&part)? {
            Lying::Nothing => {}
            Lying::File { .. } => fs::unlinkat(&self.0, &part, AtFlags::empty())?,
            Lying::Other => return Ok(None),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Some(fs::openat(&self.0, &part, flags, Mode::from(0o600))?.into()))
    }

    /// Gives `name.part`, once it is on the disk, its time and its name, over whatever file had that.
    pub fn publish(&self, name: &str, part: &File, modified: Option<Timestamp>) -> io::Result<()> {
        if let Some(modified) = modified {
            fs::futimens(part, &times(modified))?;
        }
        part.sync_all()?;
        Ok(fs::renameat(&self.0, part_of(name), &self.0, name)?)
    }

    /// Removes `name.part`.
    pub fn give_up(&self, name: &str) -> io::Result<()> {
        Ok(fs::unlinkat(&self.0, part_of(name), AtFlags::empty())?)
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

fn make(at: impl rustix::fd::AsFd, path: impl rustix::path::Arg) -> io::Result<()> {
    match fs::mkdirat(at, path, Mode::from(0o700)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn part_of(name: &str) -> String {
    format!("{name}{PART}")
}

fn times(modified: Timestamp) -> Timestamps {
    let (tv_sec, nanoseconds) = split(modified);
    let last_modification = Timespec { tv_sec, tv_nsec: nanoseconds.into() };
    Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification }
}
