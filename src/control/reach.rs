//! Reaching an owner: only in a folder that can have one, and not for longer than is said.
//!
//! Anybody may listen on a socket with our name, take up no connection, and say what they like. So the folder is looked at
//! first: it must be of mode 0700 and our own, or anybody's where root asks how its owner is.

use std::fs::{self, File};
use std::io::{self, ErrorKind as IoKind};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::control::{Peer, check_private, open_dir, our_uid, peer, socket_path};
use crate::error::{Error, ErrorKind, Result};

/// Whose owners may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    OurOwn,
    /// Root's, for what shows nothing of the tree.
    Anybodys,
}

/// Connects to the owner of a cache folder; None where nobody listens.
///
/// Errors: `Usage` where the folder is not a private one of a user that `trust` says; `Refused` where another user listens
/// in it; `TimedOut` where the connection is not taken up within `patience`; local I/O.
pub fn connect(cache_dir: &Path, trust: Trust, patience: Duration) -> Result<Option<(UnixStream, Peer)>> {
    let absent = |kind: IoKind| matches!(kind, IoKind::NotFound | IoKind::NotADirectory | IoKind::ConnectionRefused);
    let opened = open_dir(cache_dir).and_then(|dir: File| {
        let path = socket_path(cache_dir, &dir);
        fs::symlink_metadata(&path)?;
        Ok((dir.metadata()?, dir, path))
    });
    let (meta, _dir, path) = match opened {
        Ok(opened) => opened,
        Err(error) if absent(error.kind()) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let user = match trust {
        Trust::OurOwn => our_uid(),
        Trust::Anybodys => meta.uid(),
    };
    check_private(cache_dir, &meta, user)?;
    let stream = match dial(&path, patience) {
        Ok(stream) => stream,
        Err(error) if absent(error.kind()) => return Ok(None),
        Err(error) if error.kind() == IoKind::WouldBlock => {
            let message = format!("the mount takes up no connection ({} s)", patience.as_secs());
            return Err(Error::new(ErrorKind::TimedOut, message));
        }
        Err(error) => return Err(error.into()),
    };
    match peer(&stream) {
        Some(peer) if peer.uid == user => Ok(Some((stream, peer))),
        _ => Err(Error::new(ErrorKind::Refused, "the process that serves this cache folder is another user's")),
    }
}

/// As `UnixStream::connect`, which waits for ever where the listener's queue is full. Errors: `WouldBlock` after `patience`.
pub(super) fn dial(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    // SAFETY: takes numbers.
    let socket = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if socket == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor has just been made, and nobody else has it.
    let stream = UnixStream::from(unsafe { OwnedFd::from_raw_fd(socket) });
    // Of a connection too the kernel takes this for the longest wait.
    stream.set_write_timeout(Some(patience))?;
    // SAFETY: all zeros is a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() >= address.sun_path.len() {
        return Err(io::Error::from(IoKind::InvalidFilename));
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = from.cast_signed() as libc::c_char;
    }
    let length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: `address` is a whole sockaddr_un whose path ends in NUL, and the descriptor is open.
    match unsafe { libc::connect(stream.as_raw_fd(), (&raw const address).cast(), length) } {
        0 => Ok(stream),
        _ => Err(io::Error::last_os_error()),
    }
}
