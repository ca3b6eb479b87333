//! `info.txt` of the toolkit's folders: whose data lie beside it, of which days, and which kinds.

use std::fmt::Display;

use super::{Tree, Window, days};
use crate::catalog::Snapshot;
use crate::edx::member_name::MemberKind;
use crate::tree::scope::CourseScope;

/// `name: value` lines; empty if the course is gone.
pub(super) fn render(tree: &Tree<'_>, folder: &str, window: Window) -> String {
    let Some(course) = tree.catalog.course(folder) else { return String::new() };
    let scope = CourseScope { course: course.clone(), window: (window != Window::ALL).then_some(window) };
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn Display| text.push_str(&format!("{name}: {value}\n"));
    // Only an id can be taken apart: the parts of a prefix may have hyphens of their own.
    let unknown = "not known until a day with its events is decoded";
    let [org, number, run] = course.id.as_ref().map_or([unknown; 3], |(id, _)| id.parts());
    line("organisation", &org);
    line("course", &number);
    line("run", &run);
    line("course id", &course.id.as_ref().map_or(unknown, |(id, _)| id.as_str()));
    line("first day", &window.from.map_or_else(|| "open".to_owned(), |day| day.to_string()));
    line("last day", &window.to.map_or_else(|| "open".to_owned(), |day| day.to_string()));
    let survey = days::survey(tree, course, window);
    line("days with events", &survey.holding);
    line("days not decoded yet", &survey.undecoded);
    let snapshot = scope.snapshot();
    line("snapshot", &snapshot.map_or_else(|| "none holds a file of this course".to_owned(), Snapshot::name));
    line("data from events", &"videos, problems, textbooks, surveys, pages");
    line("data from the snapshot", &snapshot.map_or_else(|| "none".to_owned(), kinds));
    text
}

fn kinds(snapshot: &Snapshot) -> String {
    let kind = |kind: &MemberKind| match kind {
        MemberKind::Table(table) => table.clone(),
        MemberKind::Forum => "forum".to_owned(),
        MemberKind::Structure => "course structure".to_owned(),
        MemberKind::Content => "course content".to_owned(),
        MemberKind::OptIn => "opt-in list".to_owned(),
    };
    let held = snapshot.members().filter(|(_, member)| !member.is_void());
    held.map(|(held, _)| kind(held)).collect::<Vec<_>>().join(", ")
}
