//! Plain copies in a folder, and the manifest beside them. What is right already is left alone; nothing that lies in the
//! folder is ever deleted, and a file that has changed is replaced at once by its new copy.
//!
//! A file is right where the manifest says that it was copied, it has the size and the time of then, and its source,
//! ETag, size and time are still the same. What is made of several objects, and a page like `info.txt`, has no ETag: it
//! is read again, and replaced where it differs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use crate::control::{Item, Opened};
use crate::engine::size::Size;
use crate::error::{Error, ErrorKind, Result};
use crate::export::copy::{Sums, measured};
use crate::export::folder::{Begun, Folder, Lying, Part, is_of_name};
use crate::export::manifest::{self, Record};
use crate::export::walk::{self, Entry, Sink, Step};
use crate::export::{Selection, Totals, Tree, Watcher};
use crate::volume::Contents;

/// The name that a file is written under, in its folder: no file of the tree has it, and it is no longer than theirs.
const PART: &str = ".edxfs-export.part";
const PART_IN_THE_WAY: &str = "a folder or a link has the name of what is being written";
/// Times that differ by less are the same: FAT has no odd seconds.
const SAME_TIME: SignedDuration = SignedDuration::from_secs(2);

/// Bytes written at a time.
const WRITE_BYTES: usize = 256 << 10;

/// As [`crate::export::into_folder`].
pub fn export(tree: &dyn Tree, selection: &Selection, folder: &Path, watcher: &dyn Watcher) -> Result<Totals> {
    let mut plain = Plain::begin(tree, folder, watcher)?;
    // What could not be read and is not there is told anew, if it is still so.
    plain.records.retain(|path, record| record.sums.is_some() || !selection.covers(path));
    let walked = walk::walk(tree, selection, watcher, &mut plain);
    // Also where it was stopped: what is there is worth a tidy manifest.
    let written = plain.write_manifest();
    walked.and(written)?;
    Ok(plain.totals)
}

struct Plain<'a> {
    tree: &'a dyn Tree,
    watcher: &'a dyn Watcher,
    path: PathBuf,
    /// The folders entered, that of the export first.
    folders: Vec<Folder>,
    records: BTreeMap<String, Record>,
    /// Takes each line as soon as it is known.
    manifest: File,
    totals: Totals,
}

/// What became of a file.
enum Outcome {
    Copied(Record),
    /// It was right already; what its manifest line says may be news.
    Right(Record),
    /// It turned out not to be in the tree.
    Absent,
}

impl<'a> Plain<'a> {
    fn begin(tree: &'a dyn Tree, path: &Path, watcher: &'a dyn Watcher) -> Result<Self> {
        let unusable = |error: io::Error| Error::usage("cannot be exported into").caused_by(error);
        let folder = Folder::make(path).map_err(|error| unusable(error).about(path.display()))?;
        if !folder.lock().map_err(|error| unusable(error).about(path.display()))? {
            return Err(Error::usage("another export is writing into this folder").about(path.display()));
        }
        let begin = || -> Result<(BTreeMap<String, Record>, File)> {
            let found = folder.read(manifest::NAME)?;
            let records = match &found {
                None => BTreeMap::new(),
                Some(text) if text.is_empty() => BTreeMap::new(),
                Some(text) => manifest::parse(text).ok_or_else(|| {
                    Error::usage("is not a manifest of edxfs").advise("move it away, or export into another folder")
                })?,
            };
            let mut file = folder.append(manifest::NAME)?;
            match found.as_deref() {
                None | Some([]) => file.write_all(manifest::HEADER.as_bytes())?,
                // Where a run was killed in the middle of a line, the next one begins on a new one.
                Some([.., b'\n']) => {}
                Some(_) => file.write_all(b"\n")?,
            }
            Ok((records, file))
        };
        let (records, manifest) = begin().map_err(|error| error.about(path.join(manifest::NAME).display()))?;
        let folders = vec![folder];
        Ok(Plain { tree, watcher, path: path.into(), folders, records, manifest, totals: Totals::default() })
    }

    fn folder(&self) -> &Folder {
        self.folders.last().expect("the export's own is never left")
    }

    /// An error of the disk that is written to, which ends the export.
    fn unwritten(&self, path: &str, error: io::Error) -> Error {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let error = Error::from(error).about(self.path.join(path).display());
        if full { error.advise("make room and run it again: it goes on where it stopped") } else { error }
    }

    /// Copies one file if it is not right. The outer error ends the export.
    fn settle(&mut self, entry: &Entry<'_>) -> Result<Result<Outcome>> {
        let name = name_of(entry.path);
        let lying = match self.folder().lying(name) {
            Err(error) if is_of_name(&error) => return Ok(Err(self.unnameable(entry.path, error))),
            lying => lying.map_err(|error| self.unwritten(entry.path, error))?,
        };
        if lying == Lying::Other {
            return Ok(Err(self.in_the_way(entry.path, "a folder or a link is where this file belongs")));
        }
        let record = self.records.get(entry.path).filter(|record| record.error.is_empty());
        let record = record.filter(|record| is_intact(record, lying)).cloned();
        if let Some(record) = &record
            && self.is_right_unopened(record, lying, entry)
        {
            return Ok(Ok(Outcome::Right(record.clone())));
        }
        match walk::open(self.tree, entry) {
            Ok(None) => Ok(Ok(Outcome::Absent)),
            Ok(Some(contents)) => match record {
                Some(record) if is_right(&record, lying, &contents.opened) => Ok(Ok(Outcome::Right(record))),
                record => self.replace(entry.path, contents, record.as_ref(), lying),
            },
            Err(error) => Ok(Err(error)),
        }
    }

    /// Whether all that is known without making the file says that it is the one that was copied.
    fn is_right_unopened(&self, record: &Record, lying: Lying, entry: &Entry<'_>) -> bool {
        let Some(Size::Exact(bytes)) = entry.item.size else { return false };
        self.tree.origin(entry.path).is_ok_and(|origin| {
            let opened = Opened { bytes, modified: entry.item.modified, source: origin.source, etag: origin.etag };
            is_right(record, lying, &opened)
        })
    }

    /// Copies a file beside its place and moves it there, unless the same lies there.
    fn replace(
        &self,
        path: &str,
        mut contents: Contents,
        record: Option<&Record>,
        lying: Lying,
    ) -> Result<Result<Outcome>> {
        let (folder, name) = (self.folder(), name_of(path));
        let unwritten = |error| self.unwritten(path, error);
        let mut part = match folder.begin(PART).map_err(unwritten)? {
            Begun::Part(part) => part,
            Begun::Busy | Begun::Blocked => return Ok(Err(self.in_the_way(&sibling(path, PART), PART_IN_THE_WAY))),
        };
        let copied = measured(&mut contents, self.watcher, |reader| write_all(reader, &mut part));
        if !matches!(&copied, Ok(Ok(_))) {
            folder.give_up(&part).map_err(unwritten)?;
        }
        let sums = match copied.map_err(unwritten)? {
            Ok(sums) => sums,
            Err(error) => return Ok(Err(error)),
        };
        let Opened { modified, source, etag, .. } = contents.opened;
        let is_same = record.is_some_and(|record| record.sums.as_ref() == Some(&sums)) && has_time(lying, modified);
        let record = Record { sums: Some(sums), source, etag, error: String::new() };
        if is_same {
            folder.give_up(&part).map_err(unwritten)?;
            return Ok(Ok(Outcome::Right(record)));
        }
        match folder.publish(&part, name, Some(modified)) {
            Err(error) if is_of_name(&error) => {
                folder.give_up(&part).map_err(unwritten)?;
                Ok(Err(self.unnameable(path, error)))
            }
            published => published.map_err(unwritten).map(|()| Ok(Outcome::Copied(record))),
        }
    }

    fn unnameable(&self, path: &str, error: io::Error) -> Error {
        let refused = Error::usage("the disk that is exported to takes no such name").caused_by(error);
        refused.advise("export it to another disk, or as an archive").about(self.path.join(path).display())
    }

    fn in_the_way(&self, path: &str, what: &str) -> Error {
        Error::usage(what).advise("move it away").about(self.path.join(path).display())
    }

    /// Has the manifest say so, if it does not yet.
    fn note(&mut self, path: &str, record: Record) -> Result<()> {
        if self.records.get(path) != Some(&record) {
            let line = record.line(path);
            self.manifest.write_all(line.as_bytes()).map_err(|error| self.unwritten(manifest::NAME, error))?;
            self.records.insert(path.to_owned(), record);
        }
        Ok(())
    }

    /// Writes the manifest anew, in order, where it is not.
    fn write_manifest(&self) -> Result<()> {
        let lines = self.records.iter().map(|(path, record)| record.line(path));
        let text: String = std::iter::once(manifest::HEADER.to_owned()).chain(lines).collect();
        let write = || -> io::Result<()> {
            let root = &self.folders[0];
            if root.read(manifest::NAME)?.is_some_and(|found| found == text.as_bytes()) {
                return Ok(());
            }
            let Begun::Part(mut part) = root.begin(PART)? else {
                return Err(io::Error::other(format!("{PART}: {PART_IN_THE_WAY}")));
            };
            let written = part.write_all(text.as_bytes()).and_then(|()| root.publish(&part, manifest::NAME, None));
            written.inspect_err(|_| drop(root.give_up(&part)))
        };
        write().map_err(|error| self.unwritten(manifest::NAME, error))
    }
}

impl Sink for Plain<'_> {
    fn enter(&mut self, path: &str, _: &Item) -> Result<Step> {
        let name = name_of(path.trim_end_matches('/'));
        let error = match self.folder().subfolder(name) {
            Ok(Some(folder)) => {
                self.folders.push(folder);
                return Ok(Step::Into);
            }
            Ok(None) => self.in_the_way(path, "a file or a link is where this folder belongs"),
            Err(error) if is_of_name(&error) => self.unnameable(path, error),
            Err(error) => return Err(self.unwritten(path, error)),
        };
        self.failed(path, error).map(|()| Step::Over)
    }

    fn leave(&mut self, path: &str, item: &Item) -> Result<()> {
        let folder = self.folders.pop().expect("it was entered");
        folder.set_time(item.modified).map_err(|error| self.unwritten(path, error))
    }

    fn file(&mut self, entry: &Entry<'_>) -> Result<()> {
        match self.settle(entry)? {
            Ok(Outcome::Absent) => return Ok(()),
            Ok(Outcome::Right(record)) => {
                self.totals.right += 1;
                self.note(entry.path, record)?;
            }
            Ok(Outcome::Copied(record)) => {
                self.totals.copied += 1;
                self.totals.copied_bytes += record.sums.as_ref().map_or(0, |sums| sums.bytes);
                self.note(entry.path, record)?;
            }
            Err(error) => self.failed(entry.path, error)?,
        }
        self.watcher.passed(&self.totals);
        Ok(())
    }

    fn late(&mut self, _: &str) -> Result<()> {
        Ok(())
    }

    fn failed(&mut self, path: &str, error: Error) -> Result<()> {
        if error.kind() == ErrorKind::Interrupted {
            return Err(error);
        }
        self.watcher.failed(path, &error);
        self.totals.failed += 1;
        self.note(path, Record::failed(self.records.get(path), &error))
    }
}

fn write_all(reader: &mut dyn io::Read, part: &mut Part) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(WRITE_BYTES, part);
    io::copy(reader, &mut out)?;
    out.flush()
}

/// The path of another name in the same folder.
fn sibling(path: &str, name: &str) -> String {
    path.rsplit_once('/').map_or_else(|| name.to_owned(), |(folder, _)| format!("{folder}/{name}"))
}

fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Whether what lies there can be what the manifest says.
fn is_intact(record: &Record, lying: Lying) -> bool {
    match (&record.sums, lying) {
        (Some(Sums { bytes, .. }), Lying::File { bytes: lying, .. }) => *bytes == lying,
        _ => false,
    }
}

fn has_time(lying: Lying, time: Timestamp) -> bool {
    matches!(lying, Lying::File { modified, .. } if modified.duration_since(time).abs() < SAME_TIME)
}

/// Whether a file that is intact was made of what the tree has now.
fn is_right(record: &Record, lying: Lying, now: &Opened) -> bool {
    let as_large = record.sums.as_ref().is_some_and(|sums| sums.bytes == now.bytes);
    let has_version = !now.etag.is_empty();
    let same_object = record.etag == now.etag && record.source == now.source;
    as_large && has_version && same_object && has_time(lying, now.modified)
}
