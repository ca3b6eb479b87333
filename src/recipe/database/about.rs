//! The table `about`: what a samced.db is of, and what was missing or mended.

use std::collections::BTreeSet;
use std::fmt::Display;

use jiff::civil::Date;
use rusqlite::Connection;

use crate::error::Result;
use crate::recipe::database::bulk::Bulk;
use crate::recipe::database::tables::Mended;
use crate::recipe::database::{SCHEMA_VERSION, run};
use crate::recipe::derived::{Database, Scope};
use crate::sqlite::record::Value;

pub const ABOUT: &str = "about";

/// What the making of the other tables found.
#[derive(Debug, Default)]
pub struct Findings {
    pub events: u64,
    pub mended: Mended,
    pub bad_forum_lines: u64,
    /// Tables that are not there; of an organisation, also single courses' share of one, as `<folder>/<table>`.
    pub missing: Vec<String>,
}

pub fn create(connection: &Connection) -> Result<()> {
    run(connection, &format!("CREATE TABLE {ABOUT} (key TEXT, value TEXT)"))
}

/// Lists are joined by a comma and a space; an empty one is an empty text.
pub fn write(bulk: &mut Bulk<'_>, database: &Database, findings: &Findings) -> Result<()> {
    let table = bulk.table(ABOUT)?;
    let mut add = |key: &str, value: &dyn Display| {
        let value = value.to_string();
        bulk.push(table, [key, &value].map(|text| Value::Text(text.as_bytes())).into_iter())
    };
    add("schema_version", &SCHEMA_VERSION)?;
    match &database.scope {
        Scope::Organisation => {
            add("scope", &"organisation")?;
            add("courses", &database.courses.len())?;
        }
        Scope::Course(folder) => {
            add("scope", &"course")?;
            add("course", folder)?;
            add(
                "course_id",
                &database.courses.iter().find_map(|course| course.id.as_ref()).map_or("", |id| id.as_str()),
            )?;
        }
    }
    let courses = &database.courses;
    let snapshots = courses.iter().filter_map(|course| course.snapshot.as_deref()).map(str::to_owned);
    let days = courses.iter().flat_map(|course| &course.folds).flat_map(|fold| &fold.days).map(|day| day.date);
    let unreadable = courses.iter().flat_map(|course| &course.unreadable);
    add("window", &database.window)?;
    add("snapshot", &list(&snapshots.collect()))?;
    add("days", &days.collect::<BTreeSet<Date>>().len())?;
    add("events", &findings.events)?;
    add("missing_tables", &findings.missing.join(", "))?;
    add("short_rows", &findings.mended.short_rows)?;
    add("long_rows", &findings.mended.long_rows)?;
    add("invalid_utf8_cells", &findings.mended.invalid_utf8_cells)?;
    add("bad_forum_lines", &findings.bad_forum_lines)?;
    add("unreadable_days", &list(&unreadable.map(Date::to_string).collect()))?;
    add("cut_columns", &findings.mended.cut_columns)?;
    add("left_out", &left_out(&database.scope))
}

fn list(sorted: &BTreeSet<String>) -> String {
    sorted.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn left_out(scope: &Scope) -> &'static str {
    match scope {
        Scope::Organisation => "courseware_studentmodule, video_activity_ng2, problem_<id>",
        Scope::Course(_) => "",
    }
}
