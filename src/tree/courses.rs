//! `courses/<course>/`: a folder for each course run, with the views of a course in it.

use super::scope::{CourseScope, Organisation};
use super::view::{Listing, View, list_in, lookup_in};
use super::{COURSE, Node, Tree, missing};
use crate::error::Result;

pub(super) struct Courses;

impl Courses {
    fn scope(tree: &Tree<'_>, folder: &str) -> Result<CourseScope> {
        let course = tree.catalog.course(folder).ok_or_else(missing)?;
        Ok(CourseScope { course: course.clone(), window: None })
    }
}

impl View<Organisation> for Courses {
    fn name(&self) -> &'static str {
        "courses"
    }

    fn lookup(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Node> {
        match rest {
            [] => Ok(tree.folder()),
            [folder] => Self::scope(tree, folder).map(|_| tree.folder()),
            [folder, path @ ..] => lookup_in(COURSE, tree, &Self::scope(tree, folder)?, path),
        }
    }

    fn list(&self, tree: &Tree<'_>, _: &Organisation, rest: &[&str]) -> Result<Listing> {
        match rest {
            [] => Ok(tree.catalog.courses().map(|course| (course.folder.to_string(), tree.folder())).collect()),
            [folder, path @ ..] => list_in(COURSE, tree, &Self::scope(tree, folder)?, path),
        }
    }
}
