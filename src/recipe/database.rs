//! How a samced.db is made of tables, forum, structure and folds; and its tables as CSV.
//!
//! ```text
//! a snapshot's TSV files ──► tables ─┐
//! .mongo files ────────────► forum ──┤
//! folds ───────────────────► events ─┼──► one database: its front in sealed scratch space, its rows behind it ──► sheet
//! course structures ───────► axis ───┤
//! what was found ──────────► about ──┘
//! ```
//!
//! The tables are created in this order, rows are inserted in a fixed order, and nothing else is written, so that equal
//! inputs give equal bytes. A table whose file is missing or cannot be decoded is left out and named; passing trouble
//! fails the run. An organisation's tables begin with the column `course`, and hold its courses one after the other.

pub mod about;
pub mod axis;
mod bulk;
pub mod columns;
pub mod csv;
pub mod events;
pub mod forum;
pub mod sheet;
mod sorted;
pub mod tables;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::io::{BufReader, Read};
use std::sync::Arc;
use std::thread;

use rusqlite::Connection;

use crate::edx::course_structure::Structure;
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::database::about::{ABOUT, Findings};
use crate::recipe::database::axis::AXIS;
use crate::recipe::database::bulk::Bulk;
use crate::recipe::database::events::{EventTables, Kind};
use crate::recipe::database::forum::{FORUM, Forum};
use crate::recipe::database::tables::{Planned, STANDARD, STUDENTMODULE};
use crate::recipe::derived::{CourseInputs, Database, Scope};
use crate::recipe::joined::JoinInput;
use crate::recipe::make::{Inputs, Summary};
use crate::recipe::tallies::ahead::Ahead;
use crate::recipe::tallies::merge::Merged;
use crate::recipe::{Artifact, Output, Outputs, Recipe, Slot};
use crate::sqlite::{Building, Destination, Reading, failed};

/// `user_version`: changes with the meaning of any table or column.
pub const SCHEMA_VERSION: u32 = 1;

/// Makes the database. The summary's `members`: its tables, in their order; `skipped`: what could not be read and why.
///
/// Errors: those of the inputs that may pass; `NoSecretKey` where nothing of a snapshot can be read for want of a key;
/// `CacheFull`.
pub fn make(database: &Database, inputs: &dyn Inputs, outputs: &mut dyn Outputs) -> Result<Summary> {
    let slot = outputs.create(&Output::Whole)?;
    let mut damaged = Vec::new();
    loop {
        let building = Building::begin(inputs.scratch())?;
        let mut filling = Filling::new(database, inputs, &damaged);
        let plan = filling.plan(building.connection())?;
        let members = plan.names.clone();
        let mut whole = Whole { outputs: &mut *outputs, slot };
        let mut bulk = Bulk::begin(building, inputs, &mut whole)?;
        match filling.fill(&mut bulk, plan)? {
            Filled::Whole { skipped } => {
                bulk.finish()?;
                return Ok(Summary { members, skipped, ..Summary::default() });
            }
            // Its rows cannot be taken back, so all is begun anew without it; it happens with records of 256 MiB.
            Filled::InVain(file) => {
                damaged.push(file);
                outputs.restart(slot)?;
            }
        }
    }
}

/// The output that a database goes to.
struct Whole<'o> {
    outputs: &'o mut dyn Outputs,
    slot: Slot,
}

impl Destination for Whole<'_> {
    fn leave_front(&mut self, bytes: u64) -> Result<u64> {
        self.outputs.leave_front(self.slot, bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.outputs.append(self.slot, bytes)
    }

    fn return_to_front(&mut self) -> Result<()> {
        self.outputs.return_to_front(self.slot)
    }
}

/// Writes one table of a database as CSV. Errors: `NotFound` where it has no such table; the inputs' own; `CacheFull`.
pub fn make_sheet(
    database: &Arc<Database>,
    table: &str,
    inputs: &dyn Inputs,
    outputs: &mut dyn Outputs,
) -> Result<Summary> {
    let recipe = Recipe::Database(Arc::clone(database));
    let reading = Reading::open(inputs.artifact(&Artifact { recipe, output: Output::Whole })?)?;
    let slot = outputs.create(&Output::Whole)?;
    sheet::write(reading.connection(), table, &mut |bytes| outputs.append(slot, bytes))?;
    Ok(Summary::default())
}

/// What is made of the inputs' first parts: all tables, those complete that SQLite itself fills.
struct Plan {
    standard: Vec<Planned>,
    events: EventTables,
    /// All tables, in their order.
    names: Vec<String>,
}

/// A file that turned out to be no table when rows of it were written already.
struct Damaged {
    folder: String,
    table: &'static str,
    error: Error,
}

enum Filled {
    /// What could not be read, and why.
    Whole {
        skipped: Vec<(String, String)>,
    },
    InVain(Damaged),
}

struct Filling<'a> {
    database: &'a Database,
    inputs: &'a dyn Inputs,
    damaged: &'a [Damaged],
    findings: Findings,
    /// What could not be read: a table, or a course's share of it.
    unusable: Vec<(String, Error)>,
}

impl<'a> Filling<'a> {
    fn new(database: &'a Database, inputs: &'a dyn Inputs, damaged: &'a [Damaged]) -> Self {
        Filling { database, inputs, damaged, findings: Findings::default(), unusable: Vec::new() }
    }

    /// Creates every table and index in one transaction, and fills those of forum and structure.
    fn plan(&mut self, connection: &Connection) -> Result<Plan> {
        run(connection, "BEGIN")?;
        let standard = self.plan_tables(connection)?;
        self.forum(connection)?;
        let events = self.plan_events(connection)?;
        self.axis(connection)?;
        self.refuse_without_key()?;
        about::create(connection)?;
        run(connection, &format!("PRAGMA user_version = {SCHEMA_VERSION}"))?;
        run(connection, "COMMIT")?;
        Ok(Plan { standard, events, names: tables_of(connection)? })
    }

    /// Adds the rows of all others.
    fn fill(mut self, bulk: &mut Bulk<'_>, plan: Plan) -> Result<Filled> {
        let Plan { standard, mut events, names } = plan;
        for planned in standard {
            if let Some(damaged) = self.table(bulk, planned)? {
                return Ok(Filled::InVain(damaged));
            }
        }
        for course in &self.database.courses {
            // Named where the axis is written.
            let titles = match self.structure(course) {
                Ok(structure) => structure.map_or_else(HashMap::new, |structure| structure.problem_titles()),
                Err(error) if is_missing(error.kind()) => HashMap::new(),
                Err(error) => return Err(error),
            };
            let merged = Merged::of_folds(self.inputs, &course.folds)?;
            thread::scope(|scope| events.write(bulk, &course.folder, &titles, &mut Ahead::start(merged, scope)?))?;
        }
        let counts = events.counts()?;
        self.findings.events = counts.events;
        self.findings.mended.cut_columns += counts.cut_columns;
        self.findings.missing = self.missing(&names);
        about::write(bulk, self.database, &self.findings)?;
        let skipped = self.unusable.into_iter().map(|(name, error)| (name, error.message())).collect();
        Ok(Filled::Whole { skipped })
    }

    fn plan_tables(&mut self, connection: &Connection) -> Result<Vec<Planned>> {
        let mut planned = Vec::new();
        for table in self.standard() {
            let mut files = self.files(table);
            let mut unusable = Vec::new();
            planned.extend(tables::plan(connection, &self.database.scope, table, &mut files, &mut unusable)?);
            unusable.into_iter().for_each(|(folder, error)| self.skip(&folder, table, error));
        }
        Ok(planned)
    }

    fn table(&mut self, bulk: &mut Bulk<'_>, planned: Planned) -> Result<Option<Damaged>> {
        let table = planned.table;
        let mut files = self.files(table);
        let damaged = tables::import(bulk, &self.database.scope, planned, &mut files, &mut self.findings.mended)?;
        Ok(damaged.map(|(folder, error)| Damaged { folder, table, error }))
    }

    /// The files of a table: one of each course that has it.
    fn files(&self, table: &str) -> Vec<JoinInput<'a>> {
        self.database.courses.iter().filter_map(|course| self.file(course, table)).collect()
    }

    fn file(&self, course: &'a CourseInputs, table: &str) -> Option<JoinInput<'a>> {
        let (_, artifact) = course.tables.iter().find(|(name, _)| **name == *table)?;
        let inputs = self.inputs;
        let damaged = self.damaged.iter().find(|file| file.table == table && *file.folder == *course.folder);
        let open = move || match damaged {
            Some(file) => Err(file.error.clone()),
            None => inputs.artifact(artifact).map(|content| content as Box<dyn Read>),
        };
        Some(JoinInput { folder: &course.folder, open: Box::new(open) })
    }

    fn forum(&mut self, connection: &Connection) -> Result<()> {
        let mut forum = Forum::begin(connection)?;
        for course in &self.database.courses {
            let Some(artifact) = &course.forum else { continue };
            let read = self.inputs.artifact(artifact).and_then(|content| forum.read(&course.folder, content));
            self.unless_missing(read, &course.folder, FORUM[0])?;
        }
        self.findings.bad_forum_lines = forum.bad_lines;
        forum.write(&self.database.scope)
    }

    fn plan_events(&mut self, connection: &Connection) -> Result<EventTables> {
        let kind = match self.database.scope {
            Scope::Organisation => Kind::Organisation,
            Scope::Course(_) => Kind::Course,
        };
        let mut tables = EventTables::new(kind);
        for course in &self.database.courses {
            tables.met(&mut Merged::of_folds(self.inputs, &course.folds)?)?;
        }
        let others = STANDARD.iter().chain(&FORUM).chain(&[AXIS, ABOUT]);
        tables.create(connection, &others.map(|name| (*name).to_owned()).collect::<BTreeSet<_>>())?;
        Ok(tables)
    }

    fn axis(&mut self, connection: &Connection) -> Result<()> {
        let scope = &self.database.scope;
        let mut is_there = false;
        for course in &self.database.courses {
            let Some(Some(structure)) = self.unless_missing(self.structure(course), &course.folder, AXIS)? else {
                continue;
            };
            if !is_there {
                axis::create(connection, scope)?;
                is_there = true;
            }
            axis::write(connection, scope, &course.folder, &structure)?;
        }
        Ok(())
    }

    /// Read once for the events and once for the axis: an organisation's structures are too many to be kept.
    fn structure(&self, course: &CourseInputs) -> Result<Option<Structure>> {
        let Some(artifact) = &course.structure else { return Ok(None) };
        Structure::read(BufReader::new(self.inputs.artifact(artifact)?)).map(Some)
    }

    fn unless_missing<T>(&mut self, result: Result<T>, folder: &str, table: &str) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if is_missing(error.kind()) => {
                self.skip(folder, table, error);
                Ok(None)
            }
            Err(error) => Err(error.about(folder)),
        }
    }

    fn skip(&mut self, folder: &str, table: &str, error: Error) {
        let name = match self.database.scope {
            Scope::Organisation => format!("{folder}/{table}"),
            Scope::Course(_) => table.to_owned(),
        };
        self.unusable.push((name, error));
    }

    /// A database without any table of a snapshot that has some would look like one of a course without learners, and
    /// stay one when the key is given.
    fn refuse_without_key(&self) -> Result<()> {
        let given = self.database.courses.iter().map(|course| {
            let tables = course.tables.iter().filter(|(name, _)| self.standard().any(|table| *table == **name));
            tables.count() + usize::from(course.forum.is_some()) + usize::from(course.structure.is_some())
        });
        let locked = self.unusable.iter().find(|(_, error)| error.kind() == ErrorKind::NoSecretKey);
        match locked {
            Some((_, error)) if self.unusable.len() == given.sum::<usize>() => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn standard(&self) -> impl Iterator<Item = &'static str> + use<> {
        let is_organisation = self.database.scope == Scope::Organisation;
        STANDARD.into_iter().filter(move |table| !is_organisation || *table != STUDENTMODULE)
    }

    /// Tables that are not there, then courses' shares of those that are.
    fn missing(&self, there: &[String]) -> Vec<String> {
        let expected = self.standard().chain(FORUM).chain([AXIS]);
        let absent = expected.filter(|table| !there.iter().any(|name| name == table)).map(str::to_owned);
        let shares = self.unusable.iter().map(|(name, _)| name.clone()).filter(|name| name.contains('/'));
        absent.chain(shares).collect()
    }
}

/// In order of their creation.
fn tables_of(connection: &Connection) -> Result<Vec<String>> {
    let sql =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid";
    let mut names = connection.prepare(sql).map_err(failed)?;
    let names = names.query_map([], |row| row.get(0)).map_err(failed)?;
    names.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// Whether an input that fails so counts as missing: it will fail again, or is not there.
fn is_missing(kind: ErrorKind) -> bool {
    kind.is_about_content() || kind == ErrorKind::NotFound
}

/// The columns that every table of the scope begins with.
fn leading(scope: &Scope) -> &'static [&'static str] {
    match scope {
        Scope::Organisation => &["course"],
        Scope::Course(_) => &[],
    }
}

fn run(connection: &Connection, sql: &str) -> Result<()> {
    connection.execute_batch(sql).map_err(failed)
}
