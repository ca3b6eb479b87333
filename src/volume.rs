//! Everything under one mount point: path → node → size, content. FUSE and the commands talk to this alone.

use std::sync::Arc;

use crate::engine::size::Size;
use crate::engine::wait::Wait;
use crate::error::Result;
use crate::recipe::Artifact;
use crate::store::blob::Blob;
use crate::tree::{Node, Page};

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
}

pub struct Volume {}

impl Volume {
    /// The node at a path: components joined by `/`, no leading slash, `""` is the root. Errors: `NotFound`; `WouldWait`.
    pub fn lookup(&self, _path: &str, _wait: Wait<'_>) -> Result<Node> {
        todo!()
    }
    /// A directory's entries, in order of name, without `.` and `..`. Errors: `NotFound`; `WouldWait`.
    pub fn list(&self, _path: &str, _wait: Wait<'_>) -> Result<Arc<Vec<Listed>>> {
        todo!()
    }
    /// The text of a page as it is now.
    pub fn render(&self, _path: &str, _page: &Page) -> Arc<str> {
        todo!()
    }
    /// Exact if known, else a stand-in; with `Wait::Until` and `--sizes exact` made exact. Errors: `TimedOut`, as `open`.
    pub fn size(&self, _artifact: &Artifact, _wait: Wait<'_>) -> Result<Size> {
        todo!()
    }
    /// The content, complete and verified. Errors: all of tree.md 4; `WouldWait` with `Wait::Never` where it must be made.
    pub fn open(&self, _artifact: &Artifact, _wait: Wait<'_>) -> Result<Blob> {
        todo!()
    }
    pub fn provenance(&self, _artifact: &Artifact) -> Provenance {
        todo!()
    }
    /// 64 bits that stand for the artifact's content; None while its inputs are not all known.
    pub fn identity(&self, _artifact: &Artifact) -> Option<u64> {
        todo!()
    }
    /// Bytes the cache holds, and may hold, for statfs.
    pub fn cache_bytes(&self) -> (u64, u64) {
        todo!()
    }
}
