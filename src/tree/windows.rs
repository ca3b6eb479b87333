//! `between/<from>_<to>/`: a course cut to a window of days. Any window resolves, none is listed.

use super::scope::CourseScope;
use super::view::{Listing, View, list_in, lookup_in};
use super::{Node, Tree, WINDOW, missing};
use crate::edx::window::Window;
use crate::error::Result;

pub(super) struct Between;

impl Between {
    fn cut(scope: &CourseScope, name: &str) -> Result<CourseScope> {
        let window = Window::parse(name).ok_or_else(missing)?;
        Ok(CourseScope { course: scope.course.clone(), window: Some(window) })
    }
}

impl View<CourseScope> for Between {
    fn name(&self) -> &'static str {
        "between"
    }

    fn lookup(&self, tree: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Node> {
        match rest {
            [] => Ok(tree.folder()),
            [window] => Self::cut(scope, window).map(|_| tree.folder()),
            [window, path @ ..] => lookup_in(WINDOW, tree, &Self::cut(scope, window)?, path),
        }
    }

    fn list(&self, tree: &Tree<'_>, scope: &CourseScope, rest: &[&str]) -> Result<Listing> {
        match rest {
            [] => Ok(Vec::new()),
            [window, path @ ..] => list_in(WINDOW, tree, &Self::cut(scope, window)?, path),
        }
    }
}
