//! What each request means, without the kernel's reply types: inode → path → volume → answer.
//!
//! Each operation can be called twice: with `Wait::Never` where the request was read, and, if the answer is
//! `WouldWait`, once more with `Wait::Until` elsewhere. So nothing is counted before the answer is certain.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use fuser::{Errno, FileType, OpenAccMode, OpenFlags};
use jiff::Timestamp;

use super::attr::{self, Shown};
use super::errno::Refusal;
use super::handle::{Content, Handle, Listing, OpenHandles};
use super::inode::{Handles, Identity, Inodes, Kept, Kind, Named, Opened, Paths, Rendering, hash};
use super::{Options, Sizes, Sniffers};
use crate::engine::size::Size;
use crate::engine::wait::Wait;
use crate::error::{Error, ErrorKind};
use crate::recipe::Artifact;
use crate::tree::{Body, Node};
use crate::volume::{Listed, Volume};

pub type Answer<T> = Result<T, Refusal>;

/// The contract's floor for a size that is not known.
const LEAST_STAND_IN: u64 = 4096;

/// What the kernel may do with its cached pages when a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CachedPages {
    Keep,
    Drop,
}

/// A mounted volume as the kernel sees it.
pub struct Operations {
    volume: Arc<Volume>,
    options: Options,
    pub inodes: Inodes,
    handles: OpenHandles,
}

impl Operations {
    pub fn new(volume: Arc<Volume>, options: Options) -> Self {
        Operations { volume, options, inodes: Inodes::new(), handles: OpenHandles::default() }
    }

    pub fn lookup(&self, parent: u64, name: &OsStr, wait: Wait<'_>) -> Answer<Shown> {
        let (directory, _) = self.inodes.get(parent).ok_or(Errno::ESTALE)?;
        // Every name of the tree is UTF-8.
        let name = name.to_str().ok_or(Errno::ENOENT)?;
        let path = join(&directory.path, name);
        let _span = tracing::trace_span!("lookup", path).entered();
        let node = self.volume.lookup(&path, wait)?;
        let named = self.name(path, &node);
        let shown = self.show(&named, &node, |artifact| self.size(artifact, wait))?;
        Ok(self.tell(named, shown))
    }

    pub fn getattr(&self, ino: u64, wait: Wait<'_>) -> Answer<Shown> {
        let (named, opened) = self.inodes.get(ino).ok_or(Errno::ESTALE)?;
        let _span = tracing::trace_span!("getattr", path = &*named.path).entered();
        if let Some(opened) = opened {
            return Ok(self.show_opened(ino, &named, &opened));
        }
        match &named.kind {
            Kind::Page(page) => Ok(attr::page(ino, &page.text, page.modified, &self.options)),
            Kind::Directory => match self.still_there(&named, wait)? {
                Node::Dir { modified } => Ok(attr::directory(ino, modified, &self.options)),
                Node::File { .. } => Err(Errno::ESTALE.into()),
            },
            Kind::File => {
                let (artifact, modified) = self.artifact(&named, wait)?;
                let size = self.size(&artifact, wait)?;
                Ok(attr::file(ino, named.identity, size, modified, &self.options))
            }
        }
    }

    /// Whether an open with these flags may not wait for the file to be made.
    pub fn is_refused_to_wait(&self, ino: u64, flags: OpenFlags) -> bool {
        self.options.sniffers == Sniffers::Refuse && flags.0 & libc::O_NOATIME != 0 && !self.is_cached(ino)
    }

    fn is_cached(&self, ino: u64) -> bool {
        let Some((named, opened)) = self.inodes.get(ino) else { return false };
        let is_made =
            || self.artifact(&named, Wait::Never).is_ok_and(|(artifact, _)| self.volume.provenance(&artifact).cached);
        opened.is_some() || !matches!(named.kind, Kind::File) || is_made()
    }

    pub fn open(&self, ino: u64, flags: OpenFlags, wait: Wait<'_>) -> Answer<(u64, CachedPages)> {
        if flags.acc_mode() != OpenAccMode::O_RDONLY || flags.0 & libc::O_TRUNC != 0 {
            return Err(Errno::EROFS.into());
        }
        let (named, opened) = self.inodes.get(ino).ok_or(Errno::ESTALE)?;
        let _span = tracing::trace_span!("open", path = &*named.path).entered();
        let opened = match (opened, &named.kind) {
            (Some(opened), _) => opened,
            (None, Kind::Directory) => return Err(Errno::EISDIR.into()),
            (None, Kind::Page(page)) => Opened { content: Content::Text(page.text.clone()), modified: page.modified },
            (None, Kind::File) => {
                let (artifact, modified) = self.artifact(&named, wait)?;
                Opened { content: Content::Blob(self.volume.open(&artifact, wait)?), modified }
            }
        };
        let (opened, handles) = self.inodes.open(ino, opened).ok_or(Errno::ESTALE)?;
        // A number that stands for a path may have shown another content before; while it is open it cannot change.
        let pages = match (named.identity, handles) {
            (Identity::Path, Handles::First) => CachedPages::Drop,
            (Identity::Content(_), _) | (_, Handles::Others) => CachedPages::Keep,
        };
        Ok((self.handles.insert(Handle::File { ino, content: opened.content }), pages))
    }

    /// Fills `buffer`, which has room for what was asked, and returns how much of it is content.
    pub fn read(&self, handle: u64, offset: u64, buffer: &mut [u8]) -> Answer<usize> {
        let handle = self.handles.get(handle).ok_or(Errno::EBADF)?;
        let Handle::File { content, .. } = &*handle else { return Err(Errno::EISDIR.into()) };
        let rest = content.len().saturating_sub(offset);
        let wanted = buffer.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        Ok(content.read_at(&mut buffer[..wanted], offset)?)
    }

    pub fn release(&self, handle: u64) {
        if let Some(Handle::File { ino, .. }) = self.handles.remove(handle).as_deref() {
            self.inodes.release(*ino);
        }
    }

    pub fn opendir(&self, ino: u64, wait: Wait<'_>) -> Answer<u64> {
        let (named, _) = self.inodes.get(ino).ok_or(Errno::ESTALE)?;
        if !matches!(named.kind, Kind::Directory) {
            return Err(Errno::ENOTDIR.into());
        }
        let _span = tracing::trace_span!("opendir", path = &*named.path).entered();
        let entries = self.volume.list(&named.path, wait).map_err(gone_is_stale)?;
        let parent = named.path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let parent = Named { path: parent.into(), identity: Identity::Path, kind: Kind::Directory };
        let parent = self.inodes.number(&parent).0;
        Ok(self.handles.insert(Handle::Directory(Listing { path: named.path, entries, own: ino, parent })))
    }

    /// Calls `add(number, offset of the next entry, type, name)` from `offset` on until it says that it is full.
    pub fn readdir(
        &self,
        handle: u64,
        offset: u64,
        mut add: impl FnMut(u64, u64, FileType, &str) -> bool,
    ) -> Answer<()> {
        self.each_entry(handle, offset, |listing, at, next| {
            Ok(match at {
                Entry::Dot => add(listing.own, next, FileType::Directory, "."),
                Entry::DotDot => add(listing.parent, next, FileType::Directory, ".."),
                Entry::Listed(entry) => {
                    let (ino, kind) = self.peek(listing, entry);
                    add(ino, next, kind, &entry.name)
                }
            })
        })
    }

    /// The same with attributes; each entry that fits is told to the kernel, as by a lookup.
    ///
    /// A size that is not known is a stand-in without a time to live: nothing waits here.
    pub fn readdirplus(&self, handle: u64, offset: u64, mut add: impl FnMut(&Shown, u64, &str) -> bool) -> Answer<()> {
        self.each_entry(handle, offset, |listing, at, next| {
            let dots = |ino| attr::directory(ino, Timestamp::UNIX_EPOCH, &self.options);
            Ok(match at {
                Entry::Dot => add(&dots(listing.own), next, "."),
                Entry::DotDot => add(&dots(listing.parent), next, ".."),
                Entry::Listed(entry) => {
                    let named = self.name(join(&listing.path, &entry.name), &entry.node);
                    let shown = self.show(&named, &entry.node, |artifact| {
                        // Without a time to live the kernel asks again, by a lookup, which reports what is wrong.
                        Ok(self.volume.size(artifact, Wait::Never).unwrap_or(Size::StandIn(LEAST_STAND_IN)))
                    })?;
                    let shown = self.tell(named, shown);
                    let full = add(&shown, next, &entry.name);
                    if full {
                        self.inodes.forget(shown.attr.ino.0, 1);
                    }
                    full
                }
            })
        })
    }

    /// Bytes used and bytes at most.
    pub fn cache_bytes(&self) -> (u64, u64) {
        self.volume.cache_bytes()
    }

    /// The values of a file's xattrs, by name; a directory has none.
    pub fn xattrs(&self, ino: u64, wait: Wait<'_>) -> Answer<Vec<(&'static str, String)>> {
        let (named, opened) = self.inodes.get(ino).ok_or(Errno::ESTALE)?;
        let (source, size, state) = ("user.edxfs.source", "user.edxfs.size", "user.edxfs.state");
        match &named.kind {
            Kind::Directory => Ok(Vec::new()),
            Kind::Page(_) => Ok(vec![(size, "exact".to_owned()), (state, "cached".to_owned())]),
            Kind::File => {
                let (artifact, _) = self.artifact(&named, wait)?;
                let origin = self.volume.provenance(&artifact);
                let exact = opened.is_some() || matches!(self.volume.size(&artifact, Wait::Never), Ok(Size::Exact(_)));
                Ok(vec![
                    (source, origin.source),
                    ("user.edxfs.etag", origin.etag),
                    (size, if exact { "exact" } else { "stand-in" }.to_owned()),
                    (state, if origin.cached { "cached" } else { "remote" }.to_owned()),
                    ("user.edxfs.needs", origin.needs.to_string()),
                ])
            }
        }
    }

    /// Attributes of what a path leads to; `size` is asked only where no handle knows it.
    fn show(&self, named: &Named, node: &Node, size: impl Fn(&Artifact) -> Answer<Size>) -> Answer<Shown> {
        let (ino, opened) = self.inodes.number(named);
        Ok(match (node, &named.kind, opened) {
            (_, _, Some(opened)) => self.show_opened(ino, named, &opened),
            (_, Kind::Page(page), _) => attr::page(ino, &page.text, page.modified, &self.options),
            (Node::File { body: Body::Artifact(artifact), modified }, _, _) => {
                attr::file(ino, named.identity, size(artifact)?, *modified, &self.options)
            }
            (Node::Dir { modified } | Node::File { modified, .. }, _, _) => {
                attr::directory(ino, *modified, &self.options)
            }
        })
    }

    /// Counts that the kernel is told of `named`, whose number another thread may have taken since.
    fn tell(&self, named: Named, shown: Shown) -> Shown {
        let (ino, paths) = self.inodes.remember(named);
        let name_ttl = match paths {
            Paths::AllKnown => shown.name_ttl,
            Paths::OneUnknown => Duration::ZERO,
        };
        Shown { attr: fuser::FileAttr { ino: fuser::INodeNo(ino), ..shown.attr }, name_ttl, ..shown }
    }

    /// Whether a name still leads to what the kernel took it for.
    pub fn still_leads(&self, kept: &Kept) -> bool {
        match self.volume.lookup(&kept.path, Wait::Never) {
            Ok(Node::Dir { .. }) => kept.is_directory(),
            Ok(Node::File { body: Body::Artifact(artifact), .. }) => self.identity(&artifact) == kept.identity,
            Ok(Node::File { .. }) | Err(_) => false,
        }
    }

    fn show_opened(&self, ino: u64, named: &Named, opened: &Opened) -> Shown {
        match &named.kind {
            Kind::Page(page) => attr::page(ino, &page.text, page.modified, &self.options),
            _ => attr::file(ino, named.identity, Size::Exact(opened.content.len()), opened.modified, &self.options),
        }
    }

    fn name(&self, path: String, node: &Node) -> Named {
        let (identity, kind) = match node {
            Node::Dir { .. } => (Identity::Path, Kind::Directory),
            Node::File { body: Body::Artifact(artifact), .. } => (self.identity(artifact), Kind::File),
            Node::File { body: Body::Page(page), modified } => {
                let text = self.volume.render(&path, page);
                let identity = Identity::Content(hash(&["page", &path, &text]));
                (identity, Kind::Page(Arc::new(Rendering { text, modified: *modified })))
            }
        };
        Named { path: path.into(), identity, kind }
    }

    /// Number and type of a listed entry, without rendering a page or telling the kernel anything.
    fn peek(&self, listing: &Listing, entry: &Listed) -> (u64, FileType) {
        let (identity, kind, kind_shown) = match &entry.node {
            Node::Dir { .. } => (Identity::Path, Kind::Directory, FileType::Directory),
            Node::File { body: Body::Artifact(artifact), .. } => {
                (self.identity(artifact), Kind::File, FileType::RegularFile)
            }
            Node::File { body: Body::Page(_), .. } => (Identity::Path, Kind::File, FileType::RegularFile),
        };
        let path = join(&listing.path, &entry.name).into();
        (self.inodes.number(&Named { path, identity, kind }).0, kind_shown)
    }

    fn identity(&self, artifact: &Artifact) -> Identity {
        self.volume.identity(artifact).map_or(Identity::Path, Identity::Content)
    }

    /// What makes the file under an inode, as long as its path still leads to the same content.
    fn artifact(&self, named: &Named, wait: Wait<'_>) -> Answer<(Artifact, Timestamp)> {
        let Node::File { body: Body::Artifact(artifact), modified } = self.still_there(named, wait)? else {
            return Err(Errno::ESTALE.into());
        };
        match named.identity {
            Identity::Content(_) if self.identity(&artifact) != named.identity => Err(Errno::ESTALE.into()),
            _ => Ok((artifact, modified)),
        }
    }

    fn still_there(&self, named: &Named, wait: Wait<'_>) -> Answer<Node> {
        self.volume.lookup(&named.path, wait).map_err(gone_is_stale)
    }

    /// With `--sizes exact`, never a stand-in.
    fn size(&self, artifact: &Artifact, wait: Wait<'_>) -> Answer<Size> {
        let size = self.volume.size(artifact, wait)?;
        match (size, self.options.sizes, wait) {
            (Size::StandIn(_), Sizes::Exact, Wait::Never) => {
                Err(Error::new(ErrorKind::WouldWait, "the size is not known yet").into())
            }
            (Size::StandIn(_), Sizes::Exact, Wait::Until(_)) => Err(Errno::ETIMEDOUT.into()),
            _ => Ok(size),
        }
    }

    fn each_entry(
        &self,
        handle: u64,
        offset: u64,
        mut add: impl FnMut(&Listing, Entry<'_>, u64) -> Answer<bool>,
    ) -> Answer<()> {
        let handle = self.handles.get(handle).ok_or(Errno::EBADF)?;
        let Handle::Directory(listing) = &*handle else { return Err(Errno::ENOTDIR.into()) };
        let listed = listing.entries.iter().map(Entry::Listed);
        let all = [Entry::Dot, Entry::DotDot].into_iter().chain(listed);
        for (next, entry) in (1..).zip(all).skip(usize::try_from(offset).unwrap_or(usize::MAX)) {
            if add(listing, entry, next)? {
                break;
            }
        }
        Ok(())
    }
}

enum Entry<'a> {
    Dot,
    DotDot,
    Listed(&'a Listed),
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// A known inode whose path leads nowhere: on ESTALE the kernel looks the path up again, and says ENOENT by itself.
fn gone_is_stale(error: Error) -> Refusal {
    match error.kind() {
        ErrorKind::NotFound => Errno::ESTALE.into(),
        _ => error.into(),
    }
}
