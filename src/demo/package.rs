//! The weekly zip and the opt-in zip: entries encrypted one by one, put together by the `zip` command.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::civil::Date;

use crate::demo::course::Course;
use crate::demo::gnupg::missing_tool;
use crate::demo::plan::{Site, modified};
use crate::demo::tables::{self, STUDENTMODULE, Snapshot, Table, Week};
use crate::demo::workshop::{Workshop, new_file, set_modified};
use crate::demo::{forum, ora, structure};
use crate::error::{Error, Result};

/// One weekly package in the making.
#[derive(Clone, Copy, Debug)]
pub struct Weekly {
    pub date: Date,
    pub week: Week,
}

/// One entry of it.
pub struct Entry<'a> {
    weekly: Weekly,
    course: &'a Course,
    site: Site,
    kind: EntryKind,
}

enum EntryKind {
    Table(&'static Table, &'static str),
    Forum,
    Structure,
    Content,
}

impl<'a> Entry<'a> {
    /// Every entry of a package, courses on both sites.
    pub fn all(workshop: &'a Workshop<'_>, weekly: Weekly) -> Vec<Self> {
        let mut entries = Vec::new();
        for site in Site::ALL {
            for course in workshop.org.courses_on(site).filter(|course| !is_overwritten(workshop, course)) {
                let plain = tables::TABLES.iter().map(|table| EntryKind::Table(table, ""));
                let ora = ora::TABLES.iter().map(|table| EntryKind::Table(table, "ora/"));
                let rest = [EntryKind::Forum, EntryKind::Structure, EntryKind::Content];
                entries.extend(plain.chain(ora).chain(rest).map(|kind| Entry { weekly, course, site, kind }));
            }
        }
        entries
    }

    /// Encrypts it into the package's folder; writes what a failed task of the exporter leaves where one fails.
    pub fn make(&self, workshop: &Workshop<'_>) -> Result<()> {
        let snapshot = Snapshot {
            org: workshop.org,
            course: self.course,
            site: self.site,
            date: self.weekly.date,
            week: self.weekly.week,
        };
        let name = self.name();
        match self.fate() {
            Fate::Absent => Ok(()),
            Fate::Failed => put_entry(workshop, self.weekly.date, &format!("{name}.failed"), TRACEBACK),
            Fate::ZeroBytes => {
                let path = entry_path(workshop, self.weekly.date, &name)?;
                fs::write(&path, b"")?;
                set_modified(&path, modified(self.weekly.date))
            }
            Fate::Made => put_entry(workshop, self.weekly.date, &name, &self.content(&snapshot, workshop.plan.seed)?),
        }
    }

    fn content(&self, snapshot: &Snapshot<'_>, seed: u64) -> Result<Vec<u8>> {
        let course = self.course;
        Ok(match self.kind {
            EntryKind::Table(table, _) => table.content(snapshot),
            EntryKind::Forum => forum::forum(course, &snapshot.org.learners, self.site, snapshot.date, seed),
            EntryKind::Structure => structure::structure(course),
            EntryKind::Content => structure::content(course, seed)?,
        })
    }

    fn name(&self) -> String {
        let (prefix, name) = (&self.course.prefix, self.site.in_table_names());
        match self.kind {
            EntryKind::Table(table, folder) => format!("{folder}{prefix}-{}-{name}.sql", table.name),
            EntryKind::Forum => format!("{prefix}-{}.mongo", self.site.in_forum_names()),
            EntryKind::Structure => format!("{prefix}-course_structure-{name}.json"),
            EntryKind::Content => format!("{prefix}-course-{name}.xml.tar.gz"),
        }
    }

    /// What goes wrong: in the newest package one table fails and one is not there; one is always 0 bytes.
    fn fate(&self) -> Fate {
        let EntryKind::Table(table, _) = &self.kind else { return Fate::Made };
        match (self.course.rank, table.name, self.weekly.week) {
            _ if self.site == Site::Edge => Fate::Made,
            (0, "teams_membership", Week::Newest) => Fate::Failed,
            (1, "student_languageproficiency", Week::Newest) => Fate::Absent,
            (0, "credit_crediteligibility", _) => Fate::ZeroBytes,
            (_, STUDENTMODULE, _) if !tables::has_student_modules(self.course) => Fate::Absent,
            _ => Fate::Made,
        }
    }
}

enum Fate {
    Made,
    Absent,
    Failed,
    ZeroBytes,
}

const TRACEBACK: &[u8] =
    b"Traceback (most recent call last):\n  File \"exporter/main.py\", line 214, in run_tasks\n    \
    task.run(filename, dry_run, **kwargs)\nOperationalError: (2013, 'Lost connection to MySQL server during query')\n";

/// Of two courses with one prefix the later one's export has overwritten the earlier one's.
fn is_overwritten(workshop: &Workshop<'_>, course: &Course) -> bool {
    workshop.org.courses[course.rank + 1..].iter().any(|later| later.prefix == course.prefix)
}

/// `{org}-{date}`, the name of a package and of the folder inside it.
fn package_name(workshop: &Workshop<'_>, date: Date) -> String {
    format!("{}-{date}", workshop.org.lower)
}

fn entry_path(workshop: &Workshop<'_>, date: Date, name: &str) -> Result<std::path::PathBuf> {
    new_file(&workshop.scratch, &format!("{}/{name}.gpg", package_name(workshop, date)))
}

fn put_entry(workshop: &Workshop<'_>, date: Date, name: &str, content: &[u8]) -> Result<()> {
    let package = package_name(workshop, date);
    let plain_key = format!("course-data/{package}/{package}/{name}");
    workshop.encrypted(&entry_path(workshop, date, name)?, &plain_key, content, date)
}

/// Zips the folder of a package into `course-data/{org}-{date}.zip`, once all its entries are there.
pub fn close_package(workshop: &Workshop<'_>, date: Date) -> Result<()> {
    let package = package_name(workshop, date);
    zip_folder(workshop, &package, &format!("course-data/{package}.zip"), date)
}

/// The opt-in list in a zip of its own: CR LF, quotes where needed, production only.
pub fn opt_in_package(workshop: &Workshop<'_>, date: Date) -> Result<()> {
    let (org, package) = (workshop.org, package_name(workshop, date));
    let mut text =
        "user_id,username,email,full_name,course_id,is_opted_in_for_email,preference_set_datetime\r\n".to_owned();
    for course in &org.courses {
        for enrolment in course.enrolments.iter().filter(|enrolment| enrolment.date <= date) {
            let learner = &org.learners[enrolment.learner];
            let name = csv_cell(&learner.full_name.replace('\u{2028}', "\n"));
            let answer = if learner.id % 3 == 0 { "False,2015-01-31 10:11:12" } else { "True,2014-12-01 00:00:00" };
            let (id, username, email) = (learner.id, &learner.username, &learner.email);
            text.push_str(&format!("{id},{username},{email},{name},{},{answer}\r\n", course.id));
        }
    }
    let name = format!("{}-email_opt_in-prod-analytics.csv", org.lower);
    let path = entry_path(workshop, date, &name)?;
    let plain_key = format!("course-data/email-opt-in/{package}/{package}/{name}");
    workshop.encrypted(&path, &plain_key, text.as_bytes(), date)?;
    zip_folder(workshop, &package, &format!("course-data/email-opt-in/{package}.zip"), date)
}

fn csv_cell(text: &str) -> String {
    if !text.contains([',', '"', '\n', '\r']) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// `zip --quiet --recurse-paths`, as the exporter calls it; the folder goes afterwards.
fn zip_folder(workshop: &Workshop<'_>, package: &str, key: &str, date: Date) -> Result<()> {
    let target = new_file(&workshop.data, key)?;
    let archive = workshop.scratch.join(format!("{package}.zip"));
    run_zip(&workshop.scratch, package).map_err(|error| error.about(key))?;
    fs::rename(&archive, &target)?;
    fs::remove_dir_all(workshop.scratch.join(package))?;
    set_modified(&target, modified(date))
}

fn run_zip(scratch: &Path, package: &str) -> Result<()> {
    let mut zip = Command::new("zip");
    zip.args(["--quiet", "--recurse-paths", &format!("{package}.zip"), package]).current_dir(scratch);
    let output = zip.stdin(Stdio::null()).output().map_err(|error| missing_tool("zip", "zip", error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::internal(format!("zip failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim())))
}
