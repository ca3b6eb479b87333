//! The standard tables: a snapshot's TSV files as they are, every cell its raw text.

use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;

use memchr::memchr;
use rusqlite::Connection;

use crate::edx::table::{Dialect, Records, fields, header};
use crate::error::{Error, Result};
use crate::recipe::database::bulk::{Bulk, Number};
use crate::recipe::database::columns::{Layout, Shown, Union, quoted};
use crate::recipe::database::{is_missing, leading, run};
use crate::recipe::derived::Scope;
use crate::recipe::joined::JoinInput;
use crate::sqlite::record::Value;

/// The tables that are imported, in the order in which they stand in a database.
pub const STANDARD: [&str; 8] = [
    "auth_userprofile",
    "certificates_generatedcertificate",
    STUDENTMODULE,
    "student_courseenrollment",
    "student_languageproficiency",
    "user_api_usercoursetag",
    "wiki_article",
    "wiki_articlerevision",
];

/// Left out of the organisation's database.
pub const STUDENTMODULE: &str = "courseware_studentmodule";

/// What was not stored as it stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// Rows with fewer cells than their header, filled with NULL.
    pub short_rows: u64,
    /// Rows with more cells than their header; those cells are left out.
    pub long_rows: u64,
    /// Cells in which U+FFFD stands for what is no UTF-8.
    pub invalid_utf8_cells: u64,
    /// Columns that SQLite's readers have no room for.
    pub cut_columns: u64,
}

/// A table that is created, and where its rows come from.
pub struct Planned {
    pub table: &'static str,
    union: Union,
    /// As the files; None where one cannot be used.
    layouts: Vec<Option<Layout>>,
}

/// Creates `table` for the files of it (one of each course, in order) and its index.
///
/// A file that is missing, empty, damaged, of unsupported form or without a secret key gives its folder and the cause in
/// `unusable`; if all do, there is no table. Any other error is passed on: passing trouble must not leave out a table.
pub fn plan(
    connection: &Connection,
    scope: &Scope,
    table: &'static str,
    files: &mut [JoinInput<'_>],
    unusable: &mut Vec<(String, Error)>,
) -> Result<Option<Planned>> {
    let mut union = Union::beside(leading(scope));
    let mut layouts = Vec::with_capacity(files.len());
    for file in files.iter_mut() {
        layouts.push(usable(file.folder, layout(file, table, &mut union), unusable)?);
    }
    if layouts.iter().all(Option::is_none) {
        return Ok(None);
    }
    create(connection, leading(scope), table, &union)?;
    Ok(Some(Planned { table, union, layouts }))
}

/// Adds the rows of a planned table, in file order. Blank lines of a table with several columns are no rows.
///
/// `files` as in `plan`. One that turns out to be no table after all is handed back: its rows so far are in the table.
/// Memory: the longest row.
pub fn import(
    bulk: &mut Bulk<'_>,
    scope: &Scope,
    planned: Planned,
    files: &mut [JoinInput<'_>],
    mended: &mut Mended,
) -> Result<Option<(String, Error)>> {
    let Planned { table, union, layouts } = planned;
    mended.cut_columns += union.cut;
    for (file, layout) in files.iter_mut().zip(layouts) {
        let Some(layout) = layout else { continue };
        match rows(bulk, table, leading(scope), file, &layout, &union, mended) {
            Ok(()) => {}
            Err(error) if is_missing(error.kind()) => return Ok(Some((file.folder.to_owned(), error))),
            Err(error) => return Err(error.about(file.folder)),
        }
    }
    bulk.complete(bulk.table(table)?)?;
    Ok(None)
}

/// None, and a cause more, where a file cannot be used.
fn usable<T>(folder: &str, result: Result<T>, unusable: &mut Vec<(String, Error)>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_missing(error.kind()) => {
            unusable.push((folder.to_owned(), error));
            Ok(None)
        }
        Err(error) => Err(error.about(folder)),
    }
}

/// Reads no more than the file's first piece.
fn layout(file: &mut JoinInput<'_>, table: &str, union: &mut Union) -> Result<Layout> {
    let names = header(&mut *(file.open)()?, Dialect::of_table(table))?;
    let names = names.ok_or_else(|| Error::not_found("the table is empty, without even a header"))?;
    let layout = union.add(&names, Shown::of_table(table));
    if layout.iter().all(Option::is_none) {
        return Err(Error::unsupported("the table has none of the columns that may be shown"));
    }
    Ok(layout)
}

fn create(connection: &Connection, leading: &[&str], table: &str, union: &Union) -> Result<()> {
    let names = leading.iter().copied().chain(union.names.iter().map(String::as_str));
    let columns: Vec<_> = names.map(|name| format!("{} TEXT", quoted(name))).collect();
    run(connection, &format!("CREATE TABLE {} ({})", quoted(table), columns.join(", ")))?;
    let column = if table == STUDENTMODULE { "student_id" } else { "user_id" };
    if !union.names.iter().any(|name| name.eq_ignore_ascii_case(column)) {
        return Ok(());
    }
    let (name, table) = (quoted(&format!("{table}_{column}")), quoted(table));
    run(connection, &format!("CREATE INDEX {name} ON {table} ({column})"))
}

fn rows(
    bulk: &mut Bulk<'_>,
    table: &str,
    leading: &[&str],
    file: &mut JoinInput<'_>,
    layout: &Layout,
    union: &Union,
    mended: &mut Mended,
) -> Result<()> {
    let dialect = Dialect::of_table(table);
    let mut rows = Importing {
        table: bulk.table(table)?,
        bulk,
        dialect,
        folder: (!leading.is_empty()).then_some(file.folder.as_bytes()),
        layout,
        places: vec![None; union.names.len()],
        mended,
    };
    let content: Box<dyn Read> = (file.open)()?;
    let mut records = Records::new(content, dialect);
    records.next_record()?;
    while let Some(record) = records.next_record()? {
        if !record.is_empty() || layout.len() == 1 {
            rows.row(record)?;
        }
    }
    Ok(())
}

struct Importing<'a, 'b> {
    bulk: &'a mut Bulk<'b>,
    table: Number,
    dialect: Dialect,
    /// What the column `course` shows, where there is one.
    folder: Option<&'a [u8]>,
    layout: &'a Layout,
    /// Where the cell of each of the table's columns is in the present record.
    places: Vec<Option<Range<usize>>>,
    mended: &'a mut Mended,
}

impl Importing<'_, '_> {
    fn row(&mut self, record: &[u8]) -> Result<()> {
        // Once for the whole row: no cell begins or ends inside a character, since HT is a byte of none.
        if std::str::from_utf8(record).is_err() || memchr(0, record).is_some() {
            let record = self.mend(record);
            return self.push(&record);
        }
        self.push(record)
    }

    fn push(&mut self, record: &[u8]) -> Result<()> {
        let (mut count, mut start) = (0, 0);
        self.places.fill(None);
        for cell in fields(record, self.dialect) {
            if let Some(Some(column)) = self.layout.get(count) {
                self.places[*column] = Some(start..start + cell.len());
            }
            count += 1;
            start += cell.len() + 1;
        }
        let cells = self.places.iter().map(|place| match place {
            Some(place) => Value::Text(&record[place.clone()]),
            None => Value::Null,
        });
        self.bulk.push(self.table, self.folder.map(Value::Text).into_iter().chain(cells))?;
        self.mended.short_rows += u64::from(count < self.layout.len());
        self.mended.long_rows += u64::from(count > self.layout.len());
        Ok(())
    }

    /// The row with U+FFFD for what is no UTF-8, and U+2400 for NUL, at which SQLite's readers end a text.
    fn mend(&mut self, record: &[u8]) -> Vec<u8> {
        let mut mended = Vec::with_capacity(record.len());
        for (count, cell) in fields(record, self.dialect).enumerate() {
            if count > 0 {
                mended.push(b'\t');
            }
            let text = String::from_utf8_lossy(cell);
            let is_shown = matches!(self.layout.get(count), Some(Some(_)));
            self.mended.invalid_utf8_cells += u64::from(is_shown && matches!(text, Cow::Owned(_)));
            mended.extend_from_slice(text.replace('\0', "\u{2400}").as_bytes());
        }
        mended
    }
}

impl Mended {
    pub fn add(&mut self, other: Mended) {
        self.short_rows += other.short_rows;
        self.long_rows += other.long_rows;
        self.invalid_utf8_cells += other.invalid_utf8_cells;
        self.cut_columns += other.cut_columns;
    }
}

#[cfg(test)]
mod tests;
