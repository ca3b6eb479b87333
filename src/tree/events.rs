//! Event files: of a course in its own folder; at the root of every course, of whole days, and of no course.

use super::days;
use super::scope::{CourseScope, Organisation};
use super::view::{Listing, View};
use super::{Body, Node, Tree, missing};
use crate::catalog::day_log::DayLog;
use crate::edx::course_run::Site;
use crate::edx::window::Window;
use crate::error::Result;
use crate::recipe::{Artifact, Output, Recipe};

/// `events/` of a course or window.
pub(super) struct CourseEvents;

impl View<CourseScope> for CourseEvents {
    fn name(&self) -> &'static str {
        "events"
    }

    fn lookup(&self, tree: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Node> {
        match rest {
            [] => Ok(tree.folder()),
            [name] => days::lookup(tree, &scope.course, scope.days(), name),
            _ => Err(missing()),
        }
    }

    fn list(&self, tree: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Listing> {
        match rest {
            [] => Ok(days::list(tree, &scope.course, scope.days())),
            _ => Err(missing()),
        }
    }
}

/// `events/<course>`, `events/all[@site]` and `events/unattributed[@site]`.
pub(super) struct AllEvents;

/// The folders of a site that belong to no course.
#[derive(Clone, Copy)]
enum Days {
    All,
    Unattributed,
}

impl Days {
    fn folder(self, site: &Site) -> String {
        match self {
            Days::All => format!("all{}", site.suffix()),
            Days::Unattributed => format!("unattributed{}", site.suffix()),
        }
    }

    /// The site whose folder has this name.
    fn site<'a>(tree: &Tree<'a>, folder: &str) -> Option<(&'a Site, Days)> {
        let mut sites = tree.catalog.sites();
        sites.find_map(|site| {
            [Days::All, Days::Unattributed].into_iter().find(|d| d.folder(site) == folder).map(|d| (site, d))
        })
    }

    fn file(self, tree: &Tree<'_>, log: &DayLog) -> Node {
        let part = days::part(log);
        let recipe = match self {
            Days::All => Recipe::Decoded { part, layers: log.layers.clone() },
            Days::Unattributed => Recipe::Unattributed { log: part, rule: tree.rule },
        };
        let body = Body::Artifact(Artifact { recipe, output: Output::Whole });
        Node::File { body, modified: log.modified }
    }
}

impl View<Organisation> for AllEvents {
    fn name(&self) -> &'static str {
        "events"
    }

    fn lookup(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Node> {
        let Some((folder, rest)) = rest.split_first() else { return Ok(tree.folder()) };
        let of_site = Days::site(tree, folder);
        let course = tree.catalog.course(folder);
        match (rest, of_site, course) {
            ([], Some(_), _) | ([], _, Some(_)) => Ok(tree.folder()),
            ([name], Some((site, days)), _) => {
                let log = tree.catalog.day(site, days::of_file_name(name)?).ok_or_else(missing)?;
                Ok(days.file(tree, log))
            }
            ([name], None, Some(course)) => days::lookup(tree, course, Window::ALL, name),
            _ => Err(missing()),
        }
    }

    fn list(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Listing> {
        match rest {
            [] => {
                let of_sites =
                    tree.catalog.sites().flat_map(|site| [Days::All.folder(site), Days::Unattributed.folder(site)]);
                let courses = tree.catalog.courses().map(|course| course.folder.to_string());
                Ok(courses.chain(of_sites).map(|name| (name, tree.folder())).collect())
            }
            [folder] => {
                if let Some((site, of_site)) = Days::site(tree, folder) {
                    let logs = tree.catalog.days(site, Window::ALL);
                    return Ok(logs.map(|log| (days::file_name(log), of_site.file(tree, log))).collect());
                }
                let course = tree.catalog.course(folder).ok_or_else(missing)?;
                Ok(days::list(tree, course, Window::ALL))
            }
            _ => Err(missing()),
        }
    }
}
