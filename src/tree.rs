//! Path → node: a pure function of a catalog and of what is known of its days; no sizes, no runs.
//!
//! A directory of the tree is made of [views](view), one list of them for each scope. A view knows its own paths and
//! no other view; what two of them show alike (a course's event files, a snapshot's files) lies in a module below both.

mod courses;
mod days;
mod events;
pub mod inputs;
mod late;
mod learners;
mod logs;
mod packages;
mod pages;
mod rdx;
mod reports;
mod run_data;
mod samced;
mod scope;
mod snapshot_files;
mod snapshots;
mod tables;
mod view;
mod windows;

use std::sync::Arc;

use jiff::Timestamp;

use crate::catalog::Catalog;
use crate::catalog::problem::Problem;
use crate::edx::course_run::CourseId;
use crate::edx::tracking_log::CourseRule;
use crate::edx::window::Window;
use crate::error::{Error, Result};
use crate::recipe::derived::Late;
use crate::recipe::{Artifact, Part, Recipe};

use scope::{CourseScope, Organisation};
use view::{View, list_in, lookup_in};

/// What stands under one path.
#[derive(Clone, Debug)]
pub enum Node {
    Dir { modified: Timestamp },
    File { body: Body, modified: Timestamp },
}

/// What a file is made of.
#[derive(Clone, Debug)]
pub enum Body {
    Artifact(Artifact),
    /// Rendered when looked up; small, decodes nothing.
    Page(Page),
}

/// The rendered files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Page {
    Readme,
    Courses,
    Problems,
    /// `info.txt` of a course folder.
    Info(Arc<str>),
    /// `info.txt` of a course folder cut to a window.
    WindowInfo(Arc<str>, Window),
    /// `info.txt` of a course's `course-run-data` and `samced`, or of a window's.
    RunInfo(Arc<str>, Window),
}

/// What has been learned from runs so far. All methods answer at once.
pub trait Known {
    /// Whether a day holds lines of a course; None: the day is not decoded.
    fn holds(&self, log: &Part, course: &CourseId) -> Option<bool>;
    /// Whether the day is decoded, so that every course id in it has been met.
    fn decoded(&self, log: &Part) -> bool;
    /// The course's title, if its structure has been read; `structure` is the file of its newest snapshot.
    fn title(&self, structure: &Artifact) -> Option<Arc<str>>;
    /// Paths of the files in an encrypted tar, as `Output::Member` names them; None: it is not unpacked.
    fn unpacked(&self, package: &Part) -> Option<Arc<Vec<String>>>;
    /// The tables of a `samced.db`, if it was made of what its scope holds now; None: it was not yet.
    fn tables(&self, database: &Late) -> Option<Arc<Vec<String>>>;
    /// Whether a course, by its folder, has lines of a user, by the name of the user's folder; None: not known yet.
    fn has_learner(&self, course: &str, user: &str) -> Option<bool>;
    /// What was found wrong while objects were decoded.
    fn problems(&self) -> Vec<Problem>;
}

const ORGANISATION: &[&dyn View<Organisation>] = &[
    &pages::README,
    &pages::COURSES,
    &pages::PROBLEMS,
    &courses::Courses,
    &events::AllEvents,
    &tables::JoinedTables,
    &packages::Packages::CourseData,
    &packages::Packages::OptIn,
    &logs::DecryptedLogs,
    &rdx::Exchange,
    &samced::Database,
    &learners::Learners,
    &reports::Reports,
];

const COURSE: &[&dyn View<CourseScope>] = &[
    &pages::Info,
    &events::CourseEvents,
    &tables::CourseTables,
    &snapshots::FORUM,
    &snapshots::STRUCTURE,
    &snapshots::CONTENT,
    &samced::Database,
    &samced::Sheets,
    &run_data::RunData,
    &learners::Learners,
    &snapshots::Snapshots,
    &windows::Between,
];

const WINDOW: &[&dyn View<CourseScope>] = &[
    &pages::Info,
    &events::CourseEvents,
    &tables::CourseTables,
    &snapshots::FORUM,
    &snapshots::STRUCTURE,
    &snapshots::CONTENT,
    &samced::Database,
    &samced::Sheets,
    &run_data::RunData,
    &learners::Learners,
];

/// The tree over one catalog, as far as its days are known.
///
/// Paths are components joined by `/`, without a leading one; `""` is the root.
#[derive(Clone, Copy)]
pub struct Tree<'a> {
    pub catalog: &'a Catalog,
    pub known: &'a dyn Known,
    pub rule: CourseRule,
}

impl Tree<'_> {
    /// The node at a path. Errors: `NotFound`; `WouldWait` where [`Tree::needs`] names a recipe.
    pub fn lookup(&self, path: &str) -> Result<Node> {
        if path.is_empty() {
            return Ok(self.folder());
        }
        let components = components(path)?;
        lookup_in(ORGANISATION, self, &Organisation, &components).map_err(|error| error.about(path))
    }

    /// The entries of a directory, in order of name. Errors: `NotFound`, also for a file; `WouldWait` as in `lookup`.
    pub fn list(&self, path: &str) -> Result<Vec<(String, Node)>> {
        let components = components(path)?;
        let listed = list_in(ORGANISATION, self, &Organisation, &components);
        let mut entries = listed.map_err(|error| error.about(path))?;
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(entries)
    }

    /// The text of a page as it is now; empty if its course is no longer there.
    pub fn render(&self, page: &Page) -> String {
        pages::render(self, page)
    }

    /// What must be run before what lies under the path can be listed or looked up, where either fails with `WouldWait`.
    pub fn needs(&self, path: &str) -> Option<Recipe> {
        rdx::needs(self, path)
    }

    /// A folder as new as anything in the catalog.
    fn folder(&self) -> Node {
        Node::Dir { modified: self.catalog.newest() }
    }
}

fn components(path: &str) -> Result<Vec<&str>> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let components: Vec<&str> = path.split('/').collect();
    if components.contains(&"") { Err(missing().about(path)) } else { Ok(components) }
}

fn missing() -> Error {
    Error::not_found("no such file or directory")
}

#[cfg(test)]
mod tests;
