//! One table of a finished samced.db as CSV.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::error::{Error, Result};
use crate::recipe::database::columns::quoted;
use crate::recipe::database::csv::CsvRecords;
use crate::sqlite::failed;

const PIECE_BYTES: usize = 128 << 10;

/// Writes `table` with a header, its rows in their order; whole numbers as digits, others as the shortest text that
/// reads back equal. Memory: the longest row. Errors: `NotFound` where there is no such table.
pub fn write(connection: &Connection, table: &str, write: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let found = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let tables: i64 = connection.query_row(found, [table], |row| row.get(0)).map_err(failed)?;
    if tables == 0 {
        return Err(Error::not_found("the database has no such table"));
    }
    let mut csv = CsvRecords::default();
    let sql = format!("SELECT * FROM {} ORDER BY rowid", quoted(table));
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let columns = statement.column_count();
    statement.column_names().for_each(|name| csv.field(Some(name.as_bytes())));
    csv.end_record();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(failed)? {
        for column in 0..columns {
            match row.get_ref(column).map_err(failed)? {
                ValueRef::Null => csv.field(None),
                ValueRef::Integer(number) => csv.field(Some(number.to_string().as_bytes())),
                ValueRef::Real(number) => csv.field(Some(format!("{number:?}").as_bytes())),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => csv.field(Some(bytes)),
            }
        }
        csv.end_record();
        if csv.out.len() >= PIECE_BYTES {
            write(&csv.out)?;
            csv.out.clear();
        }
    }
    write(&csv.out)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A table as text, for the tests of those who write it.
    pub fn csv(connection: &Connection, table: &str) -> String {
        let mut out = Vec::new();
        write(connection, table, &mut |bytes| {
            out.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_written_as_they_are_stored() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE \"a\"\"b\" (\"x,y\" TEXT, n INTEGER);
                 INSERT INTO \"a\"\"b\" VALUES ('', '1.0'), (NULL, '0.5'), ('NULL', 'abc'), (x'c3b6', -9223372036854775808), ('z', '1e16'), ('z', 0.1)",
            )
            .unwrap();
        assert_eq!(
            csv(&connection, "a\"b"),
            "\"x,y\",n\r\n\"\",1\r\n,0.5\r\nNULL,abc\r\nö,-9223372036854775808\r\nz,10000000000000000\r\nz,0.1\r\n"
        );
    }

    #[test]
    fn only_tables_of_that_very_name_are_found() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (a TEXT); CREATE INDEX i ON t (a); ANALYZE").unwrap();
        for table in ["T", "i", "sqlite_schema", "sqlite_stat1", "t;", "", "x"] {
            let error = write(&connection, table, &mut |_| Ok(())).unwrap_err();
            assert_eq!(error.kind(), crate::error::ErrorKind::NotFound, "{table}");
        }
    }

    #[test]
    fn a_long_table_comes_in_pieces() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t (a INTEGER);
                 INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90000) SELECT i FROM n",
            )
            .unwrap();
        let mut pieces = 0;
        let count = |_: &[u8]| -> Result<()> {
            pieces += 1;
            Ok(())
        };
        write(&connection, "t", &mut { count }).unwrap();
        assert!(pieces > 2 && csv(&connection, "t").ends_with("\r\n89999\r\n90000\r\n"));
    }
}
