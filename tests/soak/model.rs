//! What a reader may meet: which version of each object was current when, and which errors were called for.
//!
//! A version is current from just before it is put until the mount has been seen to show the next one, and [`LAG`] on: so
//! long may the kernel be told of a change, in two passes (`src/fuse/invalidation.rs`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub const LAG: Duration = Duration::from_secs(8);

/// The errors that changes and trouble call for; no other is ever right.
pub const MODELLED: [i32; 4] = [libc::ESTALE, libc::ENOENT, libc::EHOSTUNREACH, libc::ETIMEDOUT];

/// From just before an open until its last read.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub begin: Instant,
    pub end: Instant,
}

/// One object of the source, by its place in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectNumber(pub usize);

/// One file on the mount, and its content for each version of the object that it comes from.
pub struct File {
    pub path: String,
    pub object: ObjectNumber,
    pub contents: Vec<Arc<[u8]>>,
    pub form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Plain,
    /// Compared by what is in it.
    Gzipped,
}

/// A time during which an object was at one version; None: it was not there.
#[derive(Clone, Copy)]
struct Stay {
    version: Option<usize>,
    from: Instant,
    until: Option<Instant>,
}

/// A time during which these errors were called for, whatever was read.
struct Trouble {
    errnos: &'static [i32],
    from: Instant,
    until: Option<Instant>,
}

#[derive(Default)]
struct History {
    stays: Vec<Vec<Stay>>,
    troubles: Vec<Trouble>,
}

pub struct Model {
    pub files: Vec<File>,
    by_path: BTreeMap<String, usize>,
    history: Mutex<History>,
}

impl Model {
    /// Every object is at its first version.
    pub fn new(objects: usize, files: Vec<File>) -> Model {
        let first = Stay { version: Some(0), from: Instant::now(), until: None };
        let by_path = files.iter().enumerate().map(|(at, file)| (file.path.clone(), at)).collect();
        let history = History { stays: vec![vec![first]; objects], troubles: Vec::new() };
        Model { files, by_path, history: Mutex::new(history) }
    }

    pub fn file(&self, path: &str) -> Option<&File> {
        self.by_path.get(path).map(|at| &self.files[*at])
    }

    /// To be called before the object is put or deleted.
    pub fn begin(&self, object: ObjectNumber, version: Option<usize>) {
        self.history().stays[object.0].push(Stay { version, from: Instant::now(), until: None });
    }

    /// To be called when the mount has been seen to show the newest version.
    pub fn settle(&self, object: ObjectNumber) {
        let mut history = self.history();
        let stays = &mut history.stays[object.0];
        let (_, earlier) = stays.split_last_mut().expect("an object begins with a version");
        let open = earlier.iter_mut().filter(|stay| stay.until.is_none());
        open.for_each(|stay| stay.until = Some(Instant::now()));
    }

    /// To be called before there is trouble.
    pub fn trouble(&self, errnos: &'static [i32]) {
        self.history().troubles.push(Trouble { errnos, from: Instant::now(), until: None });
    }

    /// All trouble is over; what began in it may go on for `patience`.
    pub fn calm(&self, patience: Duration) {
        let until = Some(Instant::now() + patience);
        self.history().troubles.iter_mut().filter(|trouble| trouble.until.is_none()).for_each(|t| t.until = until);
    }

    /// The newest version of an object; None where it is not there.
    pub fn version(&self, object: ObjectNumber) -> Option<usize> {
        self.history().stays[object.0].last().and_then(|stay| stay.version)
    }

    /// The contents that a file may have had in that time, with their versions.
    pub fn contents<'a>(&self, file: &'a File, span: Span) -> Vec<(usize, &'a [u8])> {
        let versions = self.stays(file.object, span).into_iter().filter_map(|stay| stay.version);
        versions.map(|version| (version, &*file.contents[version])).collect()
    }

    /// Whether an error was called for: of a file of this object, or of one that is made from all of them.
    pub fn excuses(&self, errno: i32, of: Option<ObjectNumber>, span: Span) -> bool {
        let history = self.history();
        let in_trouble =
            |trouble: &Trouble| trouble.errnos.contains(&errno) && meets(trouble.from, trouble.until, span);
        if history.troubles.iter().any(in_trouble) {
            return true;
        }
        drop(history);
        let objects = match of {
            Some(object) => vec![object],
            None => (0..self.history().stays.len()).map(ObjectNumber).collect(),
        };
        objects.into_iter().any(|object| {
            let stays = self.stays(object, span);
            match (errno, of) {
                // A name may come from what is in a version.
                (libc::ESTALE, _) | (libc::ENOENT, None) => stays.len() > 1,
                (libc::ENOENT, Some(_)) => stays.iter().any(|stay| stay.version.is_none()),
                _ => false,
            }
        })
    }

    fn stays(&self, object: ObjectNumber, span: Span) -> Vec<Stay> {
        let stays = &self.history().stays[object.0];
        let lasting = |stay: &Stay| stay.until.map(|until| until + LAG);
        stays.iter().filter(|stay| meets(stay.from, lasting(stay), span)).copied().collect()
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn meets(from: Instant, until: Option<Instant>, span: Span) -> bool {
    from <= span.end && until.is_none_or(|until| until >= span.begin)
}
