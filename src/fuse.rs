//! Kernel request → volume → reply; the only importer of fuser, no decisions about content.
//!
//! A request is answered in place, on the thread that read it, unless the volume says `WouldWait`. Then it goes with
//! its reply to a thread of its own, which waits for as long as the caller wants to ([`caller`]). What a file's inode
//! number means is in [`inode`], what its attributes say while its size is not known in [`attr`].
//!
//! ```text
//! kernel ──► kernel.rs ──► operations.rs ──► volume
//!               │              └──► inode.rs (ino ↔ path)   handle.rs (fh → content, listing)
//!               └──► waiting.rs (requests that wait) ──► caller.rs (has the caller gone?)
//! session.rs: from mounting to unmounting, signals     attach.rs: mount(2)     mounts.rs: what the mount table says
//! invalidation.rs: what changed
//! ```

mod attach;
mod attr;
mod caller;
mod errno;
mod handle;
mod inode;
mod invalidation;
mod kernel;
mod mounts;
mod operations;
mod session;
mod waiting;

pub use mounts::{Force, Mounted, detach_stale, is_dead, mount_table, unescape_path, unmount, user_of_mount};
pub use session::Mount;

/// The subtype in the mount table, by which we know our own mounts.
pub const FS_NAME: &str = "edxfs";

/// Whether asking for the attributes of a file of unknown size waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Sizes {
    /// A stand-in, at once.
    #[default]
    Lazy,
    /// The exact size, however long it takes (the volume bounds it).
    Exact,
}

/// What becomes of an open with `O_NOATIME` that would have to wait: file managers sniff types that way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Sniffers {
    /// `EAGAIN`.
    #[default]
    Refuse,
    /// It waits as any other.
    Wait,
}

/// Who else may read the mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Access {
    #[default]
    OwnerOnly,
    /// Everybody whom the modes let in; without root this needs `user_allow_other` in /etc/fuse.conf.
    AllowOther,
}

/// How a volume is shown under its mount point.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the mount table shows as the mount's device; None: `edxfs`.
    pub source: Option<String>,
    pub access: Access,
    /// Owner of everything; by default whoever mounts.
    pub uid: u32,
    pub gid: u32,
    /// Permission bits of files and of directories.
    pub mode: u16,
    pub dir_mode: u16,
    pub sizes: Sizes,
    pub sniffers: Sniffers,
    /// Threads that read requests from the kernel.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        // SAFETY: both calls only read the process's credentials and cannot fail.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        Options {
            source: None,
            access: Access::default(),
            uid,
            gid,
            mode: 0o400,
            dir_mode: 0o500,
            sizes: Sizes::default(),
            sniffers: Sniffers::default(),
            threads: 4,
        }
    }
}
