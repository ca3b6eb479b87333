//! Reading the tree by path, as commands do: what stands there, what a folder lists, what a file holds.

use std::io::{Cursor, Read};

use crate::control::{Item, Opened, Origin};
use crate::engine::size::Size;
use crate::engine::wait::Wait;
use crate::error::{Error, Result};
use crate::tree::{Body, Node};
use crate::volume::Volume;

/// An open file: its content stays the same until it is dropped.
pub struct Contents {
    pub opened: Opened,
    pub reader: Box<dyn Read + Send>,
}

impl Volume {
    /// What stands under a path; its name is the path's last. Waits for no size. Errors: `NotFound`, and the source's.
    pub fn item(&self, path: &str, wait: Wait<'_>) -> Result<Item> {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        self.describe(path, name, &self.lookup(path, wait)?)
    }

    /// A directory's entries in order of name. Errors: as `item`.
    pub fn items(&self, path: &str, wait: Wait<'_>) -> Result<Vec<Item>> {
        let separator = if path.is_empty() { "" } else { "/" };
        let entries = self.list(path, wait)?;
        let describe = |name: &str, node| self.describe(&format!("{path}{separator}{name}"), name, node);
        entries.iter().map(|entry| describe(&entry.name, &entry.node)).collect()
    }

    /// What a file comes from; nothing is made. Errors: `Usage` for a directory, `NotFound`, and the source's.
    pub fn origin(&self, path: &str, wait: Wait<'_>) -> Result<Origin> {
        match self.lookup(path, wait)? {
            Node::Dir { .. } => Err(Error::usage("is a directory")),
            Node::File { body: Body::Page(_), .. } => Ok(Origin::default()),
            Node::File { body: Body::Artifact(artifact), .. } => Ok(self.maker(&artifact)?.origin(&artifact)),
        }
    }

    /// Opens a file, made and verified. Errors: `Usage` for a directory, all of tree.md 4.
    pub fn contents(&self, path: &str, wait: Wait<'_>) -> Result<Contents> {
        let artifact = match self.lookup(path, wait)? {
            Node::Dir { .. } => return Err(Error::usage("is a directory")),
            Node::File { body: Body::Page(page), modified } => {
                let text = self.render(path, &page).as_bytes().to_vec();
                let opened = Opened { bytes: text.len() as u64, modified, source: String::new(), etag: String::new() };
                return Ok(Contents { opened, reader: Box::new(Cursor::new(text)) });
            }
            Node::File { body: Body::Artifact(artifact), .. } => artifact,
        };
        let blob = self.open(&artifact, wait)?;
        // What a day holds of a course, and so how new the course's files are, is known only now.
        let modified = match self.lookup(path, Wait::Never)? {
            Node::Dir { modified } | Node::File { modified, .. } => modified,
        };
        let origin = self.maker(&artifact)?.origin(&artifact);
        let opened = Opened { bytes: blob.len(), modified, source: origin.source, etag: origin.etag };
        Ok(Contents { opened, reader: Box::new(blob.reader()) })
    }

    fn describe(&self, path: &str, name: &str, node: &Node) -> Result<Item> {
        let (size, modified) = match node {
            Node::Dir { modified } => (None, *modified),
            Node::File { body: Body::Page(page), modified } => {
                (Some(Size::Exact(self.render(path, page).len() as u64)), *modified)
            }
            // A listing waits for no size, also where `--sizes exact` makes a mount's `stat` wait.
            Node::File { body: Body::Artifact(artifact), modified } => (Some(self.size_at_once(artifact)?), *modified),
        };
        Ok(Item { name: name.to_owned(), size, modified })
    }
}
