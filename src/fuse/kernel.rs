//! The requests that the kernel sends, unpacked and answered; what they mean is in `operations`.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use fuser::{
    AccessFlags, BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo,
    InitFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyBmap, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyWrite,
    ReplyXattr, Request, TimeOrNow, WriteFlags,
};

use super::attr::Shown;
use super::caller::Caller;
use super::errno::Refusal;
use super::operations::{Answer, CachedPages, Operations};
use super::waiting::{Turn, Waiting};
use crate::engine::wait::Wait;
use crate::error::{Error, ErrorKind};

/// Numbers are never reused for another content while the kernel knows them.
const GENERATION: Generation = Generation(0);

/// What is offered where the kernel has it. AUTO_INVAL_DATA is not: an inode's content never changes. Nor is direct
/// I/O of any kind: it breaks mmap.
const WISHES: [InitFlags; 4] = [
    InitFlags::FUSE_PARALLEL_DIROPS,
    InitFlags::FUSE_DO_READDIRPLUS,
    InitFlags::FUSE_READDIRPLUS_AUTO,
    InitFlags::FUSE_EXPLICIT_INVAL_DATA,
];

/// `statfs` counts in these.
const BLOCK_BYTES: u32 = 4096;

/// The longest name, as the kernel has it.
const NAME_BYTES: u32 = 255;

thread_local! {
    /// One read at a time is answered on a thread, and a fresh buffer of 1 MiB costs 256 page faults.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A mounted volume behind fuser's trait.
pub struct Kernel {
    operations: Arc<Operations>,
    waiting: Waiting,
}

impl Kernel {
    pub fn new(operations: Arc<Operations>) -> Self {
        Kernel { operations, waiting: Waiting::new() }
    }

    /// Answers here if that takes no waiting, else on a thread that waits as long as the caller does.
    fn answer<T: 'static>(
        &self,
        request: &Request,
        operation: impl Fn(&Operations, Wait<'_>) -> Answer<T> + Send + 'static,
        reply: impl FnOnce(Result<T, Errno>) + Send + 'static,
    ) {
        match guarded(|| operation(&self.operations, Wait::Never)) {
            Err(refusal) if refusal.would_wait() => {
                let (caller, operations) = (Caller::new(request.pid()), self.operations.clone());
                self.waiting.submit(caller, move |turn| {
                    let gone = || caller.has_gone();
                    reply(logged(match turn {
                        Turn::Now => guarded(|| operation(&operations, Wait::Until(&gone))),
                        Turn::Never => Err(Error::new(ErrorKind::Interrupted, "the caller has gone").into()),
                    }));
                });
            }
            answer => reply(logged(answer)),
        }
    }

    /// Answers here, whatever comes.
    fn answer_now<T>(&self, operation: impl FnOnce(&Operations) -> Answer<T>) -> Result<T, Errno> {
        logged(guarded(|| operation(&self.operations)))
    }
}

/// A bug in one operation must not end the thread that serves all others.
fn guarded<T>(operation: impl FnOnce() -> Answer<T>) -> Answer<T> {
    catch_unwind(AssertUnwindSafe(operation))
        .unwrap_or_else(|_| Err(Error::internal("a request ended in a panic; this is a bug").into()))
}

/// What somebody has to act upon goes to the log; a missing name or an interrupted caller is everyday.
fn logged<T>(answer: Answer<T>) -> Result<T, Errno> {
    answer.map_err(|refusal| {
        if let Refusal::Error(error) = &refusal {
            match error.kind() {
                ErrorKind::NotFound | ErrorKind::Interrupted | ErrorKind::WouldWait => tracing::debug!("{error}"),
                ErrorKind::Internal | ErrorKind::NotReproducible | ErrorKind::Usage => tracing::error!("{error}"),
                _ => tracing::warn!("{error}"),
            }
        }
        refusal.errno()
    })
}

fn reply_entry(reply: ReplyEntry, answer: Result<Shown, Errno>) {
    match answer {
        Ok(shown) => reply.entry_with_ttls(&shown.attr_ttl, &shown.name_ttl, &shown.attr, GENERATION),
        Err(errno) => reply.error(errno),
    }
}

/// Either asks how long a value is (`room` 0), or wants it.
fn reply_xattr(reply: ReplyXattr, room: u32, value: &[u8]) {
    match u32::try_from(value.len()) {
        Ok(bytes) if room == 0 => reply.size(bytes),
        Ok(bytes) if bytes <= room => reply.data(value),
        _ => reply.error(Errno::ERANGE),
    }
}

impl Filesystem for Kernel {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        for wish in WISHES {
            if let Err(missing) = config.add_capabilities(wish) {
                tracing::debug!("this kernel does not offer {missing:?}");
            }
        }
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let name = name.to_owned();
        self.answer(request, move |to, wait| to.lookup(parent.0, &name, wait), |answer| reply_entry(reply, answer));
    }

    fn forget(&self, _request: &Request, ino: INodeNo, lookups: u64) {
        self.operations.inodes.forget(ino.0, lookups);
    }

    fn getattr(&self, request: &Request, ino: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        self.answer(
            request,
            move |to, wait| to.getattr(ino.0, wait),
            |answer| match answer {
                Ok(shown) => reply.attr(&shown.attr_ttl, &shown.attr),
                Err(errno) => reply.error(errno),
            },
        );
    }

    fn open(&self, request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let respond = |answer| match answer {
            Ok((handle, CachedPages::Keep)) => reply.opened(FileHandle(handle), FopenFlags::FOPEN_KEEP_CACHE),
            Ok((handle, CachedPages::Drop)) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(errno) => reply.error(errno),
        };
        if self.operations.is_refused_to_wait(ino.0, flags) {
            respond(self.answer_now(|to| to.open(ino.0, flags, Wait::Never)));
        } else {
            self.answer(request, move |to, wait| to.open(ino.0, flags, wait), respond);
        }
    }

    fn read(
        &self,
        _request: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        BUFFER.with_borrow_mut(|buffer| {
            if buffer.len() < size as usize {
                buffer.resize(size as usize, 0);
            }
            let room = &mut buffer[..size as usize];
            match self.answer_now(|to| to.read(handle.0, offset, room)) {
                Ok(bytes) => reply.data(&buffer[..bytes]),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn release(
        &self,
        _request: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        self.operations.release(handle.0);
        reply.ok();
    }

    fn opendir(&self, request: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        self.answer(
            request,
            move |to, wait| to.opendir(ino.0, wait),
            |answer| match answer {
                Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
                Err(errno) => reply.error(errno),
            },
        );
    }

    fn readdir(&self, _: &Request, _: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let add = |ino, next, kind, name: &str| reply.add(INodeNo(ino), next, kind, name);
        match self.answer_now(|to| to.readdir(handle.0, offset, add)) {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    fn readdirplus(&self, _: &Request, _: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectoryPlus) {
        // There is one time to live for both; the shorter is always right.
        let add = |shown: &Shown, next, name: &str| {
            let ttl = shown.attr_ttl.min(shown.name_ttl);
            reply.add(shown.attr.ino, next, name, &ttl, &shown.attr, GENERATION)
        };
        match self.answer_now(|to| to.readdirplus(handle.0, offset, add)) {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.operations.release(handle.0);
        reply.ok();
    }

    fn statfs(&self, _request: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        let (used, most) = self.operations.cache_bytes();
        let blocks = most / u64::from(BLOCK_BYTES);
        let free = most.saturating_sub(used) / u64::from(BLOCK_BYTES);
        reply.statfs(blocks, free, free, 0, 0, BLOCK_BYTES, NAME_BYTES, BLOCK_BYTES);
    }

    fn getxattr(&self, request: &Request, ino: INodeNo, name: &OsStr, room: u32, reply: ReplyXattr) {
        if !name.as_encoded_bytes().starts_with(b"user.edxfs.") {
            // `ls -l` asks every file for labels and ACLs.
            return reply.error(Errno::ENODATA);
        }
        let name = name.to_owned();
        self.answer(
            request,
            move |to, wait| to.xattrs(ino.0, wait),
            move |answer| match answer {
                Ok(values) => match values.iter().find(|(known, _)| name == *known) {
                    Some((_, value)) => reply_xattr(reply, room, value.as_bytes()),
                    None => reply.error(Errno::ENODATA),
                },
                Err(errno) => reply.error(errno),
            },
        );
    }

    fn listxattr(&self, request: &Request, ino: INodeNo, room: u32, reply: ReplyXattr) {
        self.answer(
            request,
            move |to, wait| to.xattrs(ino.0, wait),
            move |answer| match answer {
                Ok(values) => {
                    let names: String = values.iter().map(|(name, _)| format!("{name}\0")).collect();
                    reply_xattr(reply, room, names.as_bytes());
                }
                Err(errno) => reply.error(errno),
            },
        );
    }

    fn access(&self, _request: &Request, _ino: INodeNo, mask: AccessFlags, reply: ReplyEmpty) {
        if mask.contains(AccessFlags::W_OK) { reply.error(Errno::EROFS) } else { reply.ok() }
    }

    fn readlink(&self, _request: &Request, _ino: INodeNo, reply: ReplyData) {
        reply.error(Errno::EINVAL);
    }

    // What follows the kernel stops to ask for after the first ENOSYS, and does by itself where it can.

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn lseek(&self, _: &Request, _: INodeNo, _: FileHandle, _offset: i64, _whence: i32, reply: ReplyLseek) {
        reply.error(Errno::ENOSYS);
    }

    fn bmap(&self, _: &Request, _: INodeNo, _block: u32, _index: u64, reply: ReplyBmap) {
        reply.error(Errno::ENOSYS);
    }

    // The mount is read-only, so the kernel refuses most of these itself.

    fn setattr(
        &self,
        _: &Request,
        _: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        _size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        reply.error(Errno::EROFS);
    }

    fn mknod(&self, _: &Request, _: INodeNo, _: &OsStr, _mode: u32, _umask: u32, _rdev: u32, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn mkdir(&self, _: &Request, _: INodeNo, _: &OsStr, _mode: u32, _umask: u32, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn unlink(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn rmdir(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }

    fn symlink(&self, _: &Request, _: INodeNo, _: &OsStr, _target: &Path, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn rename(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _new_parent: INodeNo,
        _new_name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EROFS);
    }

    fn link(&self, _: &Request, _: INodeNo, _new_parent: INodeNo, _new_name: &OsStr, reply: ReplyEntry) {
        reply.error(Errno::EROFS);
    }

    fn create(&self, _: &Request, _: INodeNo, _: &OsStr, _mode: u32, _umask: u32, _flags: i32, reply: ReplyCreate) {
        reply.error(Errno::EROFS);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _offset: u64,
        _data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        reply.error(Errno::EROFS);
    }

    fn fallocate(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _offset: u64,
        _length: u64,
        _mode: i32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EROFS);
    }

    fn copy_file_range(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _offset: u64,
        _to: INodeNo,
        _to_handle: FileHandle,
        _to_offset: u64,
        _bytes: u64,
        _: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        reply.error(Errno::EROFS);
    }

    fn setxattr(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _value: &[u8],
        _flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EROFS);
    }

    fn removexattr(&self, _: &Request, _: INodeNo, _: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::EROFS);
    }
}
