//! `info.txt`: what a course folder, or a window of it, is made of.

use std::fmt::Display;

use super::{Snapshot, Tree, Window, days};
use crate::edx::tracking_log::Evidence;
use crate::tree::scope::CourseScope;

/// `name: value` lines; empty if the course is gone.
pub(super) fn render(tree: &Tree<'_>, folder: &str, window: Option<Window>) -> String {
    let Some(course) = tree.catalog.course(folder) else { return String::new() };
    let scope = CourseScope { course: course.clone(), window };
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn Display| text.push_str(&format!("{name}: {value}\n"));
    line("folder", &course.folder);
    match &course.id {
        Some((id, Evidence::Stated)) => line("course id", &id.as_str()),
        Some((id, Evidence::Mentioned)) => line("course id", &format_args!("{} (seen in URLs only)", id.as_str())),
        None => line("course id", &"not known until a day with its events is decoded"),
    }
    line("prefix", &course.prefix);
    line("organisation", &tree.catalog.org());
    line("site", &course.site.as_str());
    if let Some(window) = window {
        line("first day of the window", &or(window.from, "open"));
        line("last day of the window", &or(window.to, "open"));
    }
    let survey = days::survey(tree, course, scope.days());
    line("first day with events", &or(survey.first, "none known"));
    line("last day with events", &or(survey.last, "none known"));
    line("days with events", &survey.holding);
    line("days not decoded yet", &survey.undecoded);
    match scope.snapshot() {
        Some(snapshot) => snapshot_lines(&mut line, snapshot),
        None => line("snapshot", &"none holds a file of this course"),
    }
    line("snapshots", &course.snapshots().len());
    line("refreshed", &format_args!("{:.0}", tree.catalog.refreshed()));
    text
}

fn snapshot_lines(line: &mut dyn FnMut(&str, &dyn Display), snapshot: &Snapshot) {
    line("snapshot", &snapshot.name());
    line("snapshot files", &snapshot.members().count());
    if let Some((_, member)) = snapshot.members().find(|(_, member)| member.entry.is_some()) {
        line("package", &member.object.id.key);
    }
}

fn or(value: Option<impl Display>, otherwise: &str) -> String {
    value.map_or_else(|| otherwise.to_owned(), |value| value.to_string())
}
