//! A course's files out of weekly packages: of the one snapshot that its folder shows, and of every week.

use super::scope::CourseScope;
use super::snapshot_files::{self, Single};
use super::view::{Listing, View};
use super::{Node, Tree, missing};
use crate::error::Result;

/// `forum.mongo`, `course_structure.json`, `course.xml.tar.gz`.
pub(super) struct SnapshotFile(Single);

pub(super) const FORUM: SnapshotFile = SnapshotFile(snapshot_files::FORUM);
pub(super) const STRUCTURE: SnapshotFile = SnapshotFile(snapshot_files::STRUCTURE);
pub(super) const CONTENT: SnapshotFile = SnapshotFile(snapshot_files::CONTENT);

impl View<CourseScope> for SnapshotFile {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn lookup(&self, _: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Node> {
        let snapshot = scope.snapshot().filter(|_| rest.is_empty()).ok_or_else(missing)?;
        snapshot_files::file(snapshot, &self.0.kind)
    }

    fn list(&self, _: &Tree<'_>, _: &CourseScope, _: &[&str]) -> Result<Listing> {
        Err(missing())
    }
}

/// `snapshots/<date>/…`.
pub(super) struct Snapshots;

impl View<CourseScope> for Snapshots {
    fn name(&self) -> &'static str {
        "snapshots"
    }

    fn lookup(&self, tree: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Node> {
        let Some((name, path)) = rest.split_first() else { return Ok(tree.folder()) };
        snapshot_files::lookup(scope.course.snapshot(name).ok_or_else(missing)?, path)
    }

    fn list(&self, _: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Listing> {
        let Some((name, path)) = rest.split_first() else {
            let snapshots = scope.course.snapshots().iter();
            return Ok(snapshots.map(|s| (s.name(), Node::Dir { modified: s.modified() })).collect());
        };
        snapshot_files::list(scope.course.snapshot(name).ok_or_else(missing)?, path)
    }
}
