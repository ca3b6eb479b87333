//! Error → errno, every kind listed; the only such map.

use fuser::Errno;

use crate::error::{Error, ErrorKind};

/// Why a request is not granted.
#[derive(Debug)]
pub enum Refusal {
    /// The volume's own words; they go to the log where somebody has to act.
    Error(Error),
    /// What only the kernel's side knows: a stale inode, a write, a missing xattr.
    Errno(Errno),
}

impl Refusal {
    pub fn errno(&self) -> Errno {
        match self {
            Refusal::Error(error) => errno(error.kind()),
            Refusal::Errno(errno) => *errno,
        }
    }

    /// Whether the request should be asked again where it may wait.
    pub fn would_wait(&self) -> bool {
        matches!(self, Refusal::Error(error) if error.kind() == ErrorKind::WouldWait)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Error(error)
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Refusal::Errno(errno)
    }
}

fn errno(kind: ErrorKind) -> Errno {
    match kind {
        ErrorKind::NotFound => Errno::ENOENT,
        ErrorKind::Changed => Errno::ESTALE,
        ErrorKind::NoSecretKey | ErrorKind::Corrupt | ErrorKind::Unsupported => Errno::EIO,
        // An archived object must be restored by its owner first: a matter of access, not of damage.
        ErrorKind::Refused | ErrorKind::NoCredentials | ErrorKind::Archived => Errno::EACCES,
        ErrorKind::Unreachable => Errno::EHOSTUNREACH,
        ErrorKind::TimedOut => Errno::ETIMEDOUT,
        ErrorKind::CacheFull => Errno::ENOSPC,
        ErrorKind::Interrupted => Errno::EINTR,
        ErrorKind::WouldWait => Errno::EAGAIN,
        ErrorKind::NotReproducible | ErrorKind::Internal => Errno::EIO,
        // The user's words were checked before the mount; here only our own code can have made this.
        ErrorKind::Usage => Errno::EIO,
    }
}
