//! One table of all courses in one file: a column `course` in front, the union of columns, raw cells.

use std::collections::HashMap;
use std::io::Read;

use crate::edx::table::{Dialect, NULL, Records, ends_in_escape, fields, header};
use crate::error::{Error, ErrorKind, Result};

/// Opens one course's file from its beginning; called twice, for its header and for its rows.
///
/// What it gives must be complete and verified: a reader that fails behind the header fails the whole join.
pub type Opener<'a> = Box<dyn FnMut() -> Result<Box<dyn Read>> + 'a>;

/// One course's file of the table.
pub struct JoinInput<'a> {
    /// The course's folder name, which the column `course` shows.
    pub folder: &'a str,
    pub open: Opener<'a>,
}

/// What was not joined as it stood.
#[derive(Debug, Default)]
pub struct Joined {
    /// Folder and cause of each file that could not be used, in the order of the parts.
    pub skipped: Vec<(String, Error)>,
    /// Rows with fewer cells than their header, filled with NULL.
    pub short_rows: u64,
    /// Rows with more cells than their header; the cells too many have no column and are left out.
    pub surplus_rows: u64,
}

/// Joins `parts`, in the order given, into one TSV in the same dialect.
///
/// Output: LF-ended records; the header is `course`, then the union of the parts' columns in order of first sight (a
/// name that stands several times in one file stays several columns); rows in file order, cells as they are, `NULL`
/// for a column that a part lacks. Blank lines of a table with several columns are no rows. Without any usable part
/// the output is the header `course` alone, but the lack of a key for all of them fails the join: it would look like a
/// table without learners, and stay one when the key is given.
///
/// A part that is missing, empty, damaged, of unsupported form or without a secret key is skipped and reported. Any
/// other error (source away, interrupted, cache full) fails the join, lest a passing trouble leave out a course; so
/// does one behind a part's header, since its columns are out by then.
pub fn join(parts: &mut [JoinInput<'_>], dialect: Dialect, out: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Joined> {
    let mut joined = Joined::default();
    let mut columns = Columns::default();
    let mut layouts = Vec::with_capacity(parts.len());
    for part in parts.iter_mut() {
        let layout = match part_header(part, dialect) {
            Ok(names) => Some(columns.layout(names)),
            Err(error) if is_skipped(error.kind()) => {
                joined.skipped.push((part.folder.to_owned(), error));
                None
            }
            Err(error) => return Err(error.about(part.folder)),
        };
        layouts.push(layout);
    }
    if layouts.iter().all(Option::is_none)
        && let Some((_, error)) = joined.skipped.iter().find(|(_, error)| error.kind() == ErrorKind::NoSecretKey)
    {
        return Err(error.clone());
    }
    let mut rows = Rows { dialect, columns: columns.names.len(), buffer: b"course".to_vec(), out };
    for name in &columns.names {
        rows.buffer.push(b'\t');
        rows.cell(name);
    }
    rows.buffer.push(b'\n');
    for (part, layout) in parts.iter_mut().zip(layouts) {
        if let Some(layout) = layout {
            rows.part(part, &layout, &mut joined).map_err(|error| error.about(part.folder))?;
        }
    }
    rows.flush()?;
    Ok(joined)
}

fn is_skipped(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::Corrupt | ErrorKind::Unsupported | ErrorKind::NoSecretKey)
}

fn part_header(part: &mut JoinInput<'_>, dialect: Dialect) -> Result<Vec<Vec<u8>>> {
    header(&mut *(part.open)()?, dialect)?.ok_or_else(|| Error::not_found("the table is empty, without even a header"))
}

/// The union of columns so far. A column is a name and how many of that name stand before it in its file.
#[derive(Default)]
struct Columns {
    names: Vec<Vec<u8>>,
    positions: HashMap<(Vec<u8>, usize), usize>,
}

impl Columns {
    /// The place in the union of each column of one file; unknown ones are added.
    fn layout(&mut self, header: Vec<Vec<u8>>) -> Vec<usize> {
        let mut seen: HashMap<Vec<u8>, usize> = HashMap::new();
        let place = |name: Vec<u8>| {
            let repeats = seen.entry(name.clone()).or_default();
            let position = *self.positions.entry((name.clone(), *repeats)).or_insert(self.names.len());
            *repeats += 1;
            if position == self.names.len() {
                self.names.push(name);
            }
            position
        };
        header.into_iter().map(place).collect()
    }
}

/// Writes rows, gathered into large pieces.
struct Rows<'a> {
    dialect: Dialect,
    columns: usize,
    buffer: Vec<u8>,
    out: &'a mut dyn FnMut(&[u8]) -> Result<()>,
}

const PIECE_BYTES: usize = 128 * 1024;

impl Rows<'_> {
    fn part(&mut self, part: &mut JoinInput<'_>, layout: &[usize], joined: &mut Joined) -> Result<()> {
        let mut records = Records::new((part.open)()?, self.dialect);
        records.next_record()?;
        while let Some(record) = records.next_record()? {
            if record.is_empty() && layout.len() > 1 {
                continue;
            }
            // One reference a column, for one record only: nothing of a row is copied before it is written.
            let mut cells = vec![NULL; self.columns];
            let mut count = 0;
            for cell in fields(record, self.dialect) {
                if let Some(position) = layout.get(count) {
                    cells[*position] = cell;
                }
                count += 1;
            }
            joined.short_rows += u64::from(count < layout.len());
            joined.surplus_rows += u64::from(count > layout.len());
            self.row(part.folder, &cells)?;
        }
        Ok(())
    }

    fn row(&mut self, folder: &str, cells: &[&[u8]]) -> Result<()> {
        self.buffer.extend_from_slice(folder.as_bytes());
        for cell in cells {
            self.buffer.push(b'\t');
            self.cell(cell);
        }
        self.buffer.push(b'\n');
        if self.buffer.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    fn cell(&mut self, cell: &[u8]) {
        self.buffer.extend_from_slice(cell);
        // Only the very end of a cut file: its lone backslash would swallow the HT or LF that comes here.
        if self.dialect == Dialect::Continued && ends_in_escape(cell) {
            self.buffer.push(b'\\');
        }
    }

    fn flush(&mut self) -> Result<()> {
        (self.out)(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(parts: &[(&str, Result<&str>)], dialect: Dialect) -> (String, Joined) {
        let opener = |content: Result<&str>| -> Opener<'static> {
            let content = content.map(|text| text.as_bytes().to_vec());
            Box::new(move || Ok(Box::new(std::io::Cursor::new(content.clone()?)) as Box<dyn Read>))
        };
        let mut inputs: Vec<_> =
            parts.iter().map(|(folder, content)| JoinInput { folder, open: opener(content.clone()) }).collect();
        let mut output = Vec::new();
        let report = join(&mut inputs, dialect, &mut |bytes| {
            output.extend_from_slice(bytes);
            Ok(())
        });
        (String::from_utf8(output).unwrap(), report.unwrap())
    }

    #[test]
    fn columns_are_united_in_order_of_first_sight_and_cells_stay_raw() {
        let parts = [
            ("A-1-x", Ok("id\tname\n1\tC:\\\\new\n2\t\n")),
            ("B-1-x@edge", Ok("name\tnew\tid\nNULL\t\"q\t3")),
            ("C-1-x", Ok("id\n")),
        ];
        let (output, report) = joined(&parts, Dialect::Escaped);
        assert_eq!(
            output,
            "course\tid\tname\tnew\n\
             A-1-x\t1\tC:\\\\new\tNULL\nA-1-x\t2\t\tNULL\nB-1-x@edge\t3\tNULL\t\"q\n"
        );
        assert!(report.skipped.is_empty() && report.short_rows == 0 && report.surplus_rows == 0);
    }

    #[test]
    fn unusable_parts_are_skipped_and_reported() {
        let parts = [
            ("A", Ok("")),
            ("B", Err(Error::corrupt("bad CRC"))),
            ("C", Ok("id\n7\n")),
            ("D", Err(Error::new(ErrorKind::NoSecretKey, "no secret key"))),
            ("E", Err(Error::not_found("no such entry"))),
        ];
        let (output, report) = joined(&parts, Dialect::Escaped);
        assert_eq!(output, "course\tid\nC\t7\n");
        assert_eq!(report.skipped.iter().map(|(folder, _)| folder.as_str()).collect::<Vec<_>>(), ["A", "B", "D", "E"]);
        assert_eq!(joined(&[], Dialect::Escaped).0, "course\n");
    }

    #[test]
    fn without_a_key_for_any_part_the_join_fails() {
        let locked: Opener<'_> = Box::new(|| Err(Error::new(ErrorKind::NoSecretKey, "no secret key").about("a.gpg")));
        let gone: Opener<'_> = Box::new(|| Err(Error::not_found("no such entry")));
        let mut parts = [JoinInput { folder: "A", open: locked }, JoinInput { folder: "B", open: gone }];
        let error = join(&mut parts, Dialect::Escaped, &mut |_| Ok(())).unwrap_err();
        assert_eq!((error.kind(), error.subject()), (ErrorKind::NoSecretKey, Some("a.gpg")));
    }

    #[test]
    fn passing_trouble_fails_the_join() {
        for kind in [ErrorKind::Unreachable, ErrorKind::TimedOut, ErrorKind::Interrupted, ErrorKind::CacheFull] {
            let open: Opener<'_> = Box::new(move || Err(Error::new(kind, "away")));
            let error = join(&mut [JoinInput { folder: "A", open }], Dialect::Escaped, &mut |_| Ok(())).unwrap_err();
            assert_eq!((error.kind(), error.subject()), (kind, Some("A")));
        }
    }

    #[test]
    fn short_surplus_blank_and_repeated_are_told_apart() {
        let (output, report) = joined(&[("A", Ok("a\tb\ta\n1\n\n1\t2\t3\t4\n"))], Dialect::Escaped);
        assert_eq!(output, "course\ta\tb\ta\nA\t1\tNULL\tNULL\nA\t1\t2\t3\n");
        assert_eq!((report.short_rows, report.surplus_rows), (1, 1));
        assert_eq!(joined(&[("A", Ok("a\n\n1\n"))], Dialect::Escaped).0, "course\ta\nA\t\nA\t1\n");
    }

    #[test]
    fn continued_cells_stay_one_cell_and_a_cut_one_swallows_nothing() {
        let parts = [("A", Ok("id\tstate\n1\tx\\\ty\\\nz\n2\tend\\")), ("B", Ok("state\tid\n\\\\\t3\n"))];
        let (output, _) = joined(&parts, Dialect::Continued);
        assert_eq!(output, "course\tid\tstate\nA\t1\tx\\\ty\\\nz\nA\t2\tend\\\\\nB\t3\t\\\\\n");
    }
}
