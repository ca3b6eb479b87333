//! Inode number ↔ what the kernel knows under it; no content but that of pages, no attributes.
//!
//! A file's number stands for its content: the same content under two paths has one number and one page cache, and a
//! changed object is a new inode, so pages of an inode never grow old. A directory's number stands for its path, and
//! so does that of a file whose content cannot be named yet. Numbers are hashes, hence stable across mounts; the rare
//! number that is taken by something else is resolved by counting up.
//!
//! An entry holds the path, not the node: the kernel may know millions of names, and a path is a tenth of a recipe.
//! It lives until the kernel forgets it and the last handle is released.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::handle::Content;

/// The number of the mount's root, fixed by the kernel.
pub const ROOT: u64 = 1;

/// What a number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    Path,
    /// 64 bits of a hash of what makes the file.
    Content(u64),
}

/// What lies under a number.
#[derive(Clone, Debug)]
pub enum Kind {
    Directory,
    File,
    Page(Arc<Rendering>),
}

/// A page as it was when its name was looked up.
#[derive(Debug)]
pub struct Rendering {
    pub text: Arc<str>,
    pub modified: Timestamp,
}

/// Something that a path leads to, before it has a number.
#[derive(Clone, Debug)]
pub struct Named {
    /// Components joined by `/`; the root is empty.
    pub path: Box<str>,
    pub identity: Identity,
    pub kind: Kind,
}

/// The content of an inode with open handles: every one of them sees the same.
#[derive(Clone)]
pub struct Opened {
    pub content: Content,
    pub modified: Timestamp,
}

struct Known {
    named: Named,
    /// The other paths under which the kernel was told of it; few files have any.
    others: BTreeSet<Box<str>>,
    /// Times that the kernel was told this number and has not taken back.
    lookups: u64,
    open: Option<Box<(Opened, usize)>>,
}

impl Known {
    fn is(&self, other: &Named) -> bool {
        std::mem::discriminant(&self.named.kind) == std::mem::discriminant(&other.kind)
            && self.named.identity == other.identity
            && (other.identity != Identity::Path || self.named.path == other.path)
    }
}

impl Known {
    fn take_path(&mut self, named: Named) -> Paths {
        let before = std::mem::replace(&mut self.named, named);
        if before.path == self.named.path {
            return Paths::AllKnown;
        }
        self.others.remove(&self.named.path);
        if self.others.len() < MOST_PATHS {
            self.others.insert(before.path);
            return Paths::AllKnown;
        }
        // The path that is left out is this one: what it was told of the others stays known.
        self.named = before;
        Paths::OneUnknown
    }
}

/// Windows show one file under any number of paths; these many are remembered.
const MOST_PATHS: usize = 256;

/// Whether the kernel can be told that a path leads elsewhere now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paths {
    AllKnown,
    /// The inode has so many paths already that this one is not remembered.
    OneUnknown,
}

/// A name that the kernel may keep without asking, and what it took it for.
pub struct Kept {
    pub ino: u64,
    pub path: Box<str>,
    pub identity: Identity,
}

impl Kept {
    /// Of what is kept, only directories stand for their path.
    pub fn is_directory(&self) -> bool {
        self.identity == Identity::Path
    }
}

/// Every inode that the kernel knows.
pub struct Inodes {
    known: Mutex<HashMap<u64, Known>>,
}

impl Inodes {
    /// Knows the root, which is never forgotten.
    pub fn new() -> Self {
        let named = Named { path: "".into(), identity: Identity::Path, kind: Kind::Directory };
        Inodes {
            known: Mutex::new(HashMap::from([(
                ROOT,
                Known { named, others: BTreeSet::new(), lookups: 1, open: None },
            )])),
        }
    }

    /// The number that `named` has or would get, and its content where it is open.
    pub fn number(&self, named: &Named) -> (u64, Option<Opened>) {
        let known = self.lock();
        let ino = find(&known, named);
        (ino, known.get(&ino).and_then(|entry| Some(entry.open.as_ref()?.0.clone())))
    }

    /// The same, counted as told to the kernel once more; and whether this path can be taken back from it.
    pub fn remember(&self, named: Named) -> (u64, Paths) {
        let mut known = self.lock();
        let ino = find(&known, &named);
        let new = || Known { named: named.clone(), others: BTreeSet::new(), lookups: 0, open: None };
        let entry = known.entry(ino).or_insert_with(new);
        entry.lookups += 1;
        // The path seen last is the one most likely to still be there when the inode is asked about.
        (ino, entry.take_path(named))
    }

    /// The kernel takes back `lookups` of what it was told.
    pub fn forget(&self, ino: u64, lookups: u64) {
        let mut known = self.lock();
        let Some(entry) = known.get_mut(&ino) else { return };
        entry.lookups = entry.lookups.saturating_sub(lookups);
        drop_if_unused(&mut known, ino);
    }

    pub fn get(&self, ino: u64) -> Option<(Named, Option<Opened>)> {
        let known = self.lock();
        let entry = known.get(&ino)?;
        Some((entry.named.clone(), entry.open.as_ref().map(|open| open.0.clone())))
    }

    /// Counts one more handle, and says what it reads: what the inode's other handles read, else `opened`.
    pub fn open(&self, ino: u64, opened: Opened) -> Option<(Opened, Handles)> {
        let mut known = self.lock();
        let entry = known.get_mut(&ino)?;
        let handles = if entry.open.is_some() { Handles::Others } else { Handles::First };
        let open = entry.open.get_or_insert_with(|| Box::new((opened, 0)));
        open.1 += 1;
        Some((open.0.clone(), handles))
    }

    pub fn release(&self, ino: u64) {
        let mut known = self.lock();
        let Some(entry) = known.get_mut(&ino) else { return };
        if let Some(open) = &mut entry.open {
            open.1 -= 1;
            if open.1 == 0 {
                entry.open = None;
            }
        }
        drop_if_unused(&mut known, ino);
    }

    /// The number of the directory at `path`, if the kernel knows it.
    pub fn directory(&self, path: &str) -> Option<u64> {
        let named = Named { path: path.into(), identity: Identity::Path, kind: Kind::Directory };
        let known = self.lock();
        Some(find(&known, &named)).filter(|ino| known.contains_key(ino))
    }

    /// Every name that the kernel may keep: of directories, and of files that stand for their content.
    pub fn kept(&self) -> Vec<Kept> {
        let known = self.lock();
        let mut kept = Vec::with_capacity(known.len());
        for (&ino, entry) in known.iter().filter(|(ino, _)| **ino != ROOT) {
            let identity = match (&entry.named.kind, entry.named.identity) {
                (Kind::Directory, _) => Identity::Path,
                (Kind::File, identity @ Identity::Content(_)) => identity,
                // The kernel asks about these names each time.
                (Kind::Page(_), _) | (Kind::File, Identity::Path) => continue,
            };
            let paths = std::iter::once(&entry.named.path).chain(&entry.others);
            kept.extend(paths.map(|path| Kept { ino, path: path.clone(), identity }));
        }
        kept
    }

    /// A path no longer leads to an inode. The last one stays, for what is open there.
    pub fn drop_path(&self, ino: u64, path: &str) {
        let mut known = self.lock();
        let Some(entry) = known.get_mut(&ino) else { return };
        if *entry.named.path != *path {
            entry.others.remove(path);
        } else if let Some(other) = entry.others.pop_first() {
            entry.named.path = other;
        }
    }

    /// A thread that panicked cannot have left an entry half written: each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an inode was open already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handles {
    First,
    Others,
}

fn find(known: &HashMap<u64, Known>, named: &Named) -> u64 {
    if named.path.is_empty() && matches!(named.kind, Kind::Directory) {
        return ROOT;
    }
    let mut ino = wanted(named);
    loop {
        // 0 means "no inode" to the kernel, and 1 is the root.
        if ino > ROOT && known.get(&ino).is_none_or(|entry| entry.is(named)) {
            return ino;
        }
        ino = ino.wrapping_add(1);
    }
}

fn wanted(named: &Named) -> u64 {
    match (named.identity, &named.kind) {
        (Identity::Content(content), _) => content,
        // A path that turns from a directory into a file must not keep its number: the kernel answers that with EIO.
        (Identity::Path, Kind::Directory) => hash(&["directory", &named.path]),
        (Identity::Path, _) => hash(&["file", &named.path]),
    }
}

/// 64 bits of BLAKE3 over the parts, which may not hold NUL but in the last one.
pub fn hash(parts: &[&str]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part.as_bytes()).update(&[0]);
    }
    let mut head = [0; 8];
    head.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(head)
}

fn drop_if_unused(known: &mut HashMap<u64, Known>, ino: u64) {
    let unused = known.get(&ino).is_some_and(|entry| entry.lookups == 0 && entry.open.is_none());
    if !unused || ino == ROOT {
        return;
    }
    known.remove(&ino);
    if known.capacity() > SMALL && known.len() < known.capacity() / 8 {
        known.shrink_to(known.len() * 2);
        give_back_memory();
    }
}

/// Below this many entries a table is not worth shrinking.
const SMALL: usize = 1 << 14;

/// Millions of forgotten paths are small allocations, which the allocator would keep for itself.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests;
