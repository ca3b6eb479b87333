//! The bytes of records, as the front page draws them.

use std::str;

use jiff::civil::Date;

use super::{CheckValues, Counted, Page, Record, Survey, Time, UNDEFINED};
use crate::error::{Error, Result};
use crate::recipe::tallies::varint;

/// The variants, by their first byte.
pub(super) mod variant {
    pub const EVENTS: u8 = 1;
    pub const MET_NAME: u8 = 2;
    pub const MET_DATE: u8 = 3;
    pub const MET_ANSWER: u8 = 4;
    pub const MET_PROBLEM: u8 = 5;
    pub const EVENT_COUNT: u8 = 6;
    pub const VIDEO: u8 = 7;
    pub const VIDEO_STEP: u8 = 8;
    pub const COUNT: u8 = 9;
    pub const PAGE: u8 = 10;
    pub const CHECK: u8 = 11;
    pub const SURVEY_CHECK: u8 = 12;
    pub const VIDEO_ERROR: u8 = 13;
}

const TABLES: [Counted; 5] =
    [Counted::Video, Counted::VideoSteps, Counted::PreRoll, Counted::Problem, Counted::Textbook];
const SURVEYS: [Survey; 2] = [Survey::Pre, Survey::Post];
const PAGES: [Page; 4] = [Page::Courseware, Page::Discussion, Page::Info, Page::Progress];

const SIGN: u64 = 1 << 63;
const FIRST_YEAR: i16 = -10_000;

/// Kinds of user, in their order.
const DIGITS: u8 = 1;
const TEXT: u8 = 2;
const NOBODY: u8 = 3;

impl<'a> Record<'a> {
    /// Appends the record's bytes.
    pub fn encode(&self, key: &mut Vec<u8>, value: &mut Vec<u8>) {
        self.encode_key(key);
        self.encode_value(value);
    }

    fn encode_key(&self, bytes: &mut Vec<u8>) {
        let key = Key(bytes);
        match *self {
            Record::Events { .. } => key.byte(variant::EVENTS),
            Record::MetName { table, name } => key.byte(variant::MET_NAME).byte(table as u8).text(name),
            Record::MetDate { page, date } => key.byte(variant::MET_DATE).byte(page as u8).date(date),
            Record::MetAnswer { survey, column } => key.byte(variant::MET_ANSWER).byte(survey as u8).text(column),
            Record::MetProblem { problem, .. } => key.byte(variant::MET_PROBLEM).text(problem),
            Record::EventCount { date, event_type, event_source, .. } => {
                key.byte(variant::EVENT_COUNT).date(date).text(event_type).text(event_source)
            }
            Record::Video { user, video, name, .. } => {
                key.byte(variant::VIDEO).user(user).optional_text(video).text(name)
            }
            Record::VideoStep { user, video, compartment, name, .. } => {
                key.byte(variant::VIDEO_STEP).user(user).text(video).number(compartment as u64 ^ SIGN).text(name)
            }
            Record::Count { table, user, name, .. } => key.byte(variant::COUNT).byte(table as u8).user(user).text(name),
            Record::Page { user, page, date, .. } => key.byte(variant::PAGE).user(user).byte(page as u8).date(date),
            Record::Check { problem, user, .. } => key.byte(variant::CHECK).text(problem).user(user),
            Record::SurveyCheck { survey, user, column, .. } => {
                key.byte(variant::SURVEY_CHECK).byte(survey as u8).user(user).optional_text(column)
            }
            Record::VideoError { date, line, .. } => key.byte(variant::VIDEO_ERROR).date(date).number(line),
        };
    }

    fn encode_value(&self, value: &mut Vec<u8>) {
        match *self {
            Record::MetName { .. } | Record::MetDate { .. } | Record::MetAnswer { .. } => {}
            Record::Events { count }
            | Record::EventCount { count, .. }
            | Record::Video { count, .. }
            | Record::VideoStep { count, .. }
            | Record::Count { count, .. }
            | Record::Page { count, .. } => varint::push(value, count),
            Record::MetProblem { time, display_name, .. } => {
                push_time(value, time);
                push_text(value, display_name);
            }
            Record::Check { checks, first_time, time, latest, .. } => {
                push_time(value, first_time);
                varint::push(value, checks);
                push_time(value, time);
                let CheckValues { attempts, grade, max_grade, success } = latest;
                [attempts, grade, max_grade, success].into_iter().for_each(|text| push_text(value, text));
            }
            Record::SurveyCheck { time, value: answer, .. } => {
                push_time(value, time);
                push_text(value, answer);
            }
            Record::VideoError { reason, .. } => value.extend_from_slice(reason.as_bytes()),
        }
    }

    /// The record of these bytes, borrowed from them. Errors: `Corrupt`.
    pub fn decode(key: &'a [u8], value: &'a [u8]) -> Result<Self> {
        read(&mut Fields(key), &mut Fields(value)).ok_or_else(damaged)
    }
}

pub(super) fn damaged() -> Error {
    Error::corrupt("a tally is damaged")
}

fn read<'a>(key: &mut Fields<'a>, value: &mut Fields<'a>) -> Option<Record<'a>> {
    let record = match key.byte()? {
        variant::EVENTS => Record::Events { count: value.varint()? },
        variant::MET_NAME => Record::MetName { table: key.one_of(&TABLES)?, name: key.text()? },
        variant::MET_DATE => Record::MetDate { page: key.one_of(&PAGES)?, date: key.date()? },
        variant::MET_ANSWER => Record::MetAnswer { survey: key.one_of(&SURVEYS)?, column: key.text()? },
        variant::MET_PROBLEM => {
            Record::MetProblem { problem: key.text()?, time: value.time()?, display_name: value.counted_text()? }
        }
        variant::EVENT_COUNT => {
            let (date, event_type, event_source) = (key.date()?, key.text()?, key.text()?);
            Record::EventCount { date, event_type, event_source, count: value.varint()? }
        }
        variant::VIDEO => {
            let (user, video, name) = (key.user()?, key.optional_text()?, key.text()?);
            Record::Video { user, video, name, count: value.varint()? }
        }
        variant::VIDEO_STEP => {
            let (user, video, compartment) = (key.user()?, key.text()?, (key.number()? ^ SIGN) as i64);
            Record::VideoStep { user, video, compartment, name: key.text()?, count: value.varint()? }
        }
        variant::COUNT => {
            let (table, user) = (key.one_of(&TABLES)?, key.user()?);
            Record::Count { table, user, name: key.text()?, count: value.varint()? }
        }
        variant::PAGE => {
            let (user, page, date) = (key.user()?, key.one_of(&PAGES)?, key.date()?);
            Record::Page { user, page, date, count: value.varint()? }
        }
        variant::CHECK => read_check(key, value)?,
        variant::SURVEY_CHECK => {
            let (survey, user, column) = (key.one_of(&SURVEYS)?, key.user()?, key.optional_text()?);
            Record::SurveyCheck { survey, user, column, time: value.time()?, value: value.counted_text()? }
        }
        variant::VIDEO_ERROR => {
            Record::VideoError { date: key.date()?, line: key.number()?, reason: value.rest_of_text()? }
        }
        _ => return None,
    };
    (key.0.is_empty() && value.0.is_empty()).then_some(record)
}

fn read_check<'a>(key: &mut Fields<'a>, value: &mut Fields<'a>) -> Option<Record<'a>> {
    let (problem, user) = (key.text()?, key.user()?);
    let (first_time, checks, time) = (value.time()?, value.varint()?, value.time()?);
    let (attempts, grade) = (value.counted_text()?, value.counted_text()?);
    let (max_grade, success) = (value.counted_text()?, value.counted_text()?);
    let latest = CheckValues { attempts, grade, max_grade, success };
    Some(Record::Check { problem, user, checks, first_time, time, latest })
}

/// Appends the fields of a key.
struct Key<'b>(&'b mut Vec<u8>);

impl Key<'_> {
    fn byte(self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    fn text(self, text: &str) -> Self {
        push_terminated(self.0, text);
        self
    }

    fn optional_text(self, text: Option<&str>) -> Self {
        match text {
            None => self.byte(0),
            Some(text) => self.byte(1).text(text),
        }
    }

    fn user(self, user: &str) -> Self {
        push_user(self.0, user);
        self
    }

    fn date(self, date: Date) -> Self {
        let year = (date.year() - FIRST_YEAR) as u16;
        self.0.extend_from_slice(&year.to_be_bytes());
        self.byte(date.month() as u8).byte(date.day() as u8)
    }

    fn number(self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }
}

/// Appends a text of a key.
pub fn push_terminated(key: &mut Vec<u8>, text: &str) {
    debug_assert!(!text.as_bytes().contains(&0), "a NUL ends texts in keys");
    key.extend_from_slice(text.as_bytes());
    key.push(0);
}

/// Appends a user: the order of the bytes is the order of users.
pub fn push_user(key: &mut Vec<u8>, user: &str) {
    let bytes = user.as_bytes();
    if user == UNDEFINED {
        key.push(NOBODY);
    } else if bytes.is_empty() || bytes.len() > usize::from(u8::MAX) || !bytes.iter().all(u8::is_ascii_digit) {
        key.push(TEXT);
        push_terminated(key, user);
    } else {
        let zeros = bytes.iter().take_while(|digit| **digit == b'0').count();
        key.extend_from_slice(&[DIGITS, (bytes.len() - zeros) as u8]);
        key.extend_from_slice(&bytes[zeros..]);
        key.push(zeros as u8);
        if zeros > 0 {
            key.extend_from_slice(bytes);
        }
    }
}

/// Takes a text off the front of a key.
pub fn take_terminated<'a>(key: &mut &'a [u8]) -> Option<&'a str> {
    let length = memchr::memchr(0, key)?;
    let text = str::from_utf8(&key[..length]).ok()?;
    *key = &key[length + 1..];
    Some(text)
}

/// Takes a user off the front of a key.
pub fn take_user<'a>(key: &mut &'a [u8]) -> Option<&'a str> {
    let mut fields = Fields(key);
    let user = match fields.byte()? {
        NOBODY => UNDEFINED,
        TEXT => fields.text()?,
        DIGITS => fields.digits()?,
        _ => return None,
    };
    *key = fields.0;
    Some(user)
}

fn push_time(value: &mut Vec<u8>, time: Time) {
    value.extend_from_slice(&time.unwrap_or(i64::MIN).to_be_bytes());
}

fn push_text(value: &mut Vec<u8>, text: Option<&str>) {
    match text {
        None => value.push(0),
        Some(text) => {
            varint::push(value, text.len() as u64 + 1);
            value.extend_from_slice(text.as_bytes());
        }
    }
}

/// Takes fields off the front; None where there is no such field.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        all.get(usize::from(self.byte()?)).copied()
    }

    fn text(&mut self) -> Option<&'a str> {
        take_terminated(&mut self.0)
    }

    fn optional_text(&mut self) -> Option<Option<&'a str>> {
        match self.byte()? {
            0 => Some(None),
            1 => self.text().map(Some),
            _ => None,
        }
    }

    fn user(&mut self) -> Option<&'a str> {
        take_user(&mut self.0)
    }

    fn digits(&mut self) -> Option<&'a str> {
        let length = self.byte()?;
        let digits = varint::take_bytes(&mut self.0, length.into())?;
        let text = match self.byte()? {
            0 if length == 0 => return None,
            0 => digits,
            zeros => varint::take_bytes(&mut self.0, u64::from(length) + u64::from(zeros))?,
        };
        str::from_utf8(text).ok()
    }

    fn date(&mut self) -> Option<Date> {
        let year = u16::from_be_bytes([self.byte()?, self.byte()?]);
        let year = i16::try_from(i32::from(year) + i32::from(FIRST_YEAR)).ok()?;
        Date::new(year, i8::try_from(self.byte()?).ok()?, i8::try_from(self.byte()?).ok()?).ok()
    }

    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*number))
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        varint::take(&mut self.0)
    }

    pub(super) fn time(&mut self) -> Option<Time> {
        let time = self.number()? as i64;
        Some((time != i64::MIN).then_some(time))
    }

    pub(super) fn counted_text(&mut self) -> Option<Option<&'a str>> {
        let Some(length) = self.varint()?.checked_sub(1) else { return Some(None) };
        str::from_utf8(varint::take_bytes(&mut self.0, length)?).ok().map(Some)
    }

    fn rest_of_text(&mut self) -> Option<&'a str> {
        str::from_utf8(std::mem::take(&mut self.0)).ok()
    }
}
