//! Which version of its object each file of the mirror is: `.edxfs-sync.tsv` in the mirror's folder.
//!
//! A header, then a line for each file, fields between tabs, in order of key:
//!
//! | column | what |
//! |---|---|
//! | `key` | path below the mirror's folder |
//! | `etag` | the object's ETag, without quotes |
//! | `bytes` | length of the file, and of the object |
//! | `modified` | the file's modification time, which is the object's LastModified (RFC 3339, UTC) |
//!
//! During a sync, each file that is complete adds a line in one write; of two lines with one key the later counts. At
//! its end the table is written anew, beside the old one, and takes its place. So a kill costs nothing, and a power
//! failure at most lines: a file without one that has the object's length and time is taken for that object.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::disk;
use crate::error::{Error, Result};
use crate::source::{ETag, ObjectKey};

const NAME: &str = ".edxfs-sync.tsv";
const HEADER: &str = "key\tetag\tbytes\tmodified";

/// What tells one content of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub bytes: u64,
    pub modified: Timestamp,
}

impl Stamp {
    pub fn of(metadata: &Metadata) -> Stamp {
        let nanoseconds = i32::try_from(metadata.mtime_nsec()).unwrap_or_default();
        let modified = Timestamp::new(metadata.mtime(), nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH);
        Stamp { bytes: metadata.len(), modified }
    }
}

/// The version that a file was when we last knew it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub etag: ETag,
    pub stamp: Stamp,
}

pub struct Record {
    path: PathBuf,
    entries: BTreeMap<ObjectKey, Entry>,
    lines: File,
    /// Whether lines were added since the table was last in order.
    grown: bool,
}

impl Record {
    /// Reads the record of a mirror, or begins one. Errors: `Usage` for a file that is something else; local I/O.
    pub fn open(mirror: &Path) -> Result<Record> {
        let path = mirror.join(NAME);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Error::from(error).about(path.display())),
        };
        let entries = parse(&String::from_utf8_lossy(&text)).map_err(|error| error.about(path.display()))?;
        let lines = rewrite(&path, &entries)?;
        Ok(Record { path, entries, lines, grown: false })
    }

    pub fn get(&self, key: &ObjectKey) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Adds or replaces a line, at once. Errors: local I/O.
    pub fn put(&mut self, key: &ObjectKey, entry: Entry) -> Result<()> {
        let line = line(key, &entry);
        self.lines.write_all(line.as_bytes()).map_err(|error| disk::local(error, &self.path))?;
        self.entries.insert(key.clone(), entry);
        self.grown = true;
        Ok(())
    }

    /// Puts the table in order. Errors: local I/O; then the lines stay as they were added.
    pub fn settle(&mut self) -> Result<()> {
        if self.grown {
            self.lines = rewrite(&self.path, &self.entries)?;
            self.grown = false;
        }
        Ok(())
    }
}

/// A line that is damaged or cut is as good as none.
fn parse(text: &str) -> Result<BTreeMap<ObjectKey, Entry>> {
    let Some((first, rest)) = text.split_once('\n') else { return Ok(BTreeMap::new()) };
    if first != HEADER {
        let error = Error::usage("is not the record of a mirror: its first line is another");
        return Err(error.advise("move it away; files that have their object's length and time are not fetched again"));
    }
    let mut entries = BTreeMap::new();
    for line in rest.split_inclusive('\n') {
        match line.strip_suffix('\n').and_then(parse_line) {
            Some((key, entry)) => drop(entries.insert(key, entry)),
            None => tracing::warn!("a damaged line in the record of the mirror is left out"),
        }
    }
    Ok(entries)
}

fn parse_line(line: &str) -> Option<(ObjectKey, Entry)> {
    let mut fields = line.split('\t');
    let (key, etag, bytes, modified) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let stamp = Stamp { bytes: bytes.parse().ok()?, modified: modified.parse().ok()? };
    fields.next().is_none().then(|| (ObjectKey::new(key), Entry { etag: ETag::new(etag), stamp }))
}

/// Neither keys nor ETags hold control characters: `layout` and HTTP see to that.
fn line(key: &ObjectKey, entry: &Entry) -> String {
    format!("{key}\t{}\t{}\t{}\n", entry.etag.as_str(), entry.stamp.bytes, entry.stamp.modified)
}

/// The table under its name, complete or as it was before; open for more lines.
fn rewrite(path: &Path, entries: &BTreeMap<ObjectKey, Entry>) -> Result<File> {
    let mut text = format!("{HEADER}\n");
    text.extend(entries.iter().map(|(key, entry)| line(key, entry)));
    let new = path.with_extension("tsv.new");
    let written = || {
        let _ = fs::remove_file(&new);
        let mut file = File::options().append(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        disk::sync_parent(path)?;
        Ok(file)
    };
    written().map_err(|error| disk::local(error, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(etag: &str, bytes: u64) -> Entry {
        let modified = Timestamp::new(1_425_452_400, 7).unwrap();
        Entry { etag: ETag::new(etag), stamp: Stamp { bytes, modified } }
    }

    fn text(mirror: &Path) -> String {
        fs::read_to_string(mirror.join(NAME)).unwrap()
    }

    #[test]
    fn a_killed_sync_loses_no_line_and_the_next_puts_them_in_order() {
        let mirror = tempfile::tempdir().unwrap();
        let (a, b) = (ObjectKey::new("course-data/a b.zip"), ObjectKey::new("course-data/b.zip"));
        let mut record = Record::open(mirror.path()).unwrap();
        for (key, entry) in [(&b, entry("1-2", 5)), (&a, entry("old", 6)), (&a, entry("new", 7))] {
            record.put(key, entry).unwrap();
        }
        drop(record);
        assert_eq!(text(mirror.path()).lines().count(), 4);
        let record = Record::open(mirror.path()).unwrap();
        assert_eq!((record.get(&a), record.get(&b)), (Some(&entry("new", 7)), Some(&entry("1-2", 5))));
        let expected = "key\tetag\tbytes\tmodified\n\
            course-data/a b.zip\tnew\t7\t2015-03-04T07:00:00.000000007Z\n\
            course-data/b.zip\t1-2\t5\t2015-03-04T07:00:00.000000007Z\n";
        assert_eq!(text(mirror.path()), expected);
    }

    #[test]
    fn what_is_damaged_costs_its_own_line() {
        let mirror = tempfile::tempdir().unwrap();
        let good = line(&ObjectKey::new("a"), &entry("e", 1));
        let cut = &good[..good.len() - 5];
        let damaged = format!("{HEADER}\n{good}b\te\tmany\t2015-03-04T07:00:00Z\nc\te\t1\n\n{good}{cut}");
        fs::write(mirror.path().join(NAME), damaged).unwrap();
        Record::open(mirror.path()).unwrap();
        assert_eq!(text(mirror.path()), format!("{HEADER}\n{good}"));
    }

    #[test]
    fn a_file_that_is_no_record_is_not_overwritten() {
        let mirror = tempfile::tempdir().unwrap();
        fs::write(mirror.path().join(NAME), "object\tetag\nx\ty\n").unwrap();
        let error = Record::open(mirror.path()).err().unwrap();
        assert!(error.to_string().contains(NAME) && error.to_string().contains("move it away"), "{error}");
        assert!(text(mirror.path()).starts_with("object"));
    }
}
