//! samced.db, the toolkit's folder and learners' files, judged by a slow model in Python (`tests/truth/derived`).
//!
//! - `judge`:   runs the model on the package's plaintexts, and compares
//! - `tables`:  every table and its CSV, for courses, a window, the organisation, and with each option
//! - `folders`: course-run-data, learners, the opt-in list
//! - `readers`: sqlite3, Perl, Python and R on the mount
//! - `days`:    equal bytes of two builds, and what one more day costs and changes
//! - `late`:    sizes, names and refusals before everything is known
//! - `reduced`: what a de-identified table leaves out is nowhere

mod common;

#[path = "common/volume.rs"]
mod volume;

#[path = "derived/days.rs"]
mod days;
#[path = "derived/folders.rs"]
mod folders;
#[path = "derived/judge.rs"]
mod judge;
#[path = "derived/late.rs"]
mod late;
#[path = "derived/readers.rs"]
mod readers;
#[path = "derived/reduced.rs"]
mod reduced;
#[path = "derived/tables.rs"]
mod tables;

use common::{Mount, folder_options, small_package};

/// An id of the old style, one of the new; both have traps on every production day.
const OLD: &str = "UniX-BIO-1.2x-2014_T1";
const NEW: &str = "UniX-CHEM-R1";
/// Days before the newest snapshot, so that another one is used.
const WINDOW: &str = "2015-03-04_2015-03-08";

/// The small package mounted with nothing read yet and nobody reading ahead.
fn mounted(more: &[&str]) -> Mount {
    let mut options = folder_options(&small_package());
    options.extend(["--index", "off"].map(str::to_owned));
    options.extend(more.iter().map(|option| (*option).to_owned()));
    Mount::start(&options)
}

/// A course's folder, whole or cut to a window.
fn course_path(course: &str, window: &str) -> String {
    if window == "_" { format!("courses/{course}") } else { format!("courses/{course}/between/{window}") }
}
