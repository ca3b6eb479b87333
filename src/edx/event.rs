//! What an event says: who, when, of which kind, and what its payload holds. Pure; of each event only what is asked.
//!
//! Values are read as leniently as lines are: brackets and strings must close, and that is all. In texts taken out,
//! JSON escapes are decoded and what is no character becomes U+FFFD; a NUL becomes U+2400, for SQLite's readers end a
//! text there.

pub mod check;
pub mod names;
mod object;
pub mod page;
pub mod payload;
pub mod time;
pub mod value;
pub mod video;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::edx::event::names::Name;
use crate::edx::event::value::{Value, text};
use crate::edx::tracking_log::Fields;

/// An id is never longer, in bytes.
pub const LONGEST_ID: usize = 255;

/// Where an event came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventSource {
    Browser,
    Mobile,
    /// Missing, or none of these.
    Other,
    Server,
    Task,
}

impl EventSource {
    pub const ALL: [EventSource; 5] =
        [EventSource::Browser, EventSource::Mobile, EventSource::Other, EventSource::Server, EventSource::Task];

    pub fn of(fields: &Fields<'_>) -> Self {
        let Some(raw) = fields.event_source() else { return EventSource::Other };
        match raw {
            b"server" => EventSource::Server,
            b"browser" => EventSource::Browser,
            b"mobile" => EventSource::Mobile,
            _ => EventSource::of_text(&text(raw)),
        }
    }

    fn of_text(text: &str) -> Self {
        EventSource::ALL.into_iter().find(|source| source.as_str() == text).unwrap_or(EventSource::Other)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            EventSource::Browser => "browser",
            EventSource::Mobile => "mobile",
            EventSource::Other => "other",
            EventSource::Server => "server",
            EventSource::Task => "task",
        }
    }
}

/// What an `event_type` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventType<'a> {
    Known(Name),
    /// The path of a page or handler, from its `/` on.
    Path(Cow<'a, str>),
    /// A `textbook.pdf.…` that is not known.
    Textbook,
    /// Missing, or none of these.
    Other,
}

impl<'a> EventType<'a> {
    pub fn of(fields: &Fields<'a>) -> Self {
        let Some(raw) = fields.event_type() else { return EventType::Other };
        match raw.first() {
            Some(b'/') => return EventType::Path(text(raw)),
            Some(_) => {}
            None => return EventType::Other,
        }
        if let Some(name) = Name::find(raw) {
            return EventType::Known(name);
        }
        if memchr::memchr(b'\\', raw).is_some() {
            return EventType::of_text(text(raw));
        }
        if raw.starts_with(b"textbook.pdf.") { EventType::Textbook } else { EventType::Other }
    }

    fn of_text(text: Cow<'a, str>) -> Self {
        if text.starts_with('/') {
            return EventType::Path(text);
        }
        match Name::find(text.as_bytes()) {
            Some(name) => EventType::Known(name),
            None if text.starts_with("textbook.pdf.") => EventType::Textbook,
            None => EventType::Other,
        }
    }
}

/// `context.user_id` as it stands in the line; [`Value::id`] reads it.
pub fn user_id<'a>(fields: &Fields<'a>) -> Value<'a> {
    Value::of(fields.user_id_and_rest())
}

/// `time` in microseconds since 1970; None where it cannot be read.
pub fn time(fields: &Fields<'_>) -> Option<i64> {
    let raw = fields.time()?;
    time::parse(raw).or_else(|| memchr::memchr(b'\\', raw).and_then(|_| time::parse(text(raw).as_bytes())))
}

/// `username`, without white space around it; None where there is none.
pub fn username<'a>(fields: &Fields<'a>) -> Option<Cow<'a, str>> {
    Value::String(fields.username()?).id()
}
