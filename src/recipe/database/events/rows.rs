//! Rows on their way into one table: what of the present one has been collected.

use jiff::Span;
use jiff::civil::{Date, date};

use crate::error::{Error, Result};
use crate::recipe::database::bulk::{Bulk, Number};
use crate::recipe::database::events::schema::Table;
use crate::recipe::tallies::record::Time;
use crate::sqlite::record::Value;

/// A row of one table. Columns count from 0 behind `course`; a value stays for the next rows until it is set anew.
pub(super) struct Insert {
    table: Number,
    cells: Vec<Cell>,
    /// Where column 0 is among the cells.
    first: usize,
}

enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

impl Insert {
    pub fn new(bulk: &Bulk<'_>, table: &Table, course: &str) -> Result<Self> {
        let mut cells: Vec<Cell> = (0..table.columns()).map(|_| Cell::Null).collect();
        if table.has_course() {
            cells[0] = Cell::Text(course.to_owned());
        }
        Ok(Insert { table: bulk.table(&table.name)?, cells, first: usize::from(table.has_course()) })
    }

    pub fn text(&mut self, column: usize, value: &str) {
        match &mut self.cells[self.first + column] {
            Cell::Text(text) => {
                text.clear();
                text.push_str(value);
            }
            cell => *cell = Cell::Text(value.to_owned()),
        }
    }

    pub fn maybe_text(&mut self, column: usize, value: Option<&str>) {
        match value {
            Some(text) => self.text(column, text),
            None => self.null(column),
        }
    }

    pub fn value(&mut self, column: usize, value: Value<'_>) {
        self.cells[self.first + column] = match value {
            Value::Null => Cell::Null,
            Value::Integer(number) => Cell::Integer(number),
            Value::Real(number) => Cell::Real(number),
            Value::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        };
    }

    pub fn integer(&mut self, column: usize, value: i64) {
        self.cells[self.first + column] = Cell::Integer(value);
    }

    pub fn count(&mut self, column: usize, count: u64) {
        self.integer(column, i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub fn null(&mut self, column: usize) {
        self.cells[self.first + column] = Cell::Null;
    }

    /// No row comes any more.
    pub fn complete(self, bulk: &mut Bulk<'_>) -> Result<()> {
        bulk.complete(self.table)
    }

    /// Adds the row.
    pub fn execute(&mut self, bulk: &mut Bulk<'_>) -> Result<()> {
        let cells = self.cells.iter().map(|cell| match cell {
            Cell::Null => Value::Null,
            Cell::Integer(number) => Value::Integer(*number),
            Cell::Real(number) => Value::Real(*number),
            Cell::Text(text) => Value::Text(text.as_bytes()),
        });
        bulk.push(self.table, cells)
    }
}

/// Whose counts: the table's key, as far as it has one.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    pub user: &'a str,
    pub video: Option<&'a str>,
    pub compartment: Option<i64>,
}

impl<'a> Key<'a> {
    pub fn of(user: &'a str) -> Self {
        Key { user, video: None, compartment: None }
    }
}

/// Rows of counts: those of one key, which are to come together, are one row.
pub(super) struct CountRows<'a> {
    insert: Insert,
    names: &'a [String],
    first: usize,
    /// Where the last name was: those of a row come in order.
    found: usize,
    counts: Vec<u64>,
    /// Columns that are not 0, in any order.
    counted: Vec<usize>,
    /// None before the first row; `video` is empty where the key has none.
    user: Option<String>,
    video: Option<String>,
    compartment: Option<i64>,
}

impl<'a> CountRows<'a> {
    pub fn new(bulk: &Bulk<'_>, table: &'a Table, course: &str) -> Result<Self> {
        Ok(CountRows {
            insert: Insert::new(bulk, table, course)?,
            names: &table.names,
            first: table.first_name(),
            found: 0,
            counts: vec![0; table.names.len()],
            counted: Vec::new(),
            user: None,
            video: None,
            compartment: None,
        })
    }

    /// Ends the row of another key. Errors: the name has no column.
    pub fn add_named(&mut self, bulk: &mut Bulk<'_>, key: Key<'_>, name: &str, count: u64) -> Result<()> {
        let column = self.column(name)?;
        self.begin(bulk, key)?;
        self.add(column, count);
        Ok(())
    }

    pub fn column(&mut self, name: &str) -> Result<usize> {
        let is_at = |column: usize| self.names.get(column).is_some_and(|column| column == name);
        self.found = if is_at(self.found) {
            self.found
        } else if is_at(self.found + 1) {
            self.found + 1
        } else {
            position(self.names, name).ok_or_else(|| Error::internal("an event's name was not announced"))?
        };
        Ok(self.found)
    }

    /// Ends the row of another key, and begins this one's.
    pub fn begin(&mut self, bulk: &mut Bulk<'_>, key: Key<'_>) -> Result<()> {
        let same_user = self.user.as_deref() == Some(key.user);
        let same_video = self.video.as_deref() == key.video;
        if same_user && same_video && self.compartment == key.compartment {
            return Ok(());
        }
        self.flush(bulk)?;
        if !same_user {
            self.insert.text(0, key.user);
            replace(&mut self.user, Some(key.user));
        }
        if let (false, Some(video)) = (same_video, key.video) {
            self.insert.text(1, video);
            replace(&mut self.video, Some(video));
        }
        if let Some(compartment) = key.compartment {
            self.insert.integer(2, compartment);
            self.compartment = Some(compartment);
        }
        Ok(())
    }

    /// Adds to the row that has begun.
    pub fn add(&mut self, column: usize, count: u64) {
        let sum = &mut self.counts[column];
        if *sum == 0 && count > 0 {
            self.counted.push(column);
        }
        *sum = sum.saturating_add(count);
    }

    /// Writes the row that has begun.
    pub fn flush(&mut self, bulk: &mut Bulk<'_>) -> Result<()> {
        if self.user.is_none() {
            return Ok(());
        }
        for &column in &self.counted {
            self.insert.count(self.first + column, self.counts[column]);
        }
        self.insert.execute(bulk)?;
        for &column in &self.counted {
            self.insert.null(self.first + column);
            self.counts[column] = 0;
        }
        self.counted.clear();
        Ok(())
    }
}

/// A survey's rows: a user's records, which are to come together, are one row.
pub(super) struct AnswerRows<'a> {
    insert: Insert,
    names: &'a [String],
    first: usize,
    answered: Vec<usize>,
    /// None before the first row.
    user: Option<String>,
}

impl<'a> AnswerRows<'a> {
    pub fn new(bulk: &Bulk<'_>, table: &'a Table, course: &str) -> Result<Self> {
        let insert = Insert::new(bulk, table, course)?;
        Ok(AnswerRows { insert, names: &table.names, first: table.first_name(), answered: Vec::new(), user: None })
    }

    /// Ends the row of another user. `column` None: `time` is that of the latest check. Columns that were cut are
    /// passed over.
    pub fn add(
        &mut self,
        bulk: &mut Bulk<'_>,
        user: &str,
        column: Option<&str>,
        time: Time,
        value: Option<&str>,
    ) -> Result<()> {
        if self.user.as_deref() != Some(user) {
            self.flush(bulk)?;
            self.insert.text(0, user);
            self.insert.null(1);
            replace(&mut self.user, Some(user));
        }
        match column {
            None => self.insert.maybe_text(1, time_text(time).as_deref()),
            Some(name) => {
                let Some(column) = position(self.names, name) else { return Ok(()) };
                self.answered.push(column);
                self.insert.maybe_text(self.first + column, value);
            }
        }
        Ok(())
    }

    /// Writes the row that has begun.
    pub fn flush(&mut self, bulk: &mut Bulk<'_>) -> Result<()> {
        if self.user.is_none() {
            return Ok(());
        }
        self.insert.execute(bulk)?;
        for column in self.answered.drain(..) {
            self.insert.null(self.first + column);
        }
        Ok(())
    }
}

fn position(names: &[String], name: &str) -> Option<usize> {
    names.binary_search_by(|column| column.as_str().cmp(name)).ok()
}

fn replace(text: &mut Option<String>, with: Option<&str>) {
    match (text, with) {
        (Some(text), Some(with)) => {
            text.clear();
            text.push_str(with);
        }
        (text, with) => *text = with.map(str::to_owned),
    }
}

/// `YYYY-MM-DD HH:MM:SS.ffffff`; None also for what is not of the years 0 to 9999.
pub(super) fn time_text(time: Time) -> Option<String> {
    const DAY: i64 = 86_400_000_000;
    let micros = time?;
    let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    let day = date(1970, 1, 1).checked_add(Span::new().try_days(days).ok()?).ok()?;
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    (day.year() >= 0).then(|| format!("{} {hour:02}:{minute:02}:{second:02}.{fraction:06}", date_text(day)))
}

/// `YYYY-MM-DD`.
pub(super) fn date_text(day: Date) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day())
}
