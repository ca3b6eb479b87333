//! How a samced.db is made of tables, forum, structure and folds; and its tables as CSV.
//!
//! ```text
//! a snapshot's TSV files ──► tables ─┐
//! .mongo files ────────────► forum ──┤
//! folds ───────────────────► events ─┼──► one database, built in sealed scratch space, then streamed ──► sheet
//! course structures ───────► axis ───┤
//! what was found ──────────► about ──┘
//! ```
//!
//! The tables are created in this order, rows are inserted in a fixed order, and nothing else is written, so that equal
//! inputs give equal bytes. A table whose file is missing or cannot be decoded is left out and named; passing trouble
//! fails the run. An organisation's tables begin with the column `course`, and hold its courses one after the other.

pub mod about;
pub mod axis;
pub mod columns;
pub mod csv;
pub mod events;
pub mod forum;
mod insert;
pub mod sheet;
pub mod tables;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::io::{BufReader, Read};
use std::sync::Arc;

use rusqlite::Connection;

use crate::edx::course_structure::Structure;
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::database::about::{ABOUT, Findings};
use crate::recipe::database::axis::AXIS;
use crate::recipe::database::events::{EventTables, Kind};
use crate::recipe::database::forum::{FORUM, Forum};
use crate::recipe::database::tables::{STANDARD, STUDENTMODULE};
use crate::recipe::derived::{CourseInputs, Database, Scope};
use crate::recipe::joined::JoinInput;
use crate::recipe::make::{Inputs, Summary};
use crate::recipe::tallies::merge::Merged;
use crate::recipe::{Artifact, Output, Outputs, Recipe};
use crate::sqlite::{Building, Reading, failed};

/// `user_version`: changes with the meaning of any table or column.
pub const SCHEMA_VERSION: u32 = 1;

/// Makes the database. The summary's `members`: its tables, in their order; `skipped`: what could not be read and why.
///
/// Errors: those of the inputs that may pass; `NoSecretKey` where nothing of a snapshot can be read for want of a key;
/// `CacheFull`.
pub fn make(database: &Database, inputs: &dyn Inputs, outputs: &mut dyn Outputs) -> Result<Summary> {
    let building = Building::begin(inputs.scratch())?;
    let skipped = fill(building.connection(), database, inputs)?;
    let members = tables_of(building.connection())?;
    let slot = outputs.create(&Output::Whole)?;
    building.finish(&mut |bytes| outputs.append(slot, bytes))?;
    Ok(Summary { members, skipped, ..Summary::default() })
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

/// Writes all tables in one transaction; what could not be read, and why.
fn fill(connection: &Connection, database: &Database, inputs: &dyn Inputs) -> Result<Vec<(String, String)>> {
    run(connection, "BEGIN")?;
    let mut filling = Filling { connection, database, inputs, findings: Findings::default(), unusable: Vec::new() };
    filling.tables()?;
    filling.forum()?;
    filling.events()?;
    filling.axis()?;
    filling.refuse_without_key()?;
    filling.findings.missing = filling.missing()?;
    about::write(connection, database, &filling.findings)?;
    run(connection, &format!("PRAGMA user_version = {SCHEMA_VERSION}"))?;
    run(connection, "COMMIT")?;
    Ok(filling.unusable.into_iter().map(|(name, error)| (name, error.message())).collect())
}

struct Filling<'a> {
    connection: &'a Connection,
    database: &'a Database,
    inputs: &'a dyn Inputs,
    findings: Findings,
    /// What could not be read: a table, or a course's share of it.
    unusable: Vec<(String, Error)>,
}

impl Filling<'_> {
    fn tables(&mut self) -> Result<()> {
        for table in self.standard() {
            let mut files: Vec<_> =
                self.database.courses.iter().filter_map(|course| self.file(course, table)).collect();
            let mut unusable = Vec::new();
            let mended = &mut self.findings.mended;
            tables::import(self.connection, &self.database.scope, table, &mut files, mended, &mut unusable)?;
            drop(files);
            unusable.into_iter().for_each(|(folder, error)| self.skip(&folder, table, error));
        }
        Ok(())
    }

    fn file<'f>(&self, course: &'f CourseInputs, table: &str) -> Option<JoinInput<'f>>
    where
        Self: 'f,
    {
        let (_, artifact) = course.tables.iter().find(|(name, _)| **name == *table)?;
        let inputs = self.inputs;
        let open = move || inputs.artifact(artifact).map(|content| content as Box<dyn Read>);
        Some(JoinInput { folder: &course.folder, open: Box::new(open) })
    }

    fn forum(&mut self) -> Result<()> {
        let mut forum = Forum::begin(self.connection)?;
        for course in &self.database.courses {
            let Some(artifact) = &course.forum else { continue };
            let read = self.inputs.artifact(artifact).and_then(|content| forum.read(&course.folder, content));
            self.unless_missing(read, &course.folder, FORUM[0])?;
        }
        self.findings.bad_forum_lines = forum.bad_lines;
        forum.write(&self.database.scope)
    }

    fn events(&mut self) -> Result<()> {
        let (connection, inputs) = (self.connection, self.inputs);
        let kind = match self.database.scope {
            Scope::Organisation => Kind::Organisation,
            Scope::Course(_) => Kind::Course,
        };
        let mut tables = EventTables::new(kind);
        for course in &self.database.courses {
            tables.met(&mut Merged::of_folds(inputs, &course.folds)?)?;
        }
        let others = STANDARD.iter().chain(&FORUM).chain(&[AXIS, ABOUT]);
        tables.create(connection, &others.map(|name| (*name).to_owned()).collect::<BTreeSet<_>>())?;
        for course in &self.database.courses {
            // Named where the axis is written.
            let titles = match self.structure(course) {
                Ok(structure) => structure.map_or_else(HashMap::new, |structure| structure.problem_titles()),
                Err(error) if is_missing(error.kind()) => HashMap::new(),
                Err(error) => return Err(error),
            };
            let mut records = Merged::of_folds(inputs, &course.folds)?;
            tables.write(connection, &course.folder, &titles, &mut records)?;
        }
        let counts = tables.finish(connection)?;
        self.findings.events = counts.events;
        self.findings.mended.cut_columns += counts.cut_columns;
        Ok(())
    }

    fn axis(&mut self) -> Result<()> {
        let scope = &self.database.scope;
        let mut is_there = false;
        for course in &self.database.courses {
            let Some(Some(structure)) = self.unless_missing(self.structure(course), &course.folder, AXIS)? else {
                continue;
            };
            if !is_there {
                axis::create(self.connection, scope)?;
                is_there = true;
            }
            axis::write(self.connection, scope, &course.folder, &structure)?;
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
    fn missing(&self) -> Result<Vec<String>> {
        let there = tables_of(self.connection)?;
        let expected = self.standard().chain(FORUM).chain([AXIS]);
        let absent = expected.filter(|table| !there.iter().any(|name| name == table)).map(str::to_owned);
        let shares = self.unusable.iter().map(|(name, _)| name.clone()).filter(|name| name.contains('/'));
        Ok(absent.chain(shares).collect())
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
