//! Reaching an owner: only in a folder that can have one, and not for longer than is said.
//!
//! Anybody may listen on a socket with our name, take up no connection, and say what they like. So the folder is looked at
//! first: it must be of mode 0700 and our own, or anybody's where root asks how its owner is.

use std::fs::{self, File};
use std::io::{self, ErrorKind as IoKind};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

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
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let stream = UnixStream::from(socket);
    // Of a connection too the kernel takes this for the longest wait.
    stream.set_write_timeout(Some(patience))?;
    net::connect(&stream, &SocketAddrUnix::new(path)?)?;
    Ok(stream)
}
