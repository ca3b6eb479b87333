//! What the event files of a package must hold, by a slow splitter of its own (`tests/truth/split.py`).
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use edxfs::demo::{Compression, Made, Plan};

use crate::common::{package, run};

/// Production days of [`many_courses`] that hold events.
pub const DAYS: [&str; 4] = ["2015-03-02", "2015-03-04", "2015-03-05", "2015-03-06"];

/// Twelve courses of one organisation and some MB of events a day, so that a decode has a middle.
pub fn many_courses() -> Made {
    let plan = Plan { days: 5, events_per_day: 9000, courses: 12, packages: 1, ..Plan::default() };
    package("many", Plan { compression: Compression::Fast, ..plan })
}

/// The plain text of a production day.
pub fn plain_day(made: &Made, date: &str) -> PathBuf {
    let plain = made.plain.as_ref().expect("the package keeps its plain texts");
    plain.join(format!("edx-course-data/unix/edx/events/{}/unix-edx-events-{date}.log", &date[..4]))
}

/// The key of a production day's object below its bucket.
pub fn day_key(date: &str) -> String {
    format!("unix/edx/events/{}/unix-edx-events-{date}.log.gz.gpg", &date[..4])
}

/// The lines of one production day, by course.
pub struct Truth {
    folder: PathBuf,
}

impl Truth {
    /// Splits the day, once for all tests.
    pub fn of(made: &Made, date: &str) -> Truth {
        let package = made.data.parent().expect("a package has a folder");
        let folder = package.join("truth").join(date);
        let lock = fs::File::create(package.join(format!("truth-{date}.lock"))).expect("a lock file can be made");
        lock.lock().expect("a lock can be taken");
        if !folder.join("done").exists() {
            let _ = fs::remove_dir_all(&folder);
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/truth/split.py");
            run(Command::new("python3").arg(script).arg(plain_day(made, date)).arg(&folder));
            fs::write(folder.join("done"), "").expect("a file can be made");
        }
        Truth { folder }
    }

    /// A course's lines.
    pub fn course(&self, id: &str) -> Vec<u8> {
        let hex: String = id.bytes().map(|byte| format!("{byte:02x}")).collect();
        fs::read(self.folder.join(hex)).unwrap_or_default()
    }
}

/// Folder and id of each course whose folder no other course could have, largest first.
pub fn courses_of(made: &Made) -> Vec<(String, String)> {
    let named: Vec<_> = made.courses.iter().map(|id| (folder_of(id), id.clone())).collect();
    let alone = |folder: &str| named.iter().filter(|(other, _)| other == folder).count() == 1;
    named.iter().filter(|(folder, _)| alone(folder)).cloned().collect()
}

fn folder_of(id: &str) -> String {
    let key = id.split_once(':').map_or(id, |(_, key)| key);
    let plain = |c: char| if c.is_ascii() { c } else { '_' };
    key.replace(['+', '/', '@'], "-").chars().map(plain).collect()
}

/// Folder and id of each production course met so far, as `courses.tsv` has them.
pub fn production_courses(courses_tsv: &str) -> Vec<(String, String)> {
    let mut rows = courses_tsv.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = rows.next().expect("a header");
    let column =
        |name: &str| head.iter().position(|cell| *cell == name).unwrap_or_else(|| panic!("no {name}: {head:?}"));
    let (folder, id) = (column("folder"), column("course_id"));
    let courses = rows.map(|row| (row[folder].to_owned(), row[id].to_owned()));
    courses.filter(|(folder, id)| !folder.ends_with("@edge") && !id.is_empty()).collect()
}
