//! One prepared INSERT, for tables of millions of rows: cells are bound where they lie, not copied.
//!
//! The crate's own binding copies each cell into memory of its own and frees it again, which takes a third of the time.

use std::ffi::{CString, c_int};
use std::marker::PhantomData;
use std::ptr;

use rusqlite::{Connection, ffi};

use crate::error::{Error, Result};
use crate::sqlite::failed;

/// A prepared statement with parameters `?1`, `?2`, …
pub struct Insert<'c> {
    statement: *mut ffi::sqlite3_stmt,
    /// The statement must not outlive its connection.
    connection: PhantomData<&'c Connection>,
}

impl<'c> Insert<'c> {
    pub fn prepare(connection: &'c Connection, sql: &str) -> Result<Self> {
        let sql = CString::new(sql).map_err(|_| Error::internal("a statement holds a NUL"))?;
        let mut statement = ptr::null_mut();
        // SAFETY: the handle is open as long as `connection` is borrowed, and `sql` ends with a NUL.
        let code = unsafe {
            let flags = ffi::SQLITE_PREPARE_PERSISTENT;
            ffi::sqlite3_prepare_v3(connection.handle(), sql.as_ptr(), -1, flags, &mut statement, ptr::null_mut())
        };
        check(code)?;
        Ok(Insert { statement, connection: PhantomData })
    }

    /// Inserts a row: texts by their parameters' numbers, from 1; NULL where there is none.
    ///
    /// The texts are UTF-8 (else readers of the database see what is not). Errors: `CacheFull`, local I/O.
    pub fn row<'a>(&mut self, texts: impl Iterator<Item = (usize, &'a [u8])>) -> Result<()> {
        for (parameter, text) in texts {
            self.bind(parameter, text)?;
        }
        // SAFETY: the statement is alive, and all that is bound outlives this call, behind which nothing is bound.
        let code = unsafe {
            ffi::sqlite3_step(self.statement);
            let code = ffi::sqlite3_reset(self.statement);
            ffi::sqlite3_clear_bindings(self.statement);
            code
        };
        check(code)
    }

    /// Binds without a copy: `row` alone may call it, which lets go of the text before its caller can.
    fn bind(&mut self, parameter: usize, text: &[u8]) -> Result<()> {
        let parameter = c_int::try_from(parameter).map_err(|_| Error::internal("too many parameters"))?;
        let encoding = ffi::SQLITE_UTF8 as _;
        // SAFETY: the statement is alive; SQLite reads `text` in `sqlite3_step` only.
        let code = unsafe {
            let bytes = text.as_ptr().cast();
            ffi::sqlite3_bind_text64(
                self.statement,
                parameter,
                bytes,
                text.len() as u64,
                ffi::SQLITE_STATIC(),
                encoding,
            )
        };
        if code != ffi::SQLITE_OK {
            // SAFETY: the statement is alive. Nothing may stay bound where `row` ends early.
            unsafe { ffi::sqlite3_clear_bindings(self.statement) };
        }
        check(code)
    }
}

impl Drop for Insert<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `prepare`, and finalized here alone.
        unsafe { ffi::sqlite3_finalize(self.statement) };
    }
}

fn check(code: c_int) -> Result<()> {
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(failed(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_null_in_every_row() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (a TEXT, b TEXT)").unwrap();
        let mut insert = Insert::prepare(&connection, "INSERT INTO t VALUES (?1, ?2)").unwrap();
        insert.row([(1, &b"x\0y"[..]), (2, b"")].into_iter()).unwrap();
        insert.row([(2, "ö".as_bytes())].into_iter()).unwrap();
        assert!(insert.row([(3, &b"no such parameter"[..])].into_iter()).is_err());
        insert.row([].into_iter()).unwrap();
        drop(insert);
        let mut rows = connection.prepare("SELECT a, b FROM t").unwrap();
        let rows: Vec<(Option<String>, Option<String>)> =
            rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows, [(Some("x\0y".into()), Some(String::new())), (None, Some("ö".into())), (None, None)]);
    }

    #[test]
    fn a_statement_that_is_none_is_an_error() {
        let connection = Connection::open_in_memory().unwrap();
        assert!(Insert::prepare(&connection, "INSERT INTO nowhere VALUES (?1)").is_err());
    }
}
