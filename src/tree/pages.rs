//! The pages: README.txt, courses.tsv, problems.tsv, info.txt. Rendered when opened, from what is known then.

mod info;
mod readme;
mod run_info;

use std::sync::Arc;

use super::days;
use super::scope::{CourseScope, Organisation};
use super::snapshot_files;
use super::view::{Listing, View};
use super::{Body, Node, Page, Tree, missing};
use crate::catalog::Snapshot;
use crate::edx::course_run::CourseId;
use crate::edx::table::push_row;
use crate::edx::window::Window;
use crate::error::Result;

/// A page at the root.
pub(super) struct RootPage {
    name: &'static str,
    page: Page,
}

pub(super) const README: RootPage = RootPage { name: "README.txt", page: Page::Readme };
pub(super) const COURSES: RootPage = RootPage { name: "courses.tsv", page: Page::Courses };
pub(super) const PROBLEMS: RootPage = RootPage { name: "problems.tsv", page: Page::Problems };

/// `info.txt` of a course or window.
pub(super) struct Info;

/// The text of a page.
pub(super) fn render(tree: &Tree<'_>, page: &Page) -> String {
    match page {
        Page::Readme => readme::render(tree),
        Page::Courses => courses(tree),
        Page::Problems => problems(tree),
        Page::Info(folder) => info::render(tree, folder, None),
        Page::WindowInfo(folder, window) => info::render(tree, folder, Some(*window)),
        Page::RunInfo(folder, window) => run_info::render(tree, folder, *window),
    }
}

fn courses(tree: &Tree<'_>) -> String {
    let mut text = String::from("folder\tcourse_id\tsite\ttitle\tfirst_day\tlast_day\tsnapshot\n");
    for course in tree.catalog.courses() {
        let (first, last) = days::first_and_last(tree, course);
        let date = |date: Option<jiff::civil::Date>| date.map(|date| date.to_string()).unwrap_or_default();
        let id = course.id.as_ref().map_or("", |(id, _)| CourseId::as_str(id));
        let snapshot = course.snapshot_for(None);
        let title = snapshot.and_then(|snapshot| title(tree, snapshot)).unwrap_or_default();
        let snapshot = snapshot.map(Snapshot::name).unwrap_or_default();
        push_row(&mut text, &[&course.folder, id, course.site.as_str(), &title, &date(first), &date(last), &snapshot]);
    }
    text
}

fn title(tree: &Tree<'_>, snapshot: &Snapshot) -> Option<Arc<str>> {
    match snapshot_files::file(snapshot, &snapshot_files::STRUCTURE.kind).ok()? {
        Node::File { body: Body::Artifact(structure), .. } => tree.known.title(&structure),
        _ => None,
    }
}

fn problems(tree: &Tree<'_>) -> String {
    let mut problems = tree.catalog.problems().clone();
    problems.extend(tree.known.problems());
    let mut text = String::from("object\tentry\twhat\tcount\terrno\twhat_to_do\n");
    for p in problems {
        push_row(&mut text, &[&p.object, &p.entry, &p.what, &p.count.to_string(), p.errno, &p.what_to_do]);
    }
    text
}

/// `info.txt` beside what the toolkit makes of a course or window.
pub(super) fn run_info(tree: &Tree<'_>, scope: &CourseScope) -> Node {
    node(tree, Page::RunInfo(scope.course.folder.clone(), scope.days()))
}

fn node(tree: &Tree<'_>, page: Page) -> Node {
    Node::File { body: Body::Page(page), modified: tree.catalog.newest() }
}

fn file(tree: &Tree<'_>, page: Page, rest: &[&str]) -> Result<Node> {
    rest.is_empty().then(|| node(tree, page)).ok_or_else(missing)
}

impl View<Organisation> for RootPage {
    fn name(&self) -> &'static str {
        self.name
    }

    fn lookup(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Node> {
        file(tree, self.page.clone(), rest)
    }

    fn list(&self, _: &Tree<'_>, _: &Organisation, _: &[&str]) -> Result<Listing> {
        Err(missing())
    }
}

impl View<CourseScope> for Info {
    fn name(&self) -> &'static str {
        "info.txt"
    }

    fn lookup(&self, tree: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Node> {
        let folder = scope.course.folder.clone();
        let page = match scope.window {
            None => Page::Info(folder),
            Some(window) => Page::WindowInfo(folder, window),
        };
        file(tree, page, rest)
    }

    fn list(&self, _: &Tree<'_>, _: &CourseScope, _: &[&str]) -> Result<Listing> {
        Err(missing())
    }
}
