//! Whose an event is, given the members that say so: the producer's rule, and the one with higher recall.
//!
//! Source: `util/eventlog.py` and `util/opaque_key_util.py` of edX's analytics pipeline. A non-empty
//! `context.course_id` decides alone, valid or not; only without one are the URL and the payload asked.

use std::borrow::Cow;

use crate::edx::course_run::CourseId;
use crate::edx::tracking_log::text::{percent_decode, strip, unescape};
use crate::edx::tracking_log::walk::{members_of, string_at};
use crate::edx::tracking_log::{Attribution, CourseRule, Evidence, Fields, skip_white};

/// What `context.course_id` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stated {
    /// Nothing: the event's other members decide.
    Blank,
    /// Something that is no course run; so the event has none.
    Invalid,
    Course(CourseId),
}

/// Reads the raw value of `context.course_id`; the answer depends on these bytes alone and may be remembered.
pub fn stated_course(raw: &[u8]) -> Stated {
    let text = unescape(raw);
    let text = strip(&text);
    if text.is_empty() {
        return Stated::Blank;
    }
    CourseId::parse(text).map_or(Stated::Invalid, Stated::Course)
}

/// Whose an event is by `rule`; never `Malformed`.
pub fn attribute_fields(fields: &Fields<'_>, rule: CourseRule) -> Attribution {
    match fields.course_id().map_or(Stated::Blank, stated_course) {
        Stated::Course(id) => return Attribution::Course { id, evidence: Evidence::Stated },
        Stated::Invalid => return Attribution::NoCourse,
        Stated::Blank => {}
    }
    let found = match rule {
        CourseRule::Producer => producers_course(fields).map(|id| (id, Evidence::Mentioned)),
        CourseRule::Recall => recalled_course(fields),
    };
    found.map_or(Attribution::NoCourse, |(id, evidence)| Attribution::Course { id, evidence })
}

fn producers_course(fields: &Fields<'_>) -> Option<CourseId> {
    if !fields.has_context() {
        return None;
    }
    let url = event_url(fields)?;
    match block_key(&url) {
        Some(key) => CourseId::of_block(key),
        None => course_of_path(&url),
    }
}

/// The reading with (a) to (e): URLs also without a context, decoded, also of old blocks; then the payload.
fn recalled_course(fields: &Fields<'_>) -> Option<(CourseId, Evidence)> {
    let url = event_url(fields);
    if let Some(id) = url.as_deref().and_then(course_of_decoded_url) {
        let also_stated = payload_course(fields).is_some_and(|stated| stated == id);
        return Some((id, if also_stated { Evidence::Stated } else { Evidence::Mentioned }));
    }
    with_payload(fields, |payload| payload.course(url.as_deref()))
}

/// The course run that `event.course_id` states, whatever else the event says: as good a reason for a folder.
pub fn payload_course(fields: &Fields<'_>) -> Option<CourseId> {
    with_payload(fields, |payload| payload.stated_course())
}

/// Asks the object that `event` is, or that is written in it as a string.
fn with_payload<T>(fields: &Fields<'_>, ask: impl FnOnce(&Payload<'_>) -> Option<T>) -> Option<T> {
    let value = fields.event_and_rest()?;
    if value.first() == Some(&b'{') {
        return ask(&Payload::read(value)?);
    }
    let text = string_of(value)?;
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let payload = Payload::read(text.as_bytes())?;
    // A string must be the object alone: others are not JSON, be they cut or not.
    if payload.bytes == text.len() { ask(&payload) } else { None }
}

/// The URL or path that an event came from: `event_type` of the server's events, `page` of a browser's.
fn event_url<'a>(fields: &Fields<'a>) -> Option<Cow<'a, str>> {
    let raw = match &*unescape(fields.event_source()?) {
        "server" => fields.event_type()?,
        "browser" => fields.page()?,
        _ => return None,
    };
    Some(unescape(raw))
}

fn course_of_decoded_url(url: &str) -> Option<CourseId> {
    let url = percent_decode(url);
    block_key(&url).and_then(CourseId::of_block).or_else(|| course_of_path(&url))
}

/// What follows `/xblock/` in a URL and looks like a key.
fn block_key(url: &str) -> Option<&str> {
    key_behind(url, "/xblock/", &['/', '?', '#'], |_| true)
}

fn course_of_path(url: &str) -> Option<CourseId> {
    let key = key_behind(url, "/courses/", &['/', '?'], |rest| !is_api_version(rest))?;
    CourseId::of_url_key(key)
}

/// The first text behind `marker` that has the shape of a key: three parts, `/` or `+` between, the last up to `ends`.
fn key_behind<'a>(url: &'a str, marker: &str, ends: &[char], allowed: fn(&str) -> bool) -> Option<&'a str> {
    let line_end = url.find('\n').unwrap_or(url.len());
    let mut from = 0;
    while let Some(at) = url[from..].find(marker) {
        let key_start = from + at + marker.len();
        if from + at > line_end {
            return None;
        }
        let rest = &url[key_start..];
        if allowed(rest)
            && let Some(length) = key_length(rest, ends)
        {
            return Some(&rest[..length]);
        }
        from += at + 1;
    }
    None
}

fn key_length(text: &str, ends: &[char]) -> Option<usize> {
    let mut length = 0;
    for _ in 0..2 {
        let part = text[length..].find(['/', '+']).filter(|&part| part > 0)?;
        length += part + 1;
    }
    let rest = &text[length..];
    let last = rest.find(ends).unwrap_or(rest.len());
    (last > 0).then_some(length + last)
}

/// `v1/…`: the path of an API, not a course key.
fn is_api_version(rest: &str) -> bool {
    let Some(digits) = rest.strip_prefix('v') else { return false };
    let Some((number, after)) = digits.split_once('/') else { return false };
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) && !after.is_empty() && !after.starts_with('/')
}

fn is_login(url: &str) -> bool {
    url.starts_with("/accounts/login")
}

/// The members of a payload that may name a course, each from its value's first byte on.
struct Payload<'a> {
    course_id: Option<&'a [u8]>,
    blocks: [Option<&'a [u8]>; 3],
    get: Option<&'a [u8]>,
    /// Its length.
    bytes: usize,
}

impl<'a> Payload<'a> {
    /// The object that `text` begins with.
    fn read(text: &'a [u8]) -> Option<Self> {
        let members = members_of(text, ["course_id", "id", "problem_id", "module_id", "GET"])?;
        let [course_id, id, problem_id, module_id, get] = members.values;
        Some(Payload { course_id, blocks: [id, problem_id, module_id], get, bytes: members.end })
    }

    fn course(&self, url: Option<&str>) -> Option<(CourseId, Evidence)> {
        if url.is_some_and(is_login)
            && let Some(id) = self.course_after_login()
        {
            return Some((id, Evidence::Mentioned));
        }
        if let Some(id) = self.stated_course() {
            return Some((id, Evidence::Stated));
        }
        let id = self.blocks.iter().find_map(|block| CourseId::of_block(strip(&string_of((*block)?)?)))?;
        Some((id, Evidence::Mentioned))
    }

    fn stated_course(&self) -> Option<CourseId> {
        CourseId::parse(strip(&string_of(self.course_id?)?))
    }

    /// The course of the page that somebody was sent to log in from.
    fn course_after_login(&self) -> Option<CourseId> {
        let next = members_of(self.get?, ["next"])?.values[0]?;
        let first = next.get(skip_white(next, 1)..).filter(|_| next[0] == b'[')?;
        course_of_decoded_url(&string_of(first)?)
    }
}

/// The text of the string that `value` begins with.
fn string_of(value: &[u8]) -> Option<Cow<'_, str>> {
    Some(unescape(string_at(value, 0)?))
}
