//! The TSV rules: records, fields, escapes, NULL, header; knows no table by name but the one with another dialect.
//!
//! Every table: UTF-8, no quoting, HT between fields, LF after each record (the last may lack it), one header record.
//! CR and Unicode line separators end nothing. Source: data-package notes, section 7.

use std::borrow::Cow;
use std::io::{ErrorKind, Read};

use memchr::memchr;

use crate::error::{Error, Result};

/// How a table's cells are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `\\`, `\n`, `\r`, `\t`: every table but one. Files of before 2015-11-23 have raw CRs, which are data.
    Escaped,
    /// `courseware_studentmodule`: `\\`, and a backslash before a real HT or LF, which then is part of the cell.
    Continued,
}

impl Dialect {
    /// `table`: as in the package's file names, in lower case.
    pub fn of_table(table: &str) -> Self {
        if table == "courseware_studentmodule" { Dialect::Continued } else { Dialect::Escaped }
    }
}

/// What stands for SQL's NULL; the text "NULL" is the same bytes.
pub const NULL: &[u8] = b"NULL";

/// A record beyond this is no table: cells of 13 MB occur, and a record is held in memory.
const RECORD_LIMIT: usize = 256 << 20;
const READ_BYTES: usize = 256 * 1024;

/// The records of a table in order, the header being the first. Memory: the longest record.
pub struct Records<R> {
    reader: R,
    dialect: Dialect,
    buffer: Vec<u8>,
    /// `buffer[start..end]` is read and not yet given out.
    start: usize,
    end: usize,
}

impl<R: Read> Records<R> {
    pub fn new(reader: R, dialect: Dialect) -> Self {
        Records { reader, dialect, buffer: Vec::new(), start: 0, end: 0 }
    }

    /// The next record without its LF. Errors: those of the reader; `Corrupt` for a record over 256 MiB.
    pub fn next_record(&mut self) -> Result<Option<&[u8]>> {
        // Relative to `start`, which `fill` moves.
        let mut searched = 0;
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(bytes) = record_end(unread, searched, self.dialect) {
                let first = self.start;
                self.start += bytes + 1;
                return Ok(Some(&self.buffer[first..first + bytes]));
            }
            searched = unread.len();
            if self.fill()? == 0 {
                let last = &self.buffer[self.start..self.end];
                self.start = self.end;
                return Ok((!last.is_empty()).then_some(last));
            }
        }
    }

    /// Reads more behind what is unread; 0 at the end of the file.
    fn fill(&mut self) -> Result<usize> {
        if self.end - self.start > RECORD_LIMIT {
            return Err(Error::corrupt("a record of more than 256 MiB: not a table"));
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < READ_BYTES {
            self.buffer.resize((2 * self.end).max(2 * READ_BYTES), 0);
        }
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(bytes) => {
                    self.end += bytes;
                    return Ok(bytes);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Where the first record of `bytes` ends, if that is at or behind `searched`.
fn record_end(bytes: &[u8], searched: usize, dialect: Dialect) -> Option<usize> {
    let mut from = searched;
    loop {
        let at = from + memchr(b'\n', &bytes[from..])?;
        if dialect == Dialect::Escaped || !ends_in_escape(&bytes[..at]) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Whether `bytes` ends with an odd number of backslashes: in `Continued`, the next HT or LF then is data.
pub fn ends_in_escape(bytes: &[u8]) -> bool {
    bytes.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The cells of one record, still escaped; at least one.
pub fn fields(record: &[u8], dialect: Dialect) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(record);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let mut from = 0;
        while let Some(at) = memchr(b'\t', &bytes[from..]).map(|at| from + at) {
            if dialect == Dialect::Escaped || !ends_in_escape(&bytes[..at]) {
                rest = Some(&bytes[at + 1..]);
                return Some(&bytes[..at]);
            }
            from = at + 1;
        }
        rest = None;
        Some(bytes)
    })
}

/// The column names of a table, from its first record; None if there is none or it is blank.
///
/// Errors: those of the reader.
pub fn header(reader: &mut dyn Read, dialect: Dialect) -> Result<Option<Vec<Vec<u8>>>> {
    let mut records = Records::new(reader, dialect);
    let first = records.next_record()?.filter(|record| !record.is_empty());
    Ok(first.map(|record| fields(record, dialect).map(<[u8]>::to_vec).collect()))
}

/// A cell's value; None for NULL. Unknown escapes and a lone backslash at the end stay as they are.
pub fn decode(cell: &[u8], dialect: Dialect) -> Option<Cow<'_, [u8]>> {
    if cell == NULL {
        return None;
    }
    let Some(first) = memchr(b'\\', cell) else { return Some(Cow::Borrowed(cell)) };
    let mut value = cell[..first].to_vec();
    let mut rest = &cell[first..];
    // One pass from the left: replacing one escape after the other would read `\\n` as a line break.
    while let [byte, tail @ ..] = rest {
        let escaped = if *byte == b'\\' { tail.first().and_then(|next| unescape(*next, dialect)) } else { None };
        value.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() { &tail[1..] } else { tail };
    }
    Some(Cow::Owned(value))
}

/// Appends a line of cells; `\`, tab and line ends in them are escaped as in edX's tables.
pub fn push_row(text: &mut String, cells: &[&str]) {
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            text.push('\t');
        }
        for c in cell.chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '\t' => text.push_str("\\t"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                c => text.push(c),
            }
        }
    }
    text.push('\n');
}

fn unescape(letter: u8, dialect: Dialect) -> Option<u8> {
    match (dialect, letter) {
        (_, b'\\') => Some(b'\\'),
        (Dialect::Escaped, b'n') => Some(b'\n'),
        (Dialect::Escaped, b'r') => Some(b'\r'),
        (Dialect::Escaped, b't') => Some(b'\t'),
        (Dialect::Continued, b'\n' | b'\t') => Some(letter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Dialect::{Continued, Escaped};
    use super::*;

    /// Gives at most `step` bytes a time, as a decoder may.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let bytes = self.1.min(buffer.len()).min(self.0.len());
            self.0.read(&mut buffer[..bytes])
        }
    }

    fn records(content: &[u8], dialect: Dialect, step: usize) -> Vec<Vec<u8>> {
        let mut records = Records::new(Slow(content, step), dialect);
        std::iter::from_fn(|| records.next_record().unwrap().map(<[u8]>::to_vec)).collect()
    }

    fn rows(content: &[u8], dialect: Dialect) -> Vec<Vec<Vec<u8>>> {
        let cells = |record: &Vec<u8>| fields(record, dialect).map(<[u8]>::to_vec).collect();
        records(content, dialect, usize::MAX).iter().map(cells).collect()
    }

    fn text(cell: &str, dialect: Dialect) -> Option<String> {
        decode(cell.as_bytes(), dialect).map(|value| String::from_utf8(value.into_owned()).unwrap())
    }

    #[test]
    fn cells_are_decoded_in_one_pass() {
        for (dialect, cell, value) in [
            (Escaped, r"C:\\new", r"C:\new"),
            (Escaped, r"a\r\nb\tc", "a\r\nb\tc"),
            (Escaped, r"a\qb", r"a\qb"),
            (Escaped, "end\\", "end\\"),
            (Escaped, "a\r\\nb", "a\r\nb"),
            (Escaped, r"see C:\\new\\table", r"see C:\new\table"),
            (Continued, r#"{"a": "x\\ny"}"#, r#"{"a": "x\ny"}"#),
            (Continued, "x\\\ty", "x\ty"),
            (Continued, "x\\\ny", "x\ny"),
            (Continued, r"a\nb", r"a\nb"),
            (Continued, r#"a \\"b\\"\\nc \\\\ d"#, r#"a \"b\"\nc \\ d"#),
            (Continued, "", ""),
        ] {
            assert_eq!(text(cell, dialect).as_deref(), Some(value), "{dialect:?} {cell}");
        }
        assert_eq!((text("NULL", Escaped), text("NULL", Continued)), (None, None));
        assert_eq!(text("NULL ", Escaped).as_deref(), Some("NULL "));
    }

    #[test]
    fn only_line_feeds_end_records_and_no_quote_hides_one() {
        let content = "id\tname\n1\ta \"b\n2\tx\r\u{2028}\u{85}y\\\n3\t".as_bytes();
        let expected: [[&str; 2]; 4] = [["id", "name"], ["1", "a \"b"], ["2", "x\r\u{2028}\u{85}y\\"], ["3", ""]];
        assert_eq!(rows(content, Escaped), expected.map(|row| row.map(|cell| cell.as_bytes().to_vec()).to_vec()));
        assert!(records(b"", Escaped, 1).is_empty());
        assert_eq!(records(b"\n\na", Escaped, 1), [&b""[..], b"", b"a"]);
    }

    #[test]
    fn a_backslash_continues_a_studentmodule_cell() {
        let content = b"id\tstate\n1\ta\\\tb\\\nc\\\\\n2\t\\\\\\\\\t\\\\\\\td\n";
        let expected: [&[&[u8]]; 3] =
            [&[b"id", b"state"], &[b"1", b"a\\\tb\\\nc\\\\"], &[b"2", b"\\\\\\\\", b"\\\\\\\td"]];
        assert_eq!(
            rows(content, Continued),
            expected.map(|row| row.iter().map(|cell| cell.to_vec()).collect::<Vec<_>>())
        );
        assert_eq!(
            (Dialect::of_table("courseware_studentmodule"), Dialect::of_table("auth_user")),
            (Continued, Escaped)
        );
    }

    #[test]
    fn very_long_records_pass() {
        let long = vec![b'x'; 14 << 20];
        let content = [b"id\tstate\n1\t", &long[..], b"\n2\tshort"].concat();
        let found = records(&content, Continued, 100_000);
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [8, long.len() + 2, 7]);
    }

    #[test]
    fn a_header_is_the_first_record_if_it_holds_anything() {
        assert_eq!(header(&mut &b"a\tb\n1\t2\n"[..], Escaped).unwrap().unwrap(), [b"a", b"b"]);
        assert_eq!(header(&mut &b"a"[..], Escaped).unwrap().unwrap(), [b"a"]);
        assert_eq!(header(&mut &b""[..], Escaped).unwrap(), None);
        assert_eq!(header(&mut &b"\nx"[..], Escaped).unwrap(), None);
    }

    /// The rules, byte by byte.
    fn naive_rows(content: &[u8], dialect: Dialect) -> Vec<Vec<Vec<u8>>> {
        let mut rows = vec![vec![vec![]]];
        let mut escaped = false;
        for (at, byte) in content.iter().enumerate() {
            let data = escaped && dialect == Continued;
            escaped = *byte == b'\\' && !escaped;
            let row = rows.last_mut().unwrap();
            match byte {
                b'\n' if !data && at + 1 == content.len() => return rows,
                b'\n' if !data => rows.push(vec![vec![]]),
                b'\t' if !data => row.push(vec![]),
                _ => row.last_mut().unwrap().push(*byte),
            }
        }
        if content.is_empty() { Vec::new() } else { rows }
    }

    proptest! {
        #[test]
        fn records_and_fields_agree_with_the_rules(letters in "[ab\\\\\t\n]{0,40}", step in 1usize..9) {
            for dialect in [Escaped, Continued] {
                prop_assert_eq!(rows(letters.as_bytes(), dialect), naive_rows(letters.as_bytes(), dialect));
                let whole = records(letters.as_bytes(), dialect, usize::MAX);
                prop_assert_eq!(records(letters.as_bytes(), dialect, step), whole);
            }
        }

        #[test]
        fn what_is_escaped_decodes_to_itself(value in "[ab\\\\\t\n\r]{0,20}") {
            let escaped = value.replace('\\', r"\\").replace('\r', r"\r").replace('\t', r"\t").replace('\n', r"\n");
            prop_assert_eq!(text(&escaped, Escaped), Some(value.clone()));
            let continued = value.replace('\\', r"\\").replace('\t', "\\\t").replace('\n', "\\\n");
            prop_assert_eq!(text(&continued, Continued), Some(value));
        }
    }
}
