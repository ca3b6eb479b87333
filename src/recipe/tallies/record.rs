//! One tally: its meaning, its bytes, and how two of one key merge.
//!
//! ```text
//! key     variant     1 byte, in the order of `Record`
//!         then the fields that say what is counted:
//!         text        its bytes, NUL                                      no text holds a NUL
//!         text?       0 | 1, text                                         None sorts first
//!         user        1, digits without leading zeros: their number and themselves,
//!                        leading zeros: their number and, if any, the whole text
//!                   | 2, text
//!                   | 3                                                   `undefined`
//!         date        year + 10000: 2 bytes, month, day
//!         number      8 bytes, the highest first, the sign bit flipped where there is a sign
//! value   the other fields:
//!         count       varint
//!         time        8 bytes, the highest first, two's complement; the lowest of all is None
//!         text        its bytes, up to the end
//!         text?       varint: 0 | length + 1, bytes
//! ```
//!
//! Keys compared as bytes are in the order of the records.

mod bytes;
mod merging;
#[cfg(test)]
mod tests;

use jiff::civil::Date;

use crate::error::Result;

pub use bytes::{push_terminated, push_user, take_terminated, take_user};
pub use merging::merge_values;

/// A table whose columns are the names met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counted {
    Video,
    /// The columns of `video_activity_ng2`, `…_start` and `…_end` among them.
    VideoSteps,
    PreRoll,
    Problem,
    Textbook,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Survey {
    Pre,
    Post,
}

/// A kind of page that `page_activity` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Page {
    Courseware,
    Discussion,
    Info,
    Progress,
}

/// An instant as microseconds since 1970; None: the event's time cannot be read, which sorts first.
pub type Time = Option<i64>;

/// Events whose user nobody states, or not in words.
pub const UNDEFINED: &str = "undefined";

/// One tally. Runs hold them in the order of these variants, then of their fields.
///
/// `user`: as `derived-data` has it; digits come first, by number, then other texts, `undefined` last. Counts add; of
/// values with a time the latest wins, and of those of one time the later line's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// Events of the course: lines of its files.
    Events {
        count: u64,
    },
    /// A column of a table: so that columns are known before the first row.
    MetName {
        table: Counted,
        name: &'a str,
    },
    /// A column of `page_activity_<page>`.
    MetDate {
        page: Page,
        date: Date,
    },
    /// A column of a survey's answers: `problem_<n>_<m>`.
    MetAnswer {
        survey: Survey,
        column: &'a str,
    },
    /// A problem with checks, and its display name as events have it.
    MetProblem {
        problem: &'a str,
        time: Time,
        display_name: Option<&'a str>,
    },
    /// `date` is the day of the event's time.
    EventCount {
        date: Date,
        event_type: &'a str,
        event_source: &'a str,
        count: u64,
    },
    /// `video_activity` and, where there is a video, `video_activity_ng`.
    Video {
        user: &'a str,
        video: Option<&'a str>,
        name: &'a str,
        count: u64,
    },
    /// `video_activity_ng2`; `name` with `_start` or `_end` where it has one.
    VideoStep {
        user: &'a str,
        video: &'a str,
        compartment: i64,
        name: &'a str,
        count: u64,
    },
    /// The tables of one count per user and name.
    Count {
        table: Counted,
        user: &'a str,
        name: &'a str,
        count: u64,
    },
    Page {
        user: &'a str,
        page: Page,
        date: Date,
        count: u64,
    },
    /// A user's server checks of a problem: the latest's values, and what all of them come to.
    Check {
        problem: &'a str,
        user: &'a str,
        checks: u64,
        first_time: Time,
        time: Time,
        latest: CheckValues<'a>,
    },
    /// A user's latest answer under a column of a survey; `column` and `value` None: the latest check of any of its
    /// problems.
    SurveyCheck {
        survey: Survey,
        user: &'a str,
        column: Option<&'a str>,
        time: Time,
        value: Option<&'a str>,
    },
    /// A video event that `errors.txt` names; `date` of the log, `line` of the course's file, from 1.
    VideoError {
        date: Date,
        line: u64,
        reason: &'a str,
    },
}

/// Records in order; each lives until the next is asked for.
pub trait Records {
    fn next(&mut self) -> Result<Option<Record<'_>>>;
}

/// What a check says: a string's text, the source text of anything else, `1` and `0` for booleans; None: null or absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckValues<'a> {
    pub attempts: Option<&'a str>,
    pub grade: Option<&'a str>,
    pub max_grade: Option<&'a str>,
    pub success: Option<&'a str>,
}
