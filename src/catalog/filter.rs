//! Which course folders and event days are shown.

use globset::{Glob, GlobMatcher};
use jiff::civil::Date;

use crate::edx::window::Window;
use crate::error::{Error, Result};

/// Limits what is listed and resolved; the default shows everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of folder names; none: all.
    courses: Vec<GlobMatcher>,
    days: Window,
}

impl Filter {
    /// Shows the course folders that match one of `courses` (all, if there is none) and days from `since` to `until`.
    ///
    /// Errors: `Usage` for a glob that does not parse, and for days that end before they begin.
    pub fn new(courses: &[String], since: Option<Date>, until: Option<Date>) -> Result<Filter> {
        let courses = courses.iter().map(|glob| {
            let glob = Glob::new(glob).map_err(|error| Error::usage("not a glob").about(glob).caused_by(error))?;
            Ok(glob.compile_matcher())
        });
        let days = Window { from: since, to: until };
        if days.range().is_none() {
            return Err(Error::usage("--until is before --since; give a span that holds a day"));
        }
        Ok(Filter { courses: courses.collect::<Result<_>>()?, days })
    }

    pub(super) fn days(&self) -> Window {
        self.days
    }

    pub(super) fn shows(&self, folder: &str) -> bool {
        self.courses.is_empty() || self.courses.iter().any(|glob| glob.is_match(folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_followed_is_a_usage_error() {
        assert!(Filter::new(&["[".to_owned()], None, None).is_err());
        let day = |text: &str| Some(text.parse().expect("a date"));
        assert!(Filter::new(&[], day("2015-02-01"), day("2015-01-01")).is_err());
        assert!(Filter::new(&[], day("2015-02-01"), day("2015-02-01")).is_ok());
    }

    #[test]
    fn without_globs_every_folder_is_shown() {
        assert!(Filter::default().shows("X-Y-Z"));
        let filter = Filter::new(&["X-*".to_owned(), "*@edge".to_owned()], None, None).expect("valid");
        assert!(filter.shows("X-Y-Z") && filter.shows("Q@edge") && !filter.shows("Q"));
    }
}
