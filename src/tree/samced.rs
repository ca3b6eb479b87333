//! `samced.db` and `samced/`: the database that joins a course's days and tables, and its tables as CSV.
//!
//! A table for each problem is known once the database is made; before that any name that could be one resolves.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::inputs::snapshot_inputs;
use super::pages;
use super::scope::{CourseScope, Organisation};
use super::view::{Listing, View};
use super::{Node, Tree, late, missing};
use crate::catalog::package::is_file_name;
use crate::edx::window::Window;
use crate::error::Result;
use crate::recipe::derived::{Late, LateFile, Scope};

/// `samced.db`.
pub(super) struct Database;

/// `samced/`.
pub(super) struct Sheets;

/// The tables that every database of a course has.
const ALWAYS: [&str; 17] = [
    "about",
    "event_counts",
    "page_activity",
    "page_activity_courseware",
    "page_activity_discussion",
    "page_activity_info",
    "page_activity_progress",
    "post_survey_answers",
    "pre_roll_video_activity",
    "pre_survey_answers",
    "problem",
    "problem_activity",
    "problem_index",
    "textbook_activity",
    "video_activity",
    "video_activity_ng",
    "video_activity_ng2",
];
const OF_FORUM: [&str; 2] = ["discussion_forum_activity", "discussion_forum_activity_ng"];
const OF_STRUCTURE: &str = "course_axis";

const VIDEO_ERRORS: &str = "errors.txt";
const INFO: &str = "info.txt";

impl View<Organisation> for Database {
    fn name(&self) -> &'static str {
        "samced.db"
    }

    fn lookup(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Node> {
        let (org, file) = (tree.catalog.org().into(), LateFile::Samced);
        let late = Late { org, file, scope: Scope::Organisation, window: Window::ALL };
        rest.is_empty().then(|| late::file(late, tree.catalog.newest())).ok_or_else(missing)
    }

    fn list(&self, _: &Tree<'_>, _: &Organisation, _: &[&str]) -> Result<Listing> {
        Err(missing())
    }
}

impl View<CourseScope> for Database {
    fn name(&self) -> &'static str {
        "samced.db"
    }

    fn lookup(&self, tree: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Node> {
        let file = || late::file(late::of_course(tree, scope, LateFile::Samced), late::modified(tree, scope));
        rest.is_empty().then(file).ok_or_else(missing)
    }

    fn list(&self, _: &Tree<'_>, _: &CourseScope, _: &[&str]) -> Result<Listing> {
        Err(missing())
    }
}

impl Sheets {
    /// The tables that are there by what the snapshot holds, before anything is made.
    fn expected(scope: &CourseScope) -> BTreeSet<String> {
        let inputs = snapshot_inputs(&scope.course, scope.days());
        let standard = inputs.tables.iter().map(|(table, _)| &**table);
        let forum = inputs.forum.iter().flat_map(|_| OF_FORUM);
        let structure = inputs.structure.iter().map(|_| OF_STRUCTURE);
        standard.chain(forum).chain(structure).chain(ALWAYS).map(str::to_owned).collect()
    }

    /// The tables of the database, if it has been made.
    fn known(tree: &Tree<'_>, scope: &CourseScope) -> Option<Arc<Vec<String>>> {
        tree.known.tables(&late::of_course(tree, scope, LateFile::Samced))
    }

    /// What a name stands for; an expected table's stays also where it turned out that it cannot be made.
    fn named(tree: &Tree<'_>, scope: &CourseScope, name: &str) -> Result<LateFile> {
        if name == VIDEO_ERRORS {
            return Ok(LateFile::VideoErrors);
        }
        let table = table_of(name).ok_or_else(missing)?;
        let is_there = Self::expected(scope).contains(table)
            || Self::known(tree, scope)
                .map_or_else(|| may_be_of_a_problem(table), |known| known.iter().any(|t| t == table));
        is_there.then(|| LateFile::Sheet(table.into())).ok_or_else(missing)
    }
}

impl View<CourseScope> for Sheets {
    fn name(&self) -> &'static str {
        "samced"
    }

    fn lookup(&self, tree: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Node> {
        match rest {
            [] => Ok(tree.folder()),
            [INFO] => Ok(pages::run_info(tree, scope)),
            [name] => {
                let file = Self::named(tree, scope, name)?;
                Ok(late::file(late::of_course(tree, scope, file), late::modified(tree, scope)))
            }
            _ => Err(missing()),
        }
    }

    fn list(&self, tree: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Listing> {
        if !rest.is_empty() {
            return Err(missing());
        }
        // One that turned out to be unusable stays, and says why when it is opened.
        let mut tables = Self::expected(scope);
        tables.extend(Self::known(tree, scope).iter().flat_map(|known| known.iter().cloned()));
        let sheets = tables.iter().map(|table| (file_name(table), LateFile::Sheet(table.as_str().into())));
        let sheets = sheets.filter(|(name, _)| is_file_name(name));
        let modified = late::modified(tree, scope);
        let node = |file| late::file(late::of_course(tree, scope, file), modified);
        let mut listing: Listing = sheets.map(|(name, file)| (name, node(file))).collect();
        listing.push((VIDEO_ERRORS.to_owned(), node(LateFile::VideoErrors)));
        listing.push((INFO.to_owned(), pages::run_info(tree, scope)));
        Ok(listing)
    }
}

fn file_name(table: &str) -> String {
    format!("SAMCED-{table}.csv")
}

/// The table that a file of this name holds.
fn table_of(name: &str) -> Option<&str> {
    name.strip_prefix("SAMCED-")?.strip_suffix(".csv").filter(|_| is_file_name(name))
}

fn may_be_of_a_problem(table: &str) -> bool {
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    table.strip_prefix("problem_").is_some_and(is_id)
}
