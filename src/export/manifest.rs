//! `MANIFEST.tsv`: what each file is, of which object it was made, and what could not be read. Text only, no files.
//!
//! A header, then a line per file, in the order of the paths' bytes: path, bytes, SHA-256 (64 hex digits), source
//! object (`bucket/key[/entry]`, or what a joined or counted file is made of), ETag, error. A path that ends in `/` is a
//! folder that could not be listed. Cells are escaped as in edX's tables.

use std::collections::BTreeMap;

use crate::edx::table::{self, Dialect};
use crate::error::Error;
use crate::export::copy::Sums;

pub const NAME: &str = "MANIFEST.tsv";
pub const HEADER: &str = "path\tbytes\tsha256\tsource\tetag\terror\n";

/// One line but for its path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// None where there is no file.
    pub sums: Option<Sums>,
    pub source: String,
    pub etag: String,
    /// Why there is no file, or none that is newer; empty where all is well.
    pub error: String,
}

impl Record {
    /// Keeps what is said of an older copy that is still there.
    pub fn failed(older: Option<&Record>, error: &Error) -> Record {
        Record { error: error.to_string(), ..older.cloned().unwrap_or_default() }
    }

    pub fn line(&self, path: &str) -> String {
        let bytes = self.sums.as_ref().map_or(String::new(), |sums| sums.bytes.to_string());
        let sha256 = self.sums.as_ref().map_or("", |sums| &sums.sha256);
        let mut line = String::new();
        table::push_row(&mut line, &[path, &bytes, sha256, &self.source, &self.etag, &self.error]);
        line
    }

    /// Path and record; None for what is no line of a manifest, like one that was cut.
    fn parse(line: &[u8]) -> Option<(String, Record)> {
        let cells: Vec<String> = table::fields(line, Dialect::Escaped).map(text).collect::<Option<_>>()?;
        let [path, bytes, sha256, source, etag, error] = <[String; 6]>::try_from(cells).ok()?;
        let sums = match (bytes.is_empty(), sha256.len()) {
            (true, 0) => None,
            (false, 64) => Some(Sums { bytes: bytes.parse().ok()?, sha256 }),
            _ => return None,
        };
        Some((path, Record { sums, source, etag, error }))
    }
}

/// A cell's text; "NULL" is no NULL here.
fn text(cell: &[u8]) -> Option<String> {
    let value = table::decode(cell, Dialect::Escaped).map_or(cell.to_vec(), |value| value.into_owned());
    String::from_utf8(value).ok()
}

/// Lines of a manifest as it stands in a folder, later ones over earlier ones; None where the header is another's.
pub fn parse(manifest: &[u8]) -> Option<BTreeMap<String, Record>> {
    let lines = manifest.strip_prefix(HEADER.as_bytes())?;
    // The last one has no end where a run was killed while it wrote it.
    let whole = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    Some(lines[..whole].split(|byte| *byte == b'\n').filter_map(Record::parse).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(bytes: u64, error: &str) -> Record {
        let sums = Some(Sums { bytes, sha256: "0".repeat(64) });
        Record { sums, source: "bucket/key\twith tab".into(), etag: "\"e\"".into(), error: error.into() }
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        for path in ["a/b", "NULL", "tab\tline\nback\\n", "é"] {
            for record in [record(7, ""), Record::failed(None, &Error::corrupt("bad\nCRC")), record(1, "gone")] {
                let text = format!("{HEADER}{}", record.line(path));
                let parsed = parse(text.as_bytes()).expect("it has the header");
                assert_eq!(parsed, BTreeMap::from([(path.to_owned(), record)]));
            }
        }
    }

    #[test]
    fn the_last_line_counts_and_a_cut_one_does_not() {
        let text = format!("{HEADER}{}{}{}", record(1, "").line("a"), record(2, "").line("a"), record(3, "").line("a"));
        for cut in 1..80 {
            let parsed = parse(&text.as_bytes()[..text.len() - cut]).expect("it has the header");
            assert_eq!(parsed["a"], record(2, ""), "{cut}");
        }
        assert_eq!(parse(text.as_bytes()).expect("it has the header")["a"], record(3, ""));
    }

    #[test]
    fn another_table_is_no_manifest() {
        assert_eq!(parse(b"name\tsize\na\t1\n"), None);
        assert_eq!(parse(b""), None);
        assert_eq!(parse(HEADER.as_bytes()), Some(BTreeMap::new()));
    }
}
