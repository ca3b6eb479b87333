//! One process owns a cache folder, and others ask it questions.
//!
//! The owner holds a lock on `lock` in the folder (its text is the owner's process id) and, as long as it serves,
//! listens on the Unix socket `control.sock` beside it. Both are of mode 0600 in a folder of mode 0700, and both sides
//! check the other's user: root may ask how an owner is, and only its own user may read the tree. The protocol is one JSON
//! object per line each way, like `{"op":"status"}`; see [`Request`] and [`Reply`]. Several requests may follow each other.

mod client;
mod frames;
mod message;
mod owner;
mod paths;
mod reach;
mod server;
pub mod status;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

pub use crate::control::client::{Conversation, ask, ask_by};
pub use crate::control::message::{Failure, Item, Opened, Origin, Progress, Reply, Request, Whereabouts};
pub use crate::control::owner::{Claim, Owned, check_private, claim, has_lock, is_private, own};
pub use crate::control::server::{Answer, Replies, Serving, serve};

const LOCK_NAME: &str = "lock";
const SOCKET_NAME: &str = "control.sock";
/// The longest request line: as many paths as a command line holds.
const REQUEST_LIMIT: u64 = 2 << 20;
/// The longest reply line.
const REPLY_LIMIT: usize = 4 << 20;

/// A path to the folder's socket that fits into the 107 bytes a socket address has; `dir` must stay open as long as
/// the path is used.
fn socket_path(dir_path: &Path, dir: &File) -> PathBuf {
    let path = dir_path.join(SOCKET_NAME);
    if path.as_os_str().len() <= 107 {
        return path;
    }
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET_NAME}", dir.as_raw_fd()))
}

/// The cache folder that a socket's path speaks of; None where it is no control socket.
pub fn folder_of_socket(path: &Path) -> Option<PathBuf> {
    path.ends_with(SOCKET_NAME).then(|| path.parent().map(Path::to_path_buf))?
}

fn open_dir(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_DIRECTORY).open(path)
}

/// Who is at the other end, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Peer {
    uid: u32,
    /// 0 for a process that cannot be seen from here: one outside of our PID namespace.
    pid: u32,
}

/// None where the kernel does not say.
fn peer(stream: &UnixStream) -> Option<Peer> {
    let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `peer` and `length` describe one writable ucred, and the descriptor is open.
    let result = unsafe {
        let peer = (&raw mut peer).cast();
        libc::getsockopt(stream.as_fd().as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, peer, &raw mut length)
    };
    (result == 0).then_some(Peer { uid: peer.uid, pid: peer.pid.cast_unsigned() })
}

/// The user as whom we act.
pub fn our_uid() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}
