//! The standard tables: a snapshot's TSV files as they are, every cell its raw text.

use std::borrow::Cow;
use std::io::Read;

use memchr::memchr;
use rusqlite::Connection;

use crate::edx::table::{Dialect, Records, fields, header};
use crate::error::{Error, Result};
use crate::recipe::database::columns::{Layout, Shown, Union, quoted};
use crate::recipe::database::insert::Insert;
use crate::recipe::database::{is_missing, leading, run};
use crate::recipe::derived::Scope;
use crate::recipe::joined::JoinInput;

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

/// Creates `table` from the files of it (one of each course, in order) and its index.
///
/// A file that is missing, empty, damaged, of unsupported form or without a secret key gives its folder and the cause in
/// `unusable`; if all do, there is no table. Any other error is passed on: passing trouble must not leave out a table.
/// Rows are in file order. Blank lines of a table with several columns are no rows. Memory: the longest row.
pub fn import(
    connection: &Connection,
    scope: &Scope,
    table: &str,
    files: &mut [JoinInput<'_>],
    mended: &mut Mended,
    unusable: &mut Vec<(String, Error)>,
) -> Result<()> {
    let mut import = Import { connection, table, dialect: Dialect::of_table(table), leading: leading(scope) };
    let mut union = Union::beside(import.leading);
    let mut layouts = Vec::with_capacity(files.len());
    for file in files.iter_mut() {
        layouts.push(usable(file.folder, import.layout(file, &mut union), unusable)?);
    }
    if layouts.iter().all(Option::is_none) {
        return Ok(());
    }
    mended.cut_columns += union.cut;
    import.create(&union)?;
    let mut is_there = false;
    for (file, layout) in files.iter_mut().zip(layouts) {
        let Some(layout) = layout else { continue };
        let mut counts = Mended::default();
        match usable(file.folder, import.rows(file, &layout, &union, &mut counts), unusable)? {
            Some(()) => {
                is_there = true;
                mended.add(counts);
            }
            None => import.forget(file.folder)?,
        }
    }
    if is_there { import.index(&union) } else { run(connection, &format!("DROP TABLE {}", quoted(table))) }
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

struct Import<'a> {
    connection: &'a Connection,
    table: &'a str,
    dialect: Dialect,
    leading: &'static [&'static str],
}

impl Import<'_> {
    /// Reads no more than the file's first piece.
    fn layout(&self, file: &mut JoinInput<'_>, union: &mut Union) -> Result<Layout> {
        let names = header(&mut *(file.open)()?, self.dialect)?;
        let names = names.ok_or_else(|| Error::not_found("the table is empty, without even a header"))?;
        let layout = union.add(&names, Shown::of_table(self.table));
        if layout.iter().all(Option::is_none) {
            return Err(Error::unsupported("the table has none of the columns that may be shown"));
        }
        Ok(layout)
    }

    fn create(&self, union: &Union) -> Result<()> {
        let names = self.leading.iter().copied().chain(union.names.iter().map(String::as_str));
        let columns: Vec<_> = names.map(|name| format!("{} TEXT", quoted(name))).collect();
        run(self.connection, &format!("CREATE TABLE {} ({})", quoted(self.table), columns.join(", ")))
    }

    fn rows(&mut self, file: &mut JoinInput<'_>, layout: &Layout, union: &Union, mended: &mut Mended) -> Result<()> {
        let columns = self.leading.len() + union.names.len();
        let parameters: Vec<_> = (1..=columns).map(|number| format!("?{number}")).collect();
        let sql = format!("INSERT INTO {} VALUES ({})", quoted(self.table), parameters.join(", "));
        let mut rows = Rows {
            insert: Insert::prepare(self.connection, &sql)?,
            dialect: self.dialect,
            folder: (!self.leading.is_empty()).then_some(file.folder.as_bytes()),
            parameters: layout.iter().map(|place| place.map(|place| place + self.leading.len() + 1)).collect(),
            mended,
        };
        let content: Box<dyn Read> = (file.open)()?;
        let mut records = Records::new(content, self.dialect);
        records.next_record()?;
        while let Some(record) = records.next_record()? {
            if !record.is_empty() || layout.len() == 1 {
                rows.row(record)?;
            }
        }
        Ok(())
    }

    /// Takes back the rows of a file that turned out to be none.
    fn forget(&self, folder: &str) -> Result<()> {
        let table = quoted(self.table);
        if self.leading.is_empty() {
            return run(self.connection, &format!("DELETE FROM {table}"));
        }
        let sql = format!("DELETE FROM {table} WHERE course = ?1");
        self.connection.execute(&sql, [folder]).map(|_| ()).map_err(crate::sqlite::failed)
    }

    fn index(&self, union: &Union) -> Result<()> {
        let column = if self.table == STUDENTMODULE { "student_id" } else { "user_id" };
        if !union.names.iter().any(|name| name.eq_ignore_ascii_case(column)) {
            return Ok(());
        }
        let (name, table) = (quoted(&format!("{}_{column}", self.table)), quoted(self.table));
        run(self.connection, &format!("CREATE INDEX {name} ON {table} ({column})"))
    }
}

struct Rows<'a> {
    insert: Insert<'a>,
    dialect: Dialect,
    /// What the column `course` shows, where there is one.
    folder: Option<&'a [u8]>,
    /// For each of the file's columns.
    parameters: Vec<Option<usize>>,
    mended: &'a mut Mended,
}

impl Rows<'_> {
    fn row(&mut self, record: &[u8]) -> Result<()> {
        // Once for the whole row: no cell begins or ends inside a character, since HT is a byte of none.
        if std::str::from_utf8(record).is_err() || memchr(0, record).is_some() {
            return self.mend(record);
        }
        let mut count = 0;
        let cells = fields(record, self.dialect).inspect(|_| count += 1).zip(&self.parameters);
        let folder = self.folder.map(|folder| (1, folder)).into_iter();
        self.insert.row(folder.chain(cells.filter_map(|(cell, parameter)| Some(((*parameter)?, cell)))))?;
        self.count(count);
        Ok(())
    }

    /// The row with U+FFFD for what is no UTF-8, and U+2400 for NUL, at which SQLite's readers end a text.
    fn mend(&mut self, record: &[u8]) -> Result<()> {
        let mut cells = Vec::with_capacity(self.parameters.len());
        let mut count = 0;
        for cell in fields(record, self.dialect) {
            if let Some(Some(parameter)) = self.parameters.get(count) {
                let text = String::from_utf8_lossy(cell);
                self.mended.invalid_utf8_cells += u64::from(matches!(text, Cow::Owned(_)));
                cells.push((*parameter, text.replace('\0', "\u{2400}")));
            }
            count += 1;
        }
        let folder = self.folder.map(|folder| (1, folder)).into_iter();
        self.insert.row(folder.chain(cells.iter().map(|(parameter, text)| (*parameter, text.as_bytes()))))?;
        self.count(count);
        Ok(())
    }

    fn count(&mut self, cells: usize) {
        self.mended.short_rows += u64::from(cells < self.parameters.len());
        self.mended.long_rows += u64::from(cells > self.parameters.len());
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
