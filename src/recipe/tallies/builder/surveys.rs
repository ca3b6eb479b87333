//! Which problems are surveys, by their display names.

use regex::Regex;

use crate::error::{Error, Result};
use crate::recipe::tallies::TallyParams;
use crate::recipe::tallies::record::Survey;

/// How the names of both kinds of survey are told.
pub(super) struct Surveys([(Survey, Names); 2]);

enum Names {
    /// Those with `survey` and this word in them, in whatever case.
    With(&'static str),
    Like(Regex),
}

impl Surveys {
    /// Errors: `Usage` for a pattern that is none.
    pub(super) fn new(params: &TallyParams) -> Result<Self> {
        let names = |pattern: &Option<String>, word| match pattern {
            None => Ok(Names::With(word)),
            Some(pattern) => Regex::new(pattern).map(Names::Like).map_err(|error| {
                Error::usage(format!("the survey pattern `{pattern}` cannot be read")).caused_by(error)
            }),
        };
        let (pre, post) = (names(&params.survey_pre, "pre")?, names(&params.survey_post, "post")?);
        Ok(Surveys([(Survey::Pre, pre), (Survey::Post, post)]))
    }

    /// The surveys that a problem of this name belongs to: none, one or both.
    pub(super) fn of(&self, display_name: &str) -> [Option<Survey>; 2] {
        let lower = display_name.to_lowercase();
        self.0.each_ref().map(|(survey, names)| {
            let is_one = match names {
                Names::With(word) => lower.contains(word) && lower.contains("survey"),
                Names::Like(pattern) => pattern.is_match(display_name),
            };
            is_one.then_some(*survey)
        })
    }
}
