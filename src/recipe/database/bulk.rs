//! Rows of all tables on their way into the pages of a database whose schema SQLite has made.
//!
//! The entries of an index are sorted apart, in bounded memory, and written when the rows are complete.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::recipe::database::sorted::SortedKeys;
use crate::recipe::make::Inputs;
use crate::sqlite::pages::{IndexPages, Pages, TablePages};
use crate::sqlite::record::{RecordBuilder, Value};
use crate::sqlite::{Building, Destination, failed};

/// All tables of one database.
pub struct Bulk<'i> {
    inputs: &'i dyn Inputs,
    pages: Pages<'i>,
    /// In order of their creation; None once complete.
    tables: Vec<Option<Rows>>,
    numbers: HashMap<String, Number>,
}

/// A table of a `Bulk`.
#[derive(Clone, Copy, Debug)]
pub struct Number(usize);

/// One table's rows so far.
struct Rows {
    table: TablePages,
    index: Option<Index>,
    builder: RecordBuilder,
    record: Vec<u8>,
    /// Columns of the present row so far.
    columns: usize,
    /// The indexed column of the present row; None is NULL.
    key: Option<Vec<u8>>,
}

struct Index {
    root: u32,
    /// The column that it is of.
    column: usize,
    keys: SortedKeys,
}

impl<'i> Bulk<'i> {
    /// Ends the schema. Each of its tables is empty, and has one index of one column at most; any other table that is
    /// filled stays as it is.
    pub fn begin(building: Building, inputs: &'i dyn Inputs, destination: &'i mut dyn Destination) -> Result<Self> {
        let (mut tables, mut numbers) = (Vec::new(), HashMap::new());
        for (name, root) in roots(building.connection())? {
            numbers.insert(name, Number(tables.len()));
            tables.push(Some(Rows::new(root)));
        }
        for (name, root, column) in indexes(building.connection())? {
            let number = numbers.get(&name).ok_or_else(|| Error::internal("an index of no table"))?;
            if let Some(rows) = &mut tables[number.0] {
                rows.index = Some(Index { root, column: column as usize, keys: SortedKeys::default() });
            }
        }
        Ok(Bulk { inputs, pages: building.into_pages(destination)?, tables, numbers })
    }

    pub fn table(&self, name: &str) -> Result<Number> {
        self.numbers.get(name).copied().ok_or_else(|| Error::internal("a row of no table"))
    }

    /// Adds a row: its columns in order.
    pub fn push<'v>(&mut self, table: Number, row: impl Iterator<Item = Value<'v>>) -> Result<()> {
        let rows = self.tables[table.0].as_mut().ok_or_else(|| Error::internal("a row of a complete table"))?;
        row.for_each(|value| rows.push(value));
        rows.end(&mut self.pages, self.inputs)
    }

    /// Writes what is left of a table, its index too, whose entries are held no longer.
    pub fn complete(&mut self, table: Number) -> Result<()> {
        self.tables[table.0].take().map_or(Ok(()), |rows| rows.finish(&mut self.pages))
    }

    /// Writes what is left.
    pub fn finish(mut self) -> Result<()> {
        for number in 0..self.tables.len() {
            self.complete(Number(number))?;
        }
        self.pages.finish()
    }
}

impl Rows {
    fn new(root: u32) -> Self {
        Rows {
            table: TablePages::new(root),
            index: None,
            builder: RecordBuilder::default(),
            record: Vec::new(),
            columns: 0,
            key: None,
        }
    }

    /// The next column of the present row.
    fn push(&mut self, value: Value<'_>) {
        if self.index.as_ref().is_some_and(|index| index.column == self.columns) {
            match (value, &mut self.key) {
                (Value::Text(text), Some(key)) => {
                    key.clear();
                    key.extend_from_slice(text);
                }
                (Value::Text(text), key) => *key = Some(text.to_vec()),
                (_, key) => *key = None,
            }
        }
        self.columns += 1;
        self.builder.push(value);
    }

    fn end(&mut self, pages: &mut Pages<'_>, inputs: &dyn Inputs) -> Result<()> {
        self.columns = 0;
        self.builder.finish(&mut self.record);
        let rowid = self.table.push(pages, &self.record)?;
        match &mut self.index {
            Some(index) => index.keys.push(self.key.as_deref(), rowid, inputs),
            None => Ok(()),
        }
    }

    fn finish(self, pages: &mut Pages<'_>) -> Result<()> {
        self.table.finish(pages)?;
        let Some(Index { root, keys, .. }) = self.index else { return Ok(()) };
        let mut index = IndexPages::new(root);
        let (mut builder, mut record) = (RecordBuilder::default(), Vec::new());
        keys.each(&mut |key, rowid| {
            builder.push(key.map_or(Value::Null, Value::Text));
            builder.push(Value::Integer(rowid));
            builder.finish(&mut record);
            index.push(pages, &record)
        })?;
        index.finish(pages)
    }
}

fn roots(connection: &Connection) -> Result<Vec<(String, u32)>> {
    let sql = "SELECT name, rootpage FROM sqlite_schema WHERE type = 'table' ORDER BY rowid";
    let mut tables = connection.prepare(sql).map_err(failed)?;
    let tables = tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    tables.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// Table, root page and column of each.
fn indexes(connection: &Connection) -> Result<Vec<(String, u32, u32)>> {
    let sql = "SELECT s.tbl_name, s.rootpage, i.cid FROM sqlite_schema AS s, pragma_index_info(s.name) AS i \
               WHERE s.type = 'index' ORDER BY s.rowid";
    let mut indexes = connection.prepare(sql).map_err(failed)?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let indexes = indexes.query_map([], row).map_err(failed)?;
    indexes.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// What SQLite makes of a text in an INTEGER column: `1.0` is stored as 1, `0.5` stays, `x` is a text.
pub struct IntegerColumn {
    connection: Connection,
    /// Few texts occur, and often.
    known: HashMap<String, Stored>,
}

enum Stored {
    Integer(i64),
    Real(f64),
    Text,
}

impl IntegerColumn {
    const MOST_KNOWN: usize = 4096;

    pub fn new() -> Result<Self> {
        let connection = Connection::open_in_memory().map_err(failed)?;
        connection.execute_batch("CREATE TABLE converted (value INTEGER)").map_err(failed)?;
        Ok(IntegerColumn { connection, known: HashMap::new() })
    }

    pub fn value<'t>(&mut self, text: Option<&'t str>) -> Result<Value<'t>> {
        let Some(text) = text else { return Ok(Value::Null) };
        if !self.known.contains_key(text) {
            if self.known.len() == Self::MOST_KNOWN {
                self.known.clear();
            }
            self.known.insert(text.to_owned(), self.convert(text).map_err(failed)?);
        }
        Ok(match self.known[text] {
            Stored::Integer(number) => Value::Integer(number),
            Stored::Real(number) => Value::Real(number),
            Stored::Text => Value::Text(text.as_bytes()),
        })
    }

    fn convert(&self, text: &str) -> rusqlite::Result<Stored> {
        self.connection.prepare_cached("INSERT INTO converted(rowid, value) VALUES (1, ?1)")?.execute([text])?;
        let mut stored = self.connection.prepare_cached("SELECT value FROM converted")?;
        let stored = stored.query_row([], |row| {
            Ok(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Integer(number) => Stored::Integer(number),
                rusqlite::types::ValueRef::Real(number) => Stored::Real(number),
                _ => Stored::Text,
            })
        })?;
        self.connection.prepare_cached("DELETE FROM converted")?.execute([])?;
        Ok(stored)
    }
}

#[cfg(test)]
pub mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::recipe::testing::MemoryInputs;
    use crate::sqlite::Reading;
    use crate::sqlite::testing::{Bytes, Memory};

    /// The complete database, which SQLite finds sound.
    pub fn sound(file: Bytes) -> Reading {
        let reading = Reading::open(Cursor::new(file.content().to_vec())).expect("it is a database");
        let verdict = reading.connection().query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
        assert_eq!(verdict.as_deref(), Ok("ok"));
        reading
    }

    /// `rows` texts of `bytes` bytes under keys that come in no order.
    fn made(rows: u32, bytes: usize) -> Reading {
        let building = Building::begin(Memory::space()).expect("memory does not fail");
        let sql =
            "CREATE TABLE a (n INTEGER, user_id TEXT, text TEXT); CREATE TABLE b (x); CREATE INDEX i ON a (user_id)";
        building.connection().execute_batch(sql).expect("valid SQL");
        let (given, mut file) = (MemoryInputs::default(), Bytes::default());
        let mut bulk = Bulk::begin(building, &given, &mut file).expect("a schema");
        let table = bulk.table("a").expect("it was made");
        for row in 0..rows {
            let key = format!("{}", row.wrapping_mul(2_654_435_761) % 1000);
            let text = padded(row, bytes);
            let key = if row % 7 == 0 { Value::Null } else { Value::Text(key.as_bytes()) };
            let cells = [Value::Integer(i64::from(row) - 5), key, Value::Text(text.as_bytes())];
            bulk.push(table, cells.into_iter()).expect("memory does not fail");
        }
        bulk.finish().expect("memory does not fail");
        sound(file)
    }

    fn padded(row: u32, bytes: usize) -> String {
        let digits = row.to_string();
        "0".repeat(bytes.saturating_sub(digits.len())) + &digits
    }

    #[test]
    fn tables_of_every_height_and_cells_of_every_length_are_sound() {
        let rows = [0, 1, 2, 3, 50, 400, 5_000, 60_000].map(|rows| (rows, 40));
        let lengths = [1, 400, 489, 900, 1300, 2000, 4000, 4040, 4046, 4047, 4048, 4050, 4070, 8130, 8200, 70_000];
        for (rows, bytes) in rows.into_iter().chain(lengths.map(|bytes| (90, bytes))) {
            let reading = made(rows, bytes);
            let sums = "SELECT count(*), coalesce(sum(n), 0), coalesce(sum(length(text)), 0) FROM a";
            let found = reading
                .connection()
                .query_row(sums, [], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)));
            let numbers: i64 = (0..i64::from(rows)).map(|row| row - 5).sum();
            let lengths = (0..rows).map(|row| padded(row, bytes).len() as i64).sum();
            assert_eq!(found, Ok((rows, numbers, lengths)), "{rows} rows of {bytes} bytes");
        }
    }

    #[test]
    fn an_index_finds_its_rows() {
        let reading = made(20_000, 10);
        let sql = "SELECT count(*) FROM a INDEXED BY i WHERE user_id = '17' OR user_id IS NULL";
        let by_index: u32 = reading.connection().query_row(sql, [], |row| row.get(0)).expect("valid SQL");
        let sql = "SELECT count(*) FROM a NOT INDEXED WHERE user_id = '17' OR user_id IS NULL";
        let by_scan: u32 = reading.connection().query_row(sql, [], |row| row.get(0)).expect("valid SQL");
        assert!(by_index == by_scan && by_index > 2800, "{by_index} {by_scan}");
    }

    #[test]
    fn numbers_are_stored_as_an_integer_column_stores_them() {
        let mut column = IntegerColumn::new().expect("memory does not fail");
        for (text, value) in [
            ("1", Value::Integer(1)),
            ("1.0", Value::Integer(1)),
            ("0.5", Value::Real(0.5)),
            ("1e3", Value::Integer(1000)),
            ("x1", Value::Text(b"x1")),
            ("", Value::Text(b"")),
            ("NaN", Value::Text(b"NaN")),
        ] {
            for _ in 0..2 {
                assert_eq!(column.value(Some(text)).expect("memory does not fail"), value, "{text}");
            }
        }
        assert_eq!(column.value(None).expect("memory does not fail"), Value::Null);
    }
}
