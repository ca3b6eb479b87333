//! One event line → its course run, if any; keeps no state.
//!
//! A line is an event if, from its first `{`, brackets and strings close as they opened and nothing but white space
//! stands behind the matching `}`. Values are not validated: the producer's parser is lenient, and what it let
//! through is data. [`scan`] finds the few members that matter in one pass over the bytes; [`walk`] is its slow twin,
//! obviously right, and its way out of rare forms. Whose the event is, is decided by `whose`.

#[cfg(target_arch = "x86_64")]
mod blocks;
mod text;
mod walk;
mod whose;

#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::edx::course_run::CourseId;

pub use walk::walk;
pub use whose::{Stated, attribute_fields, payload_course, stated_course};

/// How an event's course is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum CourseRule {
    /// The higher-recall reading (a) to (e) of the data package's documentation.
    #[default]
    Recall,
    /// Exactly what the package's producer does.
    Producer,
}

/// What speaks for a line's course.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Evidence {
    /// Only a URL or a block id names it: makes no folder by itself.
    Mentioned,
    /// `context.course_id` or `event.course_id` names it.
    Stated,
}

/// Whose a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribution {
    /// Not an event.
    Malformed,
    /// An event of no course run.
    NoCourse,
    Course {
        id: CourseId,
        evidence: Evidence,
    },
}

/// Whose a line is by `rule`; the line may have its line end.
pub fn attribute(line: &[u8], rule: CourseRule) -> Attribution {
    match scan(line) {
        None => Attribution::Malformed,
        Some(fields) => attribute_fields(&fields, rule),
    }
}

/// The members of the event in `line`; None where the line is not an event. Same answers as [`walk`], faster.
#[inline]
pub fn scan(line: &[u8]) -> Option<Fields<'_>> {
    #[cfg(target_arch = "x86_64")]
    if let Some(scanned) = blocks::scan(line) {
        return scanned;
    }
    walk(line)
}

/// The members of one event that say whose it is: where their values begin in the line.
///
/// Of a repeated member the last counts, also where its value is of no use (a course id that is not a string).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields<'a> {
    line: &'a [u8],
    /// The `{` of `context`, where that is an object.
    context: Option<usize>,
    /// This and the others: the first byte of the value, whatever it is.
    course_id: Option<usize>,
    event_source: Option<usize>,
    event_type: Option<usize>,
    page: Option<usize>,
    event: Option<usize>,
}

/// The members of [`Fields`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Context,
    /// Of the context, not of the event itself.
    CourseId,
    EventSource,
    EventType,
    Page,
    Event,
}

impl<'a> Fields<'a> {
    fn none_yet(line: &'a [u8]) -> Self {
        Fields { line, context: None, course_id: None, event_source: None, event_type: None, page: None, event: None }
    }

    /// Notes that `member` has the value that begins at `start`, in place of any earlier one.
    fn set(&mut self, member: Member, start: usize) {
        match member {
            Member::Context => {
                self.context = (self.line.get(start) == Some(&b'{')).then_some(start);
                self.course_id = None;
            }
            Member::CourseId => self.course_id = Some(start),
            Member::EventSource => self.event_source = Some(start),
            Member::EventType => self.event_type = Some(start),
            Member::Page => self.page = Some(start),
            Member::Event => self.event = Some(start),
        }
    }

    /// Whether the event has a `context` that is an object.
    pub fn has_context(&self) -> bool {
        self.context.is_some()
    }

    /// `context.course_id` as written, without its quotes, escapes left in; None unless it is a string.
    pub fn course_id(&self) -> Option<&'a [u8]> {
        self.string(self.course_id)
    }

    /// As `course_id`, of the event itself; so are `event_type` and `page`.
    pub fn event_source(&self) -> Option<&'a [u8]> {
        self.string(self.event_source)
    }

    pub fn event_type(&self) -> Option<&'a [u8]> {
        self.string(self.event_type)
    }

    pub fn page(&self) -> Option<&'a [u8]> {
        self.string(self.page)
    }

    /// The line from the first byte of the value of `event` on: an object, a string, or anything.
    pub fn event_and_rest(&self) -> Option<&'a [u8]> {
        self.line.get(self.event?..)
    }

    fn string(&self, start: Option<usize>) -> Option<&'a [u8]> {
        walk::string_at(self.line, start?)
    }
}

/// What a top-level key without escapes stands for.
#[inline(always)]
fn event_member(key: &[u8]) -> Option<Member> {
    match key.len() {
        4 if key == b"page" => Some(Member::Page),
        5 if key == b"event" => Some(Member::Event),
        7 if key == b"context" => Some(Member::Context),
        10 if key == b"event_type" => Some(Member::EventType),
        12 if key == b"event_source" => Some(Member::EventSource),
        _ => None,
    }
}

/// What a key of the context without escapes stands for.
#[inline(always)]
fn context_member(key: &[u8]) -> Option<Member> {
    (key == b"course_id").then_some(Member::CourseId)
}

/// JSON white space, which is less than Unicode's.
#[inline(always)]
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Where the first byte from `from` on stands that is not white; the line's length if there is none.
#[inline(always)]
fn skip_white(line: &[u8], from: usize) -> usize {
    let rest = line.get(from..).unwrap_or_default();
    from + rest.iter().position(|&byte| !is_white(byte)).unwrap_or(rest.len())
}

/// The bytes between two quotes.
type Span = Range<usize>;
