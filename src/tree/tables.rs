//! `tables/<table>.tsv`: of a course, unchanged; at the root, every course's in one file.

use std::collections::BTreeSet;

use super::scope::{CourseScope, Organisation};
use super::snapshot_files::{self, part, table_name, table_of};
use super::view::{Listing, View};
use super::{Body, Node, Tree, missing};
use crate::catalog::Snapshot;
use crate::catalog::courses::Course;
use crate::edx::member_name::MemberKind;
use crate::error::Result;
use crate::recipe::{Artifact, JoinPart, Output, Recipe};

/// `tables/` of a course or window.
pub(super) struct CourseTables;

impl View<CourseScope> for CourseTables {
    fn name(&self) -> &'static str {
        "tables"
    }

    fn lookup(&self, tree: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Node> {
        match (rest, scope.snapshot()) {
            ([], None) => Ok(tree.folder()),
            ([], Some(snapshot)) => Ok(Node::Dir { modified: snapshot.modified() }),
            ([name], Some(snapshot)) => snapshot_files::file(snapshot, &table_of(name)?),
            _ => Err(missing()),
        }
    }

    fn list(&self, _: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Listing> {
        match rest {
            [] => Ok(scope.snapshot().map(snapshot_files::tables).unwrap_or_default()),
            _ => Err(missing()),
        }
    }
}

/// `tables/` at the root: the newest readable package's, all courses together.
pub(super) struct JoinedTables;

impl JoinedTables {
    /// The courses that the newest readable package holds a file of, in order of folder name.
    fn newest<'a>(tree: &Tree<'a>) -> impl Iterator<Item = (&'a Course, &'a Snapshot)> {
        let package = tree.catalog.newest_package();
        let newest = tree.catalog.courses().filter_map(|course| Some((&**course, course.snapshot_for(None)?)));
        newest.filter(move |(_, snapshot)| Some(snapshot.package().name.as_str()) == package)
    }

    fn joined(tree: &Tree<'_>, table: &MemberKind) -> Option<Node> {
        let MemberKind::Table(name) = table else { return None };
        let members = Self::newest(tree).filter_map(|(course, snapshot)| Some((course, snapshot.member(table)?)));
        let mut modified = None;
        let mut parts = Vec::new();
        // Nothing where ciphertext should be is one course's problem, not the whole table's.
        for (course, member) in members.filter(|(_, member)| !member.is_void()) {
            modified = modified.max(Some(member.object.modified));
            let (folder, part) = (course.folder.to_string(), part(&member));
            parts.push(JoinPart { folder, part, layers: member.layers });
        }
        let recipe = Recipe::Joined { table: name.clone(), parts };
        let body = Body::Artifact(Artifact { recipe, output: Output::Whole });
        Some(Node::File { body, modified: modified? })
    }
}

impl View<Organisation> for JoinedTables {
    fn name(&self) -> &'static str {
        "tables"
    }

    fn lookup(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Node> {
        match rest {
            [] => Ok(tree.folder()),
            [name] => Self::joined(tree, &table_of(name)?).ok_or_else(missing),
            _ => Err(missing()),
        }
    }

    fn list(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Listing> {
        if !rest.is_empty() {
            return Err(missing());
        }
        let kinds: BTreeSet<&MemberKind> =
            Self::newest(tree).flat_map(|(_, snapshot)| snapshot.members().map(|(kind, _)| kind)).collect();
        Ok(kinds.into_iter().filter_map(|kind| Some((table_name(kind)?, Self::joined(tree, kind)?))).collect())
    }
}
