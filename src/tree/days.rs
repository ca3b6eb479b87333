//! The event files of one course: `<date>.log`, a segment of each day's log of the course's site.

use jiff::Timestamp;
use jiff::civil::Date;

use super::view::Listing;
use super::{Body, Node, Tree, missing};
use crate::catalog::courses::Course;
use crate::catalog::day_log::DayLog;
use crate::edx::tracking_log::Evidence;
use crate::edx::window::{Window, date};
use crate::error::Result;
use crate::recipe::{Artifact, Output, Part, Recipe};

/// What is known of a course in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Undecoded,
    Empty,
    Holds,
}

/// The days of a course, as far as they are decoded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    pub first: Option<Date>,
    pub last: Option<Date>,
    /// Days that hold events.
    pub holding: usize,
    pub undecoded: usize,
}

/// A day's log as an input.
pub(super) fn part(log: &DayLog) -> Part {
    Part { object: log.object.clone(), entry: None }
}

/// The name of the files made from a day's log.
pub(super) fn file_name(log: &DayLog) -> String {
    format!("{}.log", log.date)
}

/// The day that a file of this name is made from.
pub(super) fn of_file_name(name: &str) -> Result<Date> {
    name.strip_suffix(".log").and_then(date).ok_or_else(missing)
}

/// Every day of the window but those known to hold nothing of the course.
pub(super) fn list(tree: &Tree<'_>, course: &Course, window: Window) -> Listing {
    let days = tree.catalog.days(&course.site, window).map(|log| (log, state(tree, course, log)));
    let shown = days.filter(|(_, state)| *state != State::Empty);
    shown.map(|(log, state)| (file_name(log), file(tree, course, log, state))).collect()
}

/// The file of a day, also of one that holds nothing: a name that was listed once stays.
pub(super) fn lookup(tree: &Tree<'_>, course: &Course, window: Window, name: &str) -> Result<Node> {
    let date = of_file_name(name)?;
    let log = tree.catalog.day(&course.site, date).filter(|_| window.contains(date)).ok_or_else(missing)?;
    Ok(file(tree, course, log, state(tree, course, log)))
}

pub(super) fn survey(tree: &Tree<'_>, course: &Course, window: Window) -> Survey {
    let mut survey = Survey::default();
    for log in tree.catalog.days(&course.site, window) {
        match state(tree, course, log) {
            State::Undecoded => survey.undecoded += 1,
            State::Empty => {}
            State::Holds => {
                survey.holding += 1;
                survey.first.get_or_insert(log.date);
                survey.last = Some(log.date);
            }
        }
    }
    survey
}

/// LastModified of the newest log that holds something of the course, or that is not decoded yet.
pub(super) fn newest(tree: &Tree<'_>, course: &Course, window: Window) -> Option<Timestamp> {
    // The newest day is mostly the newest log, and then none of the others is asked for.
    tree.catalog.days(&course.site, window).rev().fold(None, |newest, log| {
        let is_newer = newest.is_none_or(|newest| log.modified > newest);
        if is_newer && state(tree, course, log) != State::Empty { Some(log.modified) } else { newest }
    })
}

/// First and last day known to hold events: a survey that looks at no day between them.
pub(super) fn first_and_last(tree: &Tree<'_>, course: &Course) -> (Option<Date>, Option<Date>) {
    let holds = |log: &&DayLog| state(tree, course, log) == State::Holds;
    let mut days = tree.catalog.days(&course.site, Window::ALL);
    let first = days.find(holds).map(|log| log.date);
    let last = days.rfind(holds).map(|log| log.date);
    (first, last.or(first))
}

fn state(tree: &Tree<'_>, course: &Course, log: &DayLog) -> State {
    let holds = match &course.id {
        Some((id, _)) => tree.known.holds(&part(log), id),
        // Every id of a decoded day has been met, and none of them is this course's.
        None => tree.known.decoded(&part(log)).then_some(false),
    };
    match holds {
        None => State::Undecoded,
        Some(false) => State::Empty,
        Some(true) => State::Holds,
    }
}

fn file(tree: &Tree<'_>, course: &Course, log: &DayLog, state: State) -> Node {
    let output = match &course.id {
        // A mentioned id may yet lose the folder to one that the day states.
        Some((id, evidence)) if *evidence == Evidence::Stated || state != State::Undecoded => {
            Output::Course(id.clone())
        }
        _ => Output::OfFolder(course.folder.clone()),
    };
    let recipe = Recipe::Day { log: part(log), rule: tree.rule };
    Node::File { body: Body::Artifact(Artifact { recipe, output }), modified: log.modified }
}
