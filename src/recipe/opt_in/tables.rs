//! Some columns of a table, by name, decoded.

use std::io::Read;

use super::lacks;
use crate::edx::table::{Dialect, Records, decode, fields};
use crate::error::Result;

/// Rows of the columns asked for. Memory: the longest record.
pub(super) struct Cells<R> {
    records: Records<R>,
    /// Where each column stands in the file, if it does.
    columns: Vec<Option<usize>>,
}

const DIALECT: Dialect = Dialect::Escaped;

impl<R: Read> Cells<R> {
    /// Rows will have the columns `needed`, then those `wanted`.
    ///
    /// Errors: `Corrupt` where the header lacks a needed column; the reader's.
    pub(super) fn new(content: R, needed: &[&str], wanted: &[&str]) -> Result<Self> {
        let mut records = Records::new(content, DIALECT);
        let header = records.next_record()?.unwrap_or_default();
        let column = |name: &&str| fields(header, DIALECT).position(|found| found == name.as_bytes());
        let columns: Vec<_> = needed.iter().chain(wanted).map(column).collect();
        match needed.iter().zip(&columns).find(|(_, column)| column.is_none()) {
            Some((name, _)) => Err(lacks(name)),
            None => Ok(Cells { records, columns }),
        }
    }

    /// NULL, and what a short row or the table lacks, is None.
    pub(super) fn next_row(&mut self) -> Result<Option<Vec<Option<String>>>> {
        let Some(record) = self.records.next_record()? else { return Ok(None) };
        let mut row = vec![None; self.columns.len()];
        for (at, field) in fields(record, DIALECT).enumerate() {
            for (cell, _) in row.iter_mut().zip(&self.columns).filter(|(_, column)| **column == Some(at)) {
                *cell = decode(field, DIALECT).map(|value| String::from_utf8_lossy(&value).into_owned());
            }
        }
        Ok(Some(row))
    }
}
