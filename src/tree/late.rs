//! Files that join days: named without I/O, made of everything in their scope when somebody opens them.

use std::sync::Arc;

use jiff::Timestamp;

use super::scope::CourseScope;
use super::{Body, Node, Tree, days};
use crate::recipe::derived::{Late, LateFile, Scope};
use crate::recipe::{Artifact, Output, Recipe};

/// The course's, cut to its window.
pub(super) fn of_course(tree: &Tree<'_>, scope: &CourseScope, file: LateFile) -> Late {
    let org = tree.catalog.org().into();
    Late { org, file, scope: Scope::Course(scope.course.folder.clone()), window: scope.days() }
}

pub(super) fn file(late: Late, modified: Timestamp) -> Node {
    let recipe = Recipe::Late(Arc::new(late));
    Node::File { body: Body::Artifact(Artifact { recipe, output: Output::Whole }), modified }
}

/// Time of the newest input that holds something of the course, or may; of the catalog where there is none. Asks once
/// for each day: a folder is to ask once.
pub(super) fn modified(tree: &Tree<'_>, scope: &CourseScope) -> Timestamp {
    let snapshot = scope.snapshot().map(|snapshot| snapshot.modified());
    days::newest(tree, &scope.course, scope.days()).max(snapshot).unwrap_or(tree.catalog.newest())
}
