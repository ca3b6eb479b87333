//! Everything under one mount point: path → node → size, content. FUSE and the commands talk to this alone.
//!
//! One organisation's tree is the root; of several, each is a folder in it, and nothing of them is ever merged.

pub mod data_key;
mod derived;
mod directory;
mod faults;
mod learned;
mod met;
mod organisation;
pub mod purge;
mod reading;
mod records;
mod refresher;
pub mod rekey;
mod start;
mod walk;

use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Sizes;
use crate::edx::object_key::{ObjectRole, object_role};
use crate::engine::size::Size;
use crate::engine::wait::Wait;
use crate::error::{Error, Result};
use crate::recipe::{Artifact, Recipe};
use crate::store::blob::Blob;
use crate::tree::{Node, Page};
pub use crate::volume::directory::Archive;
use crate::volume::organisation::Organisation;
pub use crate::volume::reading::Contents;
pub use crate::volume::start::{Freshness, connect, s3_settings};
pub use crate::volume::walk::Indexed;

/// One directory entry.
#[derive(Clone, Debug)]
pub struct Listed {
    pub name: String,
    pub node: Node,
}

/// Where an artifact's bytes are, for the `user.edxfs.*` xattrs.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    /// `bucket/key[/entry]`.
    pub source: String,
    pub etag: String,
    pub cached: bool,
    /// Objects still to be decoded before it opens.
    pub needs: usize,
}

/// The organisations mounted together.
pub struct Volume {
    organisations: Vec<(String, Arc<Organisation>)>,
}

impl Volume {
    /// The node at a path: components joined by `/`, no leading slash, `""` is the root. Errors: `NotFound`; `WouldWait`.
    pub fn lookup(&self, path: &str, wait: Wait<'_>) -> Result<Node> {
        match self.route(path)? {
            Some((organisation, path)) => organisation.lookup(path, wait),
            None => Ok(Node::Dir { modified: Timestamp::UNIX_EPOCH }),
        }
    }

    /// A directory's entries, in order of name, without `.` and `..`. Errors: `NotFound`; `WouldWait`.
    pub fn list(&self, path: &str, wait: Wait<'_>) -> Result<Arc<Vec<Listed>>> {
        match self.route(path)? {
            Some((organisation, path)) => organisation.list(path, wait),
            None => {
                let node = Node::Dir { modified: Timestamp::UNIX_EPOCH };
                let listed = |(name, _): &(String, _)| Listed { name: name.clone(), node: node.clone() };
                Ok(Arc::new(self.organisations.iter().map(listed).collect()))
            }
        }
    }

    /// The text of a page as it is now.
    pub fn render(&self, path: &str, page: &Page) -> Arc<str> {
        match self.route(path) {
            Ok(Some((organisation, _))) => organisation.render(page),
            _ => "".into(),
        }
    }

    /// Exact if known, else a stand-in; with `Wait::Until` and `--sizes exact` made exact. Errors: `TimedOut`, as `open`.
    pub fn size(&self, artifact: &Artifact, wait: Wait<'_>) -> Result<Size> {
        self.maker(artifact)?.size(artifact, wait)
    }

    /// Exact if known, else a stand-in, also with `--sizes exact`. Errors: `NotFound`, for a file of nobody's.
    pub fn size_at_once(&self, artifact: &Artifact) -> Result<Size> {
        Ok(self.maker(artifact)?.size_at_once(artifact))
    }

    /// The content, complete and verified. Errors: all of tree.md 4; `WouldWait` with `Wait::Never` where it must be made.
    pub fn open(&self, artifact: &Artifact, wait: Wait<'_>) -> Result<Blob> {
        self.maker(artifact)?.open(artifact, wait)
    }

    pub fn provenance(&self, artifact: &Artifact) -> Provenance {
        self.maker(artifact).map(|organisation| organisation.provenance(artifact)).unwrap_or_default()
    }

    /// 64 bits that stand for the artifact's content; None while its inputs are not all known.
    pub fn identity(&self, artifact: &Artifact) -> Option<u64> {
        self.maker(artifact).ok()?.identity(artifact)
    }

    /// Bytes the caches hold, and may hold, for statfs.
    pub fn cache_bytes(&self) -> (u64, u64) {
        let stores = self.organisations.iter().map(|(_, organisation)| &organisation.store);
        stores.fold((0, 0), |(used, limit), store| (used + store.used_bytes(), limit + store.limit_bytes()))
    }

    /// Lists the sources anew. Errors: the first organisation's that failed; the others are refreshed all the same.
    pub fn refresh(&self) -> Result<()> {
        let refreshed: Vec<_> = self.organisations.iter().map(|(_, organisation)| organisation.refresh()).collect();
        refreshed.into_iter().try_for_each(|result| result.map(drop))
    }

    /// Whether every source has been listed since the start.
    fn has_refreshed(&self) -> bool {
        self.organisations.iter().all(|(_, organisation)| organisation.records.last_refresh().is_some())
    }

    /// Calls back whenever names may lead elsewhere than before: after a refresh, and when a decoded day makes a course.
    pub fn on_change(&self, callback: impl Fn() + Send + Clone + 'static) {
        for (_, organisation) in &self.organisations {
            organisation.records.on_change(Box::new(callback.clone()));
        }
    }

    /// The organisation whose engine makes an artifact: the one that its first object's key speaks of.
    fn maker(&self, artifact: &Artifact) -> Result<&Arc<Organisation>> {
        if let [(_, only)] = &self.organisations[..] {
            return Ok(only);
        }
        let named = match &artifact.recipe {
            Recipe::Late(late) => Some(&*late.org),
            _ => None,
        };
        let key = artifact.recipe.first_part().map_or("", |part| part.object.key.as_str());
        let means_something =
            |org: &str| named.map_or_else(|| object_role(org, key) != ObjectRole::Unknown, |n| n == org);
        let found = self.organisations.iter().find(|(org, _)| means_something(org));
        found.map(|(_, organisation)| organisation).ok_or_else(|| Error::not_found("no such file"))
    }

    /// The organisation that a path lies in, and the rest of the path; None for the root above several.
    fn route<'a>(&self, path: &'a str) -> Result<Option<(&Arc<Organisation>, &'a str)>> {
        if let [(_, only)] = &self.organisations[..] {
            return Ok(Some((only, path)));
        }
        if path.is_empty() {
            return Ok(None);
        }
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        let found = self.organisations.iter().find(|(name, _)| name == first);
        found.map(|(_, organisation)| Some((organisation, rest))).ok_or_else(|| Error::not_found("no such name"))
    }
}
