//! What a day's events come to, per course: counted once, in the pass that splits the day, and merged ever after.
//!
//! A tally is a [`record::Record`]: a key and a value that merges with that of the same key in another day (counts add,
//! the latest wins). Its bytes sort as the tables made from it do. `builder` counts a day's events in memory,
//! `slices` lays out one blob for all courses of a day, `merge` joins sorted runs in bounded memory, `ahead`
//! on a thread of its own.

pub mod ahead;
pub mod builder;
pub mod lines;
pub mod merge;
pub mod record;
pub mod run;
pub mod slices;
pub mod varint;

use std::io::{BufRead, BufReader};

use jiff::civil::Date;

use crate::edx::course_run::CourseId;
use crate::edx::tracking_log::{CourseRule, Fields, scan};
use crate::edx::window::date;
use crate::error::{Error, Result};
use crate::recipe::make::{Inputs, Summary};
use crate::recipe::tallies::builder::TallyBuilder;
use crate::recipe::{Artifact, Output, Outputs, Part, Recipe};

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

/// One day's tallies in the making.
pub struct Counting<'o> {
    builder: TallyBuilder,
    outputs: &'o mut dyn Outputs,
}

impl<'o> Counting<'o> {
    /// Errors: the outputs'; `Usage` for a pattern that is no regular expression.
    pub fn begin(log: &Part, params: &TallyParams, outputs: &'o mut dyn Outputs) -> Result<Self> {
        let (whole, lines) = (outputs.create(&Output::Whole)?, outputs.create(&Output::Lines)?);
        Ok(Counting { builder: TallyBuilder::new(params, date_of(log)?, whole, lines)?, outputs })
    }

    /// Counts the next line of a course, which is an event; `course` numbers the courses of this day.
    pub fn add(&mut self, course: usize, id: &CourseId, line: &[u8], fields: &Fields<'_>) -> Result<()> {
        self.builder.add(self.outputs, course, id, line, fields)
    }

    pub fn finish(self) -> Result<Summary> {
        Ok(Summary { tallied: self.builder.finish(self.outputs)?, ..Summary::default() })
    }
}

/// Makes a day's tallies of its segments.
pub fn of_segments(
    log: &Part,
    rule: CourseRule,
    params: &TallyParams,
    inputs: &dyn Inputs,
    outputs: &mut dyn Outputs,
) -> Result<Summary> {
    let day = Recipe::Day { log: log.clone(), rule };
    let summary = inputs.summary(&day)?;
    let mut counting = Counting::begin(log, params, outputs)?;
    for (number, (id, _)) in summary.courses.iter().enumerate() {
        let segment = Artifact { recipe: day.clone(), output: Output::Course(id.clone()) };
        let mut lines = BufReader::with_capacity(READ_BYTES, inputs.artifact(&segment)?);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            let fields = scan(&line).ok_or_else(|| Error::internal("a course's line is no event"))?;
            counting.add(number, id, &line, &fields)?;
            line.clear();
        }
    }
    counting.finish()
}

const READ_BYTES: usize = 1 << 18;

/// The date in a log's name.
fn date_of(log: &Part) -> Result<Date> {
    let name = log.base_name();
    let stem = name.find(".log").map_or(name, |end| &name[..end]);
    let tail = stem.len().checked_sub("YYYY-MM-DD".len()).and_then(|start| stem.get(start..));
    tail.and_then(date).ok_or_else(|| Error::internal("a log without a date in its name").about(name))
}
