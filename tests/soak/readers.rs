//! One of many readers: reads as programs do, and compares with the model.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::map::Map;
use crate::model::{self, Form, MODELLED, Model, ObjectNumber, Span};
use crate::random::Random;

/// How often what was met, for the report at the end.
pub type Tally = BTreeMap<String, usize>;

/// What one open file has shown.
struct Seen {
    bytes: u64,
    pieces: Vec<(usize, Vec<u8>)>,
}

pub struct Reader<'a> {
    model: &'a Model,
    mount: &'a Path,
    /// Its folder is walked, its database queried.
    course: &'a str,
    random: Random,
    tally: Tally,
    /// What must not be.
    wrong: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(model: &'a Model, mount: &'a Path, course: &'a str, random: Random) -> Reader<'a> {
        Reader { model, mount, course, random, tally: Tally::new(), wrong: Vec::new() }
    }

    /// What was met, and what should not have been.
    pub fn read_until(mut self, stop: &AtomicBool) -> (Tally, Vec<String>) {
        while !stop.load(Ordering::Relaxed) {
            match self.random.below(20) {
                0 => self.walk(&format!("courses/{}", self.course)),
                1 => self.query(&format!("courses/{}/samced.db", self.course)),
                _ => self.read_some_file(),
            }
        }
        (self.tally, self.wrong)
    }

    fn read_some_file(&mut self) {
        let file = self.random.of(&self.model.files);
        let begin = Instant::now();
        let Some(open) = self.open(&file.path, Some(file.object), begin) else { return };
        let way = if file.form == Form::Gzipped { 9 } else { self.random.below(10) };
        let (name, seen) = match way {
            0..=2 => ("mapped", mapped(&open)),
            3..=5 => ("read in pieces", self.pieces(&open)),
            _ => ("read whole", whole(&open)),
        };
        self.note(name);
        match seen {
            Ok(seen) => self.compare(file, &seen, span(begin)),
            Err(error) => self.wrong.push(format!("{}: {name}, though it was open: {error}", file.path)),
        }
    }

    /// None if it could not be opened: then that is noted, and wrong unless an error was called for.
    fn open(&mut self, path: &str, object: Option<ObjectNumber>, begin: Instant) -> Option<File> {
        let error = match File::open(self.mount.join(path)) {
            Ok(file) => return Some(file),
            Err(error) => error,
        };
        self.judge_error(path, object, &error, span(begin));
        None
    }

    fn judge_error(&mut self, path: &str, object: Option<ObjectNumber>, error: &io::Error, span: Span) {
        self.note(&error.to_string());
        if !self.model.excuses(error.raw_os_error().unwrap_or(0), object, span) {
            self.wrong.push(format!("{path}: {error}"));
        }
    }

    /// At odd offsets, and sometimes so slowly that the object changes meanwhile.
    fn pieces(&mut self, file: &File) -> io::Result<Seen> {
        let bytes = file.metadata()?.len();
        let mut pieces = Vec::new();
        let slowly = self.random.below(4) == 0;
        for _ in 0..6 {
            let at = self.random.below(bytes as usize + 1);
            let mut piece = vec![0; 1 + self.random.below(150_000)];
            let mut read = 0;
            while read < piece.len() {
                match file.read_at(&mut piece[read..], (at + read) as u64)? {
                    0 => break,
                    more => read += more,
                }
            }
            piece.truncate(read);
            pieces.push((at, piece));
            if slowly {
                thread::sleep(self.random.time(100, 1500));
            }
        }
        Ok(Seen { bytes, pieces })
    }

    fn compare(&mut self, file: &model::File, seen: &Seen, span: Span) {
        let contents = self.model.contents(file, span);
        match contents.iter().find(|(_, content)| seen.fits(file.form, content)) {
            Some((version, _)) => self.note(&format!("version {version}")),
            None => {
                let known: Vec<_> = contents.iter().map(|(version, content)| (*version, content.len())).collect();
                let read: Vec<_> = seen.pieces.iter().map(|(at, piece)| (*at, piece.len())).collect();
                let what = format!("{} bytes, read (offset, bytes) {read:?}", seen.bytes);
                self.wrong.push(format!("{}: {what}: none of (version, bytes) {known:?}", file.path));
            }
        }
    }

    /// As `ls -lR`: names and sizes, nothing opened.
    fn walk(&mut self, folder: &str) {
        self.note("walked");
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let begin = Instant::now();
            let entries = match fs::read_dir(self.mount.join(&folder)) {
                Ok(entries) => entries,
                Err(error) => {
                    self.judge_error(&folder, None, &error, span(begin));
                    continue;
                }
            };
            for entry in entries {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        self.judge_error(&folder, None, &error, span(begin));
                        break;
                    }
                };
                let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
                match entry.metadata() {
                    Ok(metadata) if metadata.is_dir() => folders.push(path),
                    Ok(metadata) => self.judge_size(&path, &metadata, span(begin)),
                    Err(error) => self.judge_error(&path, None, &error, span(begin)),
                }
            }
        }
    }

    /// Exact, or a stand-in without blocks that is not below the truth.
    fn judge_size(&mut self, path: &str, metadata: &fs::Metadata, span: Span) {
        let Some(file) = self.model.file(path).filter(|file| file.form == Form::Plain) else { return };
        let contents = self.model.contents(file, span);
        let (bytes, is_exact) = (metadata.len(), metadata.blocks() > 0);
        let fits = |(_, content): &(usize, &[u8])| match is_exact {
            true => content.len() as u64 == bytes,
            false => content.len() as u64 <= bytes,
        };
        if !contents.iter().any(fits) {
            let known: Vec<_> = contents.iter().map(|(version, content)| (*version, content.len())).collect();
            self.wrong.push(format!("{path}: {bytes} bytes (exact: {is_exact}), none of (version, bytes) {known:?}"));
        }
    }

    /// SQLite opens the path once more than is seen here, and keeps the errno to itself.
    fn query(&mut self, path: &str) {
        let begin = Instant::now();
        let Some(_open) = self.open(path, None, begin) else { return };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(self.mount.join(path), flags);
        let checked = database.and_then(|database| database.query_row("pragma quick_check", [], |row| row.get(0)));
        match checked {
            Ok::<String, _>(answer) if answer == "ok" => self.note("queried"),
            Err(error) if self.may_not_open(&error, span(begin)) => self.note("not queried"),
            answer => self.wrong.push(format!("{path}: {answer:?}")),
        }
    }

    fn may_not_open(&self, error: &rusqlite::Error, span: Span) -> bool {
        let called_for = |errno: &i32| self.model.excuses(*errno, None, span);
        error.sqlite_error_code() == Some(ErrorCode::CannotOpen) && MODELLED.iter().any(called_for)
    }

    fn note(&mut self, what: &str) {
        *self.tally.entry(what.to_owned()).or_default() += 1;
    }
}

fn span(begin: Instant) -> Span {
    Span { begin, end: Instant::now() }
}

fn whole(mut file: &File) -> io::Result<Seen> {
    let bytes = file.metadata()?.len();
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(Seen { bytes, pieces: vec![(0, content)] })
}

fn mapped(file: &File) -> io::Result<Seen> {
    let map = Map::of(file)?;
    Ok(Seen { bytes: map.bytes().len() as u64, pieces: vec![(0, map.bytes().to_vec())] })
}

/// Whether a file shows this version now.
pub fn shows(mount: &Path, file: &model::File, version: usize) -> bool {
    let seen = File::open(mount.join(&file.path)).and_then(|open| whole(&open));
    seen.is_ok_and(|seen| seen.fits(file.form, &file.contents[version]))
}

impl Seen {
    fn fits(&self, form: Form, content: &[u8]) -> bool {
        match form {
            Form::Plain => self.is_of(content),
            Form::Gzipped => self.unpacks_to(content),
        }
    }

    fn is_of(&self, content: &[u8]) -> bool {
        let agrees = |(at, piece): &(usize, Vec<u8>)| {
            let rest = content.get(*at..).unwrap_or_default();
            // A piece that is short ends with the file.
            rest.starts_with(piece) && (!piece.is_empty() || rest.is_empty())
        };
        self.bytes == content.len() as u64 && self.pieces.iter().all(agrees)
    }

    fn unpacks_to(&self, content: &[u8]) -> bool {
        let [(0, packed)] = &self.pieces[..] else { return false };
        let mut plain = Vec::new();
        let unpacked = flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut plain);
        unpacked.is_ok() && self.bytes == packed.len() as u64 && plain == content
    }
}
