//! A filesystem of names alone, over the same library: what listing costs where nothing is behind the names.
//!
//! `empty_fs MOUNTPOINT FOLDERS FILES` mounts so many folders of so many empty files each, prints a line, and stays until
//! it is unmounted.

use std::error::Error;
use std::ffi::OsStr;
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation, INodeNo, LockOwner, MountOption, OpenFlags,
    ReplyAttr, ReplyData, ReplyDirectory, ReplyEntry, Request, Session,
};

const ROOT: u64 = 1;
const TTL: Duration = Duration::from_secs(3600);

/// Folder f is inode 2 + f; file n of it follows all folders.
struct Names {
    folders: u64,
    files: u64,
}

impl Names {
    fn kind(&self, ino: u64) -> FileType {
        if ino < 2 + self.folders { FileType::Directory } else { FileType::RegularFile }
    }

    /// The inode of entry `at` of a directory, and its name.
    fn entry(&self, directory: u64, at: u64) -> Option<(u64, String)> {
        match directory {
            ROOT => (at < self.folders).then(|| (2 + at, format!("folder-{at:05}"))),
            folder => {
                let ino = 2 + self.folders + (folder - 2) * self.files + at;
                (at < self.files).then(|| (ino, format!("name-{at:06}.log")))
            }
        }
    }

    fn attr(&self, ino: u64) -> FileAttr {
        let kind = self.kind(ino);
        let perm = if kind == FileType::Directory { 0o500 } else { 0o400 };
        FileAttr {
            ino: INodeNo(ino),
            size: 0,
            blocks: 0,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for Names {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let number = name.to_str().and_then(|name| name.split(['-', '.']).nth(1)?.parse().ok());
        match number.and_then(|at| self.entry(parent.0, at)).filter(|(_, found)| **found == *name) {
            Some((ino, _)) => reply.entry(&TTL, &self.attr(ino), Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &self.attr(ino.0));
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        reply.data(&[]);
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let mut at = offset;
        while let Some((entry, name)) = self.entry(ino.0, at) {
            at += 1;
            if reply.add(INodeNo(entry), at, self.kind(entry), name) {
                break;
            }
        }
        reply.ok();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [point, folders, files] = arguments.as_slice() else {
        return Err("usage: empty_fs MOUNTPOINT FOLDERS FILES".into());
    };
    let names = Names { folders: folders.parse()?, files: files.parse()? };
    let mut config = Config::default();
    config.mount_options = vec![MountOption::RO, MountOption::FSName("empty".into())];
    config.n_threads = Some(4);
    let session = Session::new(names, point, &config)?.spawn()?;
    println!("mounted");
    session.join()?;
    Ok(())
}
