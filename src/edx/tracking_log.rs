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

use std::num::NonZeroUsize;
use std::ops::Range;

use crate::edx::course_run::CourseId;

pub(in crate::edx) use text::{percent_decode, strip, unescape};
pub use walk::walk;
pub(in crate::edx) use walk::{string_at, walk_object};
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

/// The members of one event that say whose, when and what it is: where their values begin in the line.
///
/// Of a repeated member the last counts, also where its value is of no use (a course id that is not a string).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields<'a> {
    line: &'a [u8],
    /// The `{` of `context`, where that is an object.
    context: Start,
    /// These three are the context's. This and the others: the first byte of the value, whatever it is.
    course_id: Start,
    user_id: Start,
    module: Start,
    event: Start,
    event_source: Start,
    event_type: Start,
    name: Start,
    page: Start,
    time: Start,
    username: Start,
}

/// Where a value begins, if there is one: never at 0, where at most the line's own `{` is.
type Start = Option<NonZeroUsize>;

/// The members of [`Fields`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Context,
    /// Of the context, not of the event itself; so are `UserId` and `Module`.
    CourseId,
    UserId,
    Module,
    Event,
    EventSource,
    EventType,
    Name,
    Page,
    Time,
    Username,
}

impl<'a> Fields<'a> {
    fn none_yet(line: &'a [u8]) -> Self {
        Fields {
            line,
            context: None,
            course_id: None,
            user_id: None,
            module: None,
            event: None,
            event_source: None,
            event_type: None,
            name: None,
            page: None,
            time: None,
            username: None,
        }
    }

    /// Notes that `member` has the value that begins at `start`, in place of any earlier one.
    #[inline(always)]
    fn set(&mut self, member: Member, start: usize) {
        let value = NonZeroUsize::new(start);
        match member {
            Member::Context => {
                self.context = value.filter(|_| self.line.get(start) == Some(&b'{'));
                (self.course_id, self.user_id, self.module) = (None, None, None);
            }
            Member::CourseId => self.course_id = value,
            Member::UserId => self.user_id = value,
            Member::Module => self.module = value,
            Member::Event => self.event = value,
            Member::EventSource => self.event_source = value,
            Member::EventType => self.event_type = value,
            Member::Name => self.name = value,
            Member::Page => self.page = value,
            Member::Time => self.time = value,
            Member::Username => self.username = value,
        }
    }

    /// Whether the bracket at `at` opens the context.
    #[inline(always)]
    fn is_context(&self, at: usize) -> bool {
        self.context.is_some_and(|start| start.get() == at)
    }

    /// Whether the event has a `context` that is an object.
    pub fn has_context(&self) -> bool {
        self.context.is_some()
    }

    /// `context.course_id` as written, without its quotes, escapes left in; None unless it is a string.
    pub fn course_id(&self) -> Option<&'a [u8]> {
        self.string(self.course_id)
    }

    /// As `course_id`, of the event itself; so are the other texts.
    pub fn event_source(&self) -> Option<&'a [u8]> {
        self.string(self.event_source)
    }

    pub fn event_type(&self) -> Option<&'a [u8]> {
        self.string(self.event_type)
    }

    pub fn name(&self) -> Option<&'a [u8]> {
        self.string(self.name)
    }

    pub fn page(&self) -> Option<&'a [u8]> {
        self.string(self.page)
    }

    pub fn time(&self) -> Option<&'a [u8]> {
        self.string(self.time)
    }

    pub fn username(&self) -> Option<&'a [u8]> {
        self.string(self.username)
    }

    /// The line from the first byte of the value of `event` on: an object, a string, or anything.
    pub fn event_and_rest(&self) -> Option<&'a [u8]> {
        self.rest(self.event)
    }

    /// As `event_and_rest`, of `context.user_id`.
    pub fn user_id_and_rest(&self) -> Option<&'a [u8]> {
        self.rest(self.user_id)
    }

    /// As `event_and_rest`, of `context.module`.
    pub fn module_and_rest(&self) -> Option<&'a [u8]> {
        self.rest(self.module)
    }

    #[inline]
    fn rest(&self, start: Start) -> Option<&'a [u8]> {
        self.line.get(start?.get()..)
    }

    #[inline]
    fn string(&self, start: Start) -> Option<&'a [u8]> {
        walk::string_at(self.line, start?.get())
    }
}

/// What a top-level key without escapes stands for.
#[inline(always)]
fn event_member(key: &[u8]) -> Option<Member> {
    match key.len() {
        4 if key == b"page" => Some(Member::Page),
        4 if key == b"time" => Some(Member::Time),
        4 if key == b"name" => Some(Member::Name),
        5 if key == b"event" => Some(Member::Event),
        7 if key == b"context" => Some(Member::Context),
        8 if key == b"username" => Some(Member::Username),
        10 if key == b"event_type" => Some(Member::EventType),
        12 if key == b"event_source" => Some(Member::EventSource),
        _ => None,
    }
}

/// What a key of the context without escapes stands for.
#[inline(always)]
fn context_member(key: &[u8]) -> Option<Member> {
    match key.len() {
        6 if key == b"module" => Some(Member::Module),
        7 if key == b"user_id" => Some(Member::UserId),
        9 if key == b"course_id" => Some(Member::CourseId),
        _ => None,
    }
}

/// JSON white space, which is less than Unicode's.
#[inline(always)]
pub(in crate::edx) fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Where the first byte from `from` on stands that is not white; the line's length if there is none.
#[inline(always)]
pub(in crate::edx) fn skip_white(line: &[u8], from: usize) -> usize {
    let rest = line.get(from..).unwrap_or_default();
    from + rest.iter().position(|&byte| !is_white(byte)).unwrap_or(rest.len())
}

/// The bytes between two quotes.
type Span = Range<usize>;
