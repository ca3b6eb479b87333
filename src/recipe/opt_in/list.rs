//! The opt-in list: comma-separated, quoted, one row an enrolment; columns by name, so that both versions are read.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::lacks;
use crate::error::{Error, Result};

/// A row beyond this is none: a quote that is never closed would take in the rest of the file.
const ROW_LIMIT: u64 = 64 << 20;

/// The mail addresses of rows that say `True`, in order, with repetitions.
pub(super) struct OptedIn<R> {
    reader: Reader<Watched<R>>,
    /// Bytes read since the last row.
    since: Rc<Cell<u64>>,
    row: ByteRecord,
    columns: usize,
    mail: usize,
    flag: usize,
}

impl<R: Read> OptedIn<R> {
    /// Errors: `Corrupt` where the header lacks a column; the reader's.
    pub(super) fn new(content: R) -> Result<Self> {
        let since = Rc::new(Cell::new(0));
        let watched = Watched { inner: content, since: since.clone() };
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(watched);
        let header = reader.byte_headers().map_err(explain)?;
        let column = |name: &str| header.iter().position(|found| found == name.as_bytes()).ok_or_else(|| lacks(name));
        let (columns, mail, flag) = (header.len(), column("email")?, column("is_opted_in_for_email")?);
        Ok(OptedIn { reader, since, row: ByteRecord::new(), columns, mail, flag })
    }

    /// Rows with another number of fields than the header, and those without an address, are none.
    pub(super) fn next_mail(&mut self) -> Result<Option<String>> {
        loop {
            self.since.set(0);
            if !self.reader.read_byte_record(&mut self.row).map_err(explain)? {
                return Ok(None);
            }
            let (mail, flag) = (self.row.get(self.mail), self.row.get(self.flag));
            let is_true = flag.is_some_and(|flag| flag.eq_ignore_ascii_case(b"true"));
            if let Some(mail) = mail.filter(|mail| is_true && !mail.is_empty() && self.row.len() == self.columns) {
                return Ok(Some(String::from_utf8_lossy(mail).into_owned()));
            }
        }
    }
}

/// Fails where one row would be too much to hold.
struct Watched<R> {
    inner: R,
    since: Rc<Cell<u64>>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since.get() > ROW_LIMIT {
            return Err(Error::corrupt("a row of more than 64 MiB: not an opt-in list").into());
        }
        let bytes = self.inner.read(buffer)?;
        self.since.set(self.since.get() + bytes as u64);
        Ok(bytes)
    }
}

fn explain(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => Error::corrupt(format!("is no CSV file: {other:?}")),
    }
}
