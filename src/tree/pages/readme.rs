//! `README.txt`: what is where, with commands that work in this very tree.

use super::{Tree, Window};
use crate::catalog::courses::Course;
use crate::tree::snapshot_files::table_name;

/// About 40 lines. Only folders that the tree has are named, and the commands use a course, a day and a table of it.
pub(super) fn render(tree: &Tree<'_>) -> String {
    let course = example(tree);
    let last = course.and_then(|course| tree.catalog.days(&course.site, Window::ALL).next_back()).map(|log| log.date);
    let monday = last.map(|day| day.saturating_sub(jiff::Span::new().days(6)));
    let text = |day: Option<jiff::civil::Date>| day.map_or_else(|| "2015-01-19".to_owned(), |day| day.to_string());
    let folder = course.map_or_else(|| "COURSE".to_owned(), |course| quoted(&course.folder));
    let table = course.and_then(table).unwrap_or_else(|| "student_courseenrollment.tsv".to_owned());
    let commands = COMMANDS
        .replace("{course}", &folder)
        .replace("{day}", &text(last))
        .replace("{from}", &text(monday))
        .replace("{table}", &table);
    format!("{}\n{}\n{commands}\n{NOTES}", HEAD.replace("{org}", tree.catalog.org()), places(tree))
}

fn places(tree: &Tree<'_>) -> String {
    let mut is_there = false;
    let mut text = String::new();
    for line in PLACES.lines() {
        let name = line.split([' ', '/']).next().unwrap_or_default();
        // A line that begins with a space goes on with the name before it.
        is_there = if name.is_empty() { is_there } else { tree.lookup(name).is_ok() };
        if is_there {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

/// A course that has a snapshot, so that every command has something to work on; else any.
fn example<'a>(tree: &Tree<'a>) -> Option<&'a Course> {
    let with_snapshot = tree.catalog.courses().find(|course| !course.snapshots().is_empty());
    with_snapshot.or_else(|| tree.catalog.courses().next()).map(|course| &**course)
}

/// The table of enrollments where the snapshot has it, else any.
fn table(course: &Course) -> Option<String> {
    let names = course.snapshot_for(None)?.members().filter_map(|(kind, _)| table_name(kind));
    names.min_by_key(|name| name != "student_courseenrollment.tsv")
}

/// A name as a shell takes it.
fn quoted(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~@+%:".contains(&byte);
    if name.bytes().all(plain) && !name.starts_with(['~', '-']) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

const HEAD: &str = "\
The edX research data package of {org}, read only. Every file is decrypted and unpacked when it is opened, and
kept in a sealed cache. Sizes are upper bounds until a file has been opened or indexed; an open file's is exact.

What is where:";

const PLACES: &str = "\
courses.tsv      one line a course: folder, course id, site, first and last day with events, snapshot
problems.tsv     what could not be read or was not used, and what to do about it
courses/COURSE/  info.txt; events/DATE.log; tables/TABLE.tsv, forum.mongo, course_structure.json and
                 course.xml.tar.gz of the newest snapshot; snapshots/DATE/: the same of every week;
                 samced.db, samced/: counts by learner, video and problem; course-run-data/: the ChalmersX toolkit's
                 folder; learners/USER_ID/: one learner's lines; between/FROM_TO/: all but snapshots/, cut to a
                 window of days (learners and windows are not listed: any opens)
events/          COURSE/: the same event files; all/: whole days; unattributed/: lines of no course; @edge: edge site
tables/          TABLE.tsv of all courses in one file, with a column course in front
samced.db        the tables of the courses' samced.db in one database, with a column course in front
learners/        USER_ID/COURSE/: one learner's lines over all courses (not listed: any id opens)
reports/         email_opt_in.csv: who may be written to, with their profiles
course-data/     the weekly packages as they are, decrypted
edx-course-data/ the event logs as they are, decrypted, still gzip
email-opt-in/    the lists of who may be written to
rdx/             Research Data Exchange packages, unpacked";

const COMMANDS: &str = "\
Commands to paste, from this folder:
  column -ts $'\\t' courses.tsv | less -S
  cat courses/{course}/info.txt
  wc -l courses/{course}/events/{day}.log
  grep -c '\"event_type\": \"play_video\"' courses/{course}/events/*.log
  grep -ah problem_check courses/{course}/between/{from}_{day}/events/*.log | head -n 1
  sqlite3 -readonly -header courses/{course}/samced.db 'select * from event_counts limit 5'
  awk -F'\\t' 'NR > 1 { n[$1]++ } END { for (c in n) print n[c], c }' tables/{table}
  python3 -c 'import pandas as p; print(p.read_csv(\"courses/{course}/tables/{table}\", sep=\"\\t\", quoting=3))'
  cp -r --no-preserve=mode courses/{course}/between/{from}_{day} /tmp/
";

const NOTES: &str = "\
Good to know:
  DATE is the day on which edX received the events, as in the log file's name; an event's own time can be another
  day. Lines are unchanged and in order. A day known to hold nothing of a course is not listed.
  The first file opened of a day decodes that day for all courses at once; a file that joins days waits for all of
  them. edxfs index does it beforehand.
  Tables are edX's own bytes: tab-separated, NULL, a backslash before n, r, t; what a snapshot lacks is absent.
  samced.db has no names or addresses out of profiles and certificates: that is reduced, not anonymous.
  Nothing can be changed here. Files hold personal data: treat copies as you treat the package.
";
