//! Node + size → attributes and how long the kernel may believe them; asks nothing.

use std::time::{Duration, SystemTime};

use fuser::{FileAttr, FileType, INodeNo};
use jiff::Timestamp;

use super::Options;
use super::inode::Identity;
use crate::engine::size::Size;

/// How long the kernel keeps what cannot change but by a refresh, which invalidates it anyway.
const LONG: Duration = Duration::from_secs(600);

/// What `st_blksize` says: one sealed chunk.
const PREFERRED_READ_BYTES: u32 = 256 << 10;

/// `st_blocks` counts these, whatever the block size.
const BLOCK_BYTES: u64 = 512;

/// Attributes, and how long they and the name that led to them hold.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    pub attr: FileAttr,
    pub attr_ttl: Duration,
    pub name_ttl: Duration,
}

pub fn directory(ino: u64, modified: Timestamp, options: &Options) -> Shown {
    let attr = attributes(ino, FileType::Directory, 4096, modified, options);
    Shown { attr, attr_ttl: LONG, name_ttl: LONG }
}

/// A stand-in must never be kept: a wrong size in the kernel cuts or pads files without a word. An inode that stands
/// for a path gets no time either, since its content, and with it the number, is about to be known.
pub fn file(ino: u64, identity: Identity, size: Size, modified: Timestamp, options: &Options) -> Shown {
    let mut attr = attributes(ino, FileType::RegularFile, size.bytes(), modified, options);
    let ttl = match (size, identity) {
        (Size::StandIn(_), _) => {
            attr.blocks = 0;
            Duration::ZERO
        }
        (Size::Exact(_), Identity::Path) => Duration::ZERO,
        (Size::Exact(_), Identity::Content(_)) => LONG,
    };
    Shown { attr, attr_ttl: ttl, name_ttl: ttl }
}

/// A page's text belongs to its inode for good, but the next lookup of its name may render another.
pub fn page(ino: u64, text: &str, modified: Timestamp, options: &Options) -> Shown {
    let attr = attributes(ino, FileType::RegularFile, text.len() as u64, modified, options);
    Shown { attr, attr_ttl: LONG, name_ttl: Duration::ZERO }
}

fn attributes(ino: u64, kind: FileType, size: u64, modified: Timestamp, options: &Options) -> FileAttr {
    let time = SystemTime::from(modified);
    let (perm, nlink) = match kind {
        FileType::Directory => (options.dir_mode, 2),
        _ => (options.mode, 1),
    };
    FileAttr {
        ino: INodeNo(ino),
        size,
        blocks: size.div_ceil(BLOCK_BYTES),
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind,
        perm,
        nlink,
        uid: options.uid,
        gid: options.gid,
        rdev: 0,
        blksize: PREFERRED_READ_BYTES,
        flags: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(identity: Identity, size: Size) -> Shown {
        file(7, identity, size, Timestamp::UNIX_EPOCH, &Options::default())
    }

    #[test]
    fn a_stand_in_is_never_kept_and_has_no_blocks() {
        let shown = shown(Identity::Content(7), Size::StandIn(5000));
        assert_eq!((shown.attr_ttl, shown.name_ttl), (Duration::ZERO, Duration::ZERO));
        assert_eq!((shown.attr.size, shown.attr.blocks), (5000, 0));
    }

    #[test]
    fn an_exact_size_is_kept_where_the_number_stands_for_the_content() {
        assert_eq!(shown(Identity::Content(7), Size::Exact(513)).attr_ttl, LONG);
        assert_eq!(shown(Identity::Content(7), Size::Exact(513)).attr.blocks, 2);
        assert_eq!(shown(Identity::Path, Size::Exact(513)).attr_ttl, Duration::ZERO);
    }
}
