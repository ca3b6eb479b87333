//! What a day's events come to, per course: counted once, in the pass that splits the day, and merged ever after.
//!
//! A tally is a [`record::Record`]: a key and a value that merges with that of the same key in another day (counts add,
//! the latest wins). Its bytes sort as the tables made from it do. `builder` counts a day's events in memory,
//! `slices` lays out one blob for all courses of a day, `merge` joins sorted runs in bounded memory.

pub mod record;

/// What a user may set of how events are counted; part of the tallies' key, not of the segments'.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TallyParams {
    /// Seconds of a `time_compartment`, at least 1.
    pub compartment_seconds: u32,
    /// Regular expressions that a problem's display name must match to be a survey; None: the usual words.
    pub survey_pre: Option<String>,
    pub survey_post: Option<String>,
}

impl Default for TallyParams {
    fn default() -> Self {
        TallyParams { compartment_seconds: 5, survey_pre: None, survey_post: None }
    }
}

impl TallyParams {
    /// Differs between any two that differ.
    pub fn identity(&self) -> String {
        format!("{}\0{:?}\0{:?}", self.compartment_seconds, self.survey_pre, self.survey_post)
    }
}
