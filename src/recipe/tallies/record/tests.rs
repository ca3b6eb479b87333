use std::cmp::Ordering;

use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::bytes::Fields;
use super::*;
use crate::error::ErrorKind;

fn bytes(record: &Record<'_>) -> (Vec<u8>, Vec<u8>) {
    let (mut key, mut value) = (Vec::new(), Vec::new());
    record.encode(&mut key, &mut value);
    (key, value)
}

/// Fields from which any record can be made.
#[derive(Clone, Debug)]
struct Parts {
    variant: usize,
    users: (String, String),
    texts: [Option<String>; 5],
    date: Date,
    numbers: (u64, i64),
    times: (Time, Time),
    table: Counted,
    survey: Survey,
    page: Page,
}

fn user() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9]{1,4}", "[1-9][0-9]{0,12}", "0{0,3}[0-9]{1,2}", "[a-c0-9é]{0,3}", Just(UNDEFINED.to_owned())]
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![Just(None), (-5i64..5).prop_map(Some)]
}

prop_compose! {
    fn parts()(
        variant in 0usize..13,
        users in (user(), user()),
        texts in prop::array::uniform5(prop::option::of("[ab\u{1}é]{0,3}")),
        date in (0i16..3, 1i8..3, 1i8..3).prop_map(|(year, month, day)| date(year - 1, month, day)),
        numbers in (prop_oneof![0u64..3, any::<u64>()], prop_oneof![-2i64..3, any::<i64>()]),
        times in (time(), time()),
        table in prop::sample::select(vec![Counted::Video, Counted::VideoSteps, Counted::PreRoll, Counted::Textbook]),
        survey in prop::sample::select(vec![Survey::Pre, Survey::Post]),
        page in prop::sample::select(vec![Page::Courseware, Page::Discussion, Page::Info, Page::Progress]),
    ) -> Parts {
        Parts { variant, users, texts, date, numbers, times, table, survey, page }
    }
}

impl Parts {
    fn record(&self) -> Record<'_> {
        let optional: [Option<&str>; 5] = [0, 1, 2, 3, 4].map(|at| self.texts[at].as_deref());
        let text = optional.map(Option::unwrap_or_default);
        let (count, compartment) = self.numbers;
        let Parts { date, table, survey, page, .. } = *self;
        let (user, (first_time, time)) = (&*self.users.0, self.times);
        match self.variant {
            0 => Record::Events { count },
            1 => Record::MetName { table, name: text[0] },
            2 => Record::MetDate { page, date },
            3 => Record::MetAnswer { survey, column: text[0] },
            4 => Record::MetProblem { problem: text[0], time, display_name: optional[1] },
            5 => Record::EventCount { date, event_type: text[0], event_source: text[1], count },
            6 => Record::Video { user, video: optional[0], name: text[1], count },
            7 => Record::VideoStep { user, video: text[0], compartment, name: text[1], count },
            8 => Record::Count { table, user, name: text[0], count },
            9 => Record::Page { user, page, date, count },
            10 => {
                let [_, attempts, grade, max_grade, success] = optional;
                let latest = CheckValues { attempts, grade, max_grade, success };
                Record::Check { problem: text[0], user, checks: count, first_time, time, latest }
            }
            11 => Record::SurveyCheck { survey, user, column: optional[0], time, value: optional[1] },
            _ => Record::VideoError { date, line: count, reason: text[0] },
        }
    }

    /// The documented order, by comparing fields.
    fn compare(&self, other: &Parts) -> Ordering {
        let users = || compare_users(&self.users.0, &other.users.0);
        let text = |at: usize| self.texts[at].as_deref().unwrap_or_default();
        let other_text = |at: usize| other.texts[at].as_deref().unwrap_or_default();
        let texts = |at| text(at).cmp(other_text(at));
        let first_optional = || self.texts[0].cmp(&other.texts[0]);
        let same_variant = match self.variant {
            0 => Ordering::Equal,
            1 => (self.table, text(0)).cmp(&(other.table, other_text(0))),
            2 => (self.page, self.date).cmp(&(other.page, other.date)),
            3 => (self.survey, text(0)).cmp(&(other.survey, other_text(0))),
            4 => texts(0),
            5 => self.date.cmp(&other.date).then(texts(0)).then(texts(1)),
            6 => users().then_with(first_optional).then(texts(1)),
            7 => users().then(texts(0)).then(self.numbers.1.cmp(&other.numbers.1)).then(texts(1)),
            8 => self.table.cmp(&other.table).then_with(users).then(texts(0)),
            9 => users().then(self.page.cmp(&other.page)).then(self.date.cmp(&other.date)),
            10 => texts(0).then_with(users),
            11 => self.survey.cmp(&other.survey).then_with(users).then_with(first_optional),
            _ => (self.date, self.numbers.0).cmp(&(other.date, other.numbers.0)),
        };
        self.variant.cmp(&other.variant).then(same_variant)
    }
}

fn compare_users(one: &str, other: &str) -> Ordering {
    let rank = |user: &str| {
        let is_number = !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_digit());
        let number: u128 = if is_number { user.parse().expect("few digits") } else { 0 };
        let kind = if user == UNDEFINED { 2 } else { u8::from(!is_number) };
        (kind, number, if is_number { user.len() } else { 0 }, user.to_owned())
    };
    rank(one).cmp(&rank(other))
}

/// Values of one key, each later than the one before, merged from the left.
fn merged(key: &[u8], values: &[Vec<u8>]) -> Vec<u8> {
    let mut into = values[0].clone();
    values[1..].iter().for_each(|value| merge_values(key, &mut into, value).expect("good values"));
    into
}

proptest! {
    #[test]
    fn records_come_back(parts in parts()) {
        let (key, value) = bytes(&parts.record());
        prop_assert_eq!(Record::decode(&key, &value).expect("good bytes"), parts.record());
    }

    #[test]
    fn bytes_are_in_the_order_of_records(one in parts(), mut other in parts(), is_near: bool, user in user()) {
        if is_near {
            let numbers = other.numbers;
            other = Parts { numbers, ..one.clone() };
            other.users.0 = user;
        }
        prop_assert_eq!(bytes(&one.record()).0.cmp(&bytes(&other.record()).0), one.compare(&other));
    }

    #[test]
    fn any_grouping_of_runs_merges_alike(
        first in parts(),
        others in prop::collection::vec(parts(), 1..6),
        at: prop::sample::Index,
    ) {
        let (key, value) = bytes(&first.record());
        // One video error has one line: its values are equal.
        let is_error = |record: &Record<'_>| matches!(record, Record::VideoError { .. });
        let alike = |other: &Parts| {
            let other = if is_error(&first.record()) { &first } else { other };
            Parts { variant: first.variant, ..other.clone() }
        };
        let values: Vec<_> =
            std::iter::once(value).chain(others.iter().map(|other| bytes(&alike(other).record()).1)).collect();
        let (left, right) = values.split_at(1 + at.index(values.len() - 1));
        let grouped = merged(&key, &[merged(&key, left), merged(&key, right)]);
        let whole = merged(&key, &values);
        prop_assert_eq!(&grouped, &whole);
        prop_assert!(Record::decode(&key, &whole).is_ok());
    }

    #[test]
    fn damage_is_an_error(variant in 0u8..15, mut key: Vec<u8>, value: Vec<u8>, mut into: Vec<u8>) {
        key.insert(0, variant);
        let errors = [Record::decode(&key, &value).err(), merge_values(&key, &mut into, &value).err()];
        for error in errors.into_iter().flatten() {
            prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn cut_and_flipped_bytes_are_no_panic(parts in parts(), at: prop::sample::Index, flip in 0u8..=255) {
        let (mut key, mut value) = bytes(&parts.record());
        let _ = Record::decode(&key[..at.index(key.len())], &value);
        let (key_at, value_at) = (at.index(key.len()), at.index(value.len().max(1)));
        key[key_at] ^= flip;
        let _ = Record::decode(&key, &value);
        if let Some(byte) = value.get_mut(value_at) {
            *byte ^= flip;
        }
        let _ = Record::decode(&key, &value);
    }
}

#[test]
fn counts_add_and_the_latest_check_wins() {
    let check = |checks, first_time, time, grade| {
        let latest = CheckValues { grade: Some(grade), ..CheckValues::default() };
        Record::Check { problem: "p", user: "7", checks, first_time, time, latest }
    };
    for (one, other, expected) in [
        (check(200, Some(1), Some(5), "1"), check(1, Some(4), Some(4), "0"), check(201, Some(1), Some(5), "1")),
        (check(1, Some(5), Some(5), "1"), check(1, Some(3), Some(5), "0"), check(2, Some(3), Some(5), "0")),
        (check(1, None, None, "1"), check(1, None, None, "0"), check(2, None, None, "0")),
        (check(1, Some(2), Some(2), "1"), check(1, None, None, "0"), check(2, Some(2), Some(2), "1")),
        (check(127, None, None, "1"), check(1, Some(-9), Some(-9), "0"), check(128, Some(-9), Some(-9), "0")),
    ] {
        let ((key, into), (_, later)) = (bytes(&one), bytes(&other));
        let whole = merged(&key, &[into, later]);
        assert_eq!(Record::decode(&key, &whole).expect("good bytes"), expected);
    }
    let count = |count| bytes(&Record::Events { count });
    assert_eq!(merged(&count(0).0, &[count(100).1, count(100).1, count(u64::MAX).1]), count(u64::MAX).1);
}

#[test]
fn the_latest_name_of_a_problem_stays() {
    let named = |time, display_name| bytes(&Record::MetProblem { problem: "p", time, display_name });
    let key = named(None, None).0;
    for (one, other, expected) in [
        (named(Some(1), Some("a")), named(Some(2), None), named(Some(1), Some("a"))),
        (named(Some(9), None), named(None, Some("b")), named(None, Some("b"))),
        (named(Some(3), Some("a")), named(Some(2), Some("b")), named(Some(3), Some("a"))),
        (named(Some(3), Some("a")), named(Some(3), Some("b")), named(Some(3), Some("b"))),
    ] {
        assert_eq!(merged(&key, &[one.1, other.1]), expected.1);
    }
}

/// The bytes that the format was designed on: whoever changes them must raise the recipe's version.
#[test]
fn the_format_stands() {
    let video = Record::Video { user: "0042", video: Some("v"), name: "play_video", count: 300 };
    assert_eq!(bytes(&video), (b"\x07\x01\x0242\x020042\x01v\0play_video\0".to_vec(), b"\xac\x02".to_vec()));
    let answer =
        Record::SurveyCheck { survey: Survey::Post, user: UNDEFINED, column: None, time: Some(1), value: None };
    assert_eq!(bytes(&answer), (b"\x0c\x01\x03\0".to_vec(), b"\0\0\0\0\0\0\0\x01\0".to_vec()));
    assert_eq!(Fields(&bytes(&answer).1).time(), Some(Some(1)));
}
