//! What is selected, in the one order that both forms have: that of the bytes of the paths, a folder's ending in `/`.
//!
//! A folder is listed when its turn comes, and again while and after it is walked through: some names become known
//! only by what is opened. Memory: the listings of one path's folders.

use std::collections::{BTreeMap, BTreeSet};

use crate::control::Item;
use crate::engine::size::Size;
use crate::error::{Error, ErrorKind, Result};
use crate::export::selection::{Selection, Wanted};
use crate::export::{Tree, Watcher};
use crate::volume::Contents;

/// What the gzip of an empty file may measure.
const NOTHING_BYTES: u64 = 20;

/// How a walk came upon a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Its folder lists it.
    Listed,
    /// It was asked for.
    Named,
}

/// A file on the way.
pub(super) struct Entry<'a> {
    pub path: &'a str,
    pub item: &'a Item,
    pub found: Found,
}

/// Whether a folder is walked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Into,
    Over,
}

/// What a walk comes upon. An error ends the walk.
pub(super) trait Sink {
    /// A folder, before what lies in it; the path ends in `/`.
    fn enter(&mut self, path: &str, item: &Item) -> Result<Step>;
    /// The folder entered last that was not left yet.
    fn leave(&mut self, path: &str, item: &Item) -> Result<()>;
    fn file(&mut self, entry: &Entry<'_>) -> Result<()>;
    /// The next comes before one that was there already: it was not known then.
    fn late(&mut self, path: &str) -> Result<()>;
    /// A folder that cannot be listed, or a name that cannot be looked up.
    fn failed(&mut self, path: &str, error: Error) -> Result<()>;
}

/// Walks through all that is selected. Errors: the sink's; `Interrupted`.
pub(super) fn walk(tree: &dyn Tree, selection: &Selection, watcher: &dyn Watcher, sink: &mut dyn Sink) -> Result<()> {
    Walk { tree, watcher, sink }.below("", &selection.root)
}

struct Walk<'a> {
    tree: &'a dyn Tree,
    watcher: &'a dyn Watcher,
    sink: &'a mut dyn Sink,
}

struct Child {
    item: Item,
    found: Found,
}

/// By name, a folder's with the `/` that it sorts with.
type Children = BTreeMap<String, Child>;

impl Walk<'_> {
    /// `folder` is empty or ends in `/`.
    fn below(&mut self, folder: &str, wanted: &Wanted) -> Result<()> {
        let mut seen = BTreeSet::new();
        let mut waiting = self.children(folder, wanted)?;
        while let Some((name, child)) = waiting.pop_first() {
            if self.watcher.wants_stop() {
                return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
            }
            let path = format!("{folder}{name}");
            if seen.last().is_some_and(|last| *last > name) {
                self.sink.late(&path)?;
            }
            let is_folder = child.item.size.is_none();
            self.child(&path, child, wanted)?;
            seen.insert(name);
            if wanted.whole && (is_folder || waiting.is_empty()) {
                self.look_again(folder, &mut waiting, &seen);
            }
        }
        Ok(())
    }

    fn child(&mut self, path: &str, child: Child, wanted: &Wanted) -> Result<()> {
        if child.item.size.is_some() {
            return self.sink.file(&Entry { path, item: &child.item, found: child.found });
        }
        if self.sink.enter(path, &child.item)? == Step::Into {
            let wanted = wanted.below.get(&child.item.name).cloned().unwrap_or_default();
            let whole = wanted.whole || child.found == Found::Listed;
            self.below(path, &Wanted { whole, ..wanted })?;
            self.sink.leave(path, &child.item)?;
        }
        Ok(())
    }

    /// What is listed and what is named.
    fn children(&mut self, folder: &str, wanted: &Wanted) -> Result<Children> {
        let mut children = Children::new();
        if wanted.whole {
            match self.listed(folder) {
                Ok(listed) => children = listed,
                Err(error) => self.sink.failed(folder, error)?,
            }
        }
        for name in wanted.below.keys() {
            let path = format!("{folder}{name}");
            match self.tree.item(&path) {
                Ok(item) => {
                    children.entry(key(&item)).or_insert(Child { item, found: Found::Named });
                }
                Err(error) => self.sink.failed(&path, error)?,
            }
        }
        Ok(children)
    }

    fn listed(&self, folder: &str) -> Result<Children> {
        let items = self.tree.list(folder.trim_end_matches('/'))?;
        if !items.iter().all(|item| is_name(&item.name)) {
            return Err(Error::internal("lists a name that is none"));
        }
        Ok(items.into_iter().map(|item| (key(&item), Child { item, found: Found::Listed })).collect())
    }

    /// Adds names that have become known since: courses that stand in events alone, sheets of a database.
    fn look_again(&self, folder: &str, waiting: &mut Children, seen: &BTreeSet<String>) {
        // That it cannot be listed has been told, or it could be a moment ago.
        let listed = self.listed(folder).unwrap_or_default();
        for (name, child) in listed {
            if !seen.contains(&name) {
                waiting.entry(name).or_insert(child);
            }
        }
    }
}

/// The name that it sorts by.
fn key(item: &Item) -> String {
    format!("{}{}", item.name, if item.size.is_none() { "/" } else { "" })
}

/// Whether it can be a name in a folder, and leads nowhere else.
fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

/// Opens a file that a walk came upon; None where it turns out that its folder no longer lists it, as a day that was
/// not decoded when it was listed and holds nothing of the course.
pub(super) fn open(tree: &dyn Tree, entry: &Entry<'_>) -> Result<Option<Contents>> {
    let contents = match tree.open(entry.path) {
        Err(error) if error.kind() == ErrorKind::NotFound && !is_listed(tree, entry)? => return Ok(None),
        contents => contents?,
    };
    let was_unknown = matches!(entry.item.size, Some(Size::StandIn(_)));
    let vanishes = was_unknown && entry.found == Found::Listed && contents.opened.bytes <= NOTHING_BYTES;
    Ok(if vanishes && !is_listed(tree, entry)? { None } else { Some(contents) })
}

fn is_listed(tree: &dyn Tree, entry: &Entry<'_>) -> Result<bool> {
    if entry.found == Found::Named {
        return Ok(true);
    }
    let (folder, name) = entry.path.rsplit_once('/').unwrap_or(("", entry.path));
    Ok(tree.list(folder)?.iter().any(|item| item.name == name))
}
