//! A folder with the encrypted objects of one or more sources, as `--folder` mounts it.
//!
//! A sync fetches what the folder lacks, several objects at a time, and goes on where an earlier one was stopped,
//! killed included. A file is complete or absent; nothing is ever deleted, also when its object is. In the folder lie
//!
//! | name | what |
//! |---|---|
//! | `course-data/…`, `edx-course-data/…` | the objects, each with its LastModified as its time: see [`Layout`] |
//! | `.{name}.{version}.part` beside an object's place | what has been fetched of it so far |
//! | `.edxfs-sync.tsv` | which version each file is: see `mirror/record.rs` |
//! | `.edxfs-sync.lock` | held by the one process that syncs into the folder |
//!
//! all of mode 0600, in folders of mode 0700. A folder source takes hidden names for no objects, so that a mirror can
//! be mounted while it is synced.

mod backup;
mod disk;
mod fetch;
mod layout;
mod part;
mod plan;
mod record;

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use self::layout::Layout;

use self::fetch::{Crew, Event, THREADS};
use self::plan::{Job, Plan};
use self::record::Record;
use crate::control::Progress;
use crate::error::{Error, ErrorKind, Result};
use crate::lock::{self, Lock};
use crate::source::{ObjectKey, Source};

const LOCK_NAME: &str = ".edxfs-sync.lock";
/// Listings of one sync: objects that change while they are fetched are looked up anew.
const LISTINGS: usize = 3;
/// Objects that cannot be had for a reason that meets them all, until none is tried any more.
const PATIENCE: usize = 2 * THREADS;
/// How soon a wish to stop is noticed.
const ATTENTION: Duration = Duration::from_millis(100);

/// One organisation's objects.
pub struct Origin {
    pub source: Arc<dyn Source>,
    pub layout: Layout,
}

/// What a sync came to.
#[derive(Debug, Default)]
pub struct Synced {
    pub fetched_objects: u64,
    pub fetched_bytes: u64,
    /// Objects whose file was there already.
    pub current_objects: u64,
    /// Objects that are not in the mirror in their present version, and why.
    pub failed: Vec<(ObjectKey, Error)>,
}

/// A folder that is ours to sync into until this is dropped.
pub struct Mirror {
    ground: Arc<Ground>,
    record: Record,
}

/// Where files go. Threads that outlive their sync hold it, and with it the lock.
struct Ground {
    dir: PathBuf,
    backups: Option<PathBuf>,
    _lock: File,
}

impl Mirror {
    /// Takes a folder, made if there is none. What a sync replaces is kept as `{backups}/{UTC date}/{key}`.
    ///
    /// Errors: `Usage` if another process syncs into it, or `backups` lies in it; local I/O.
    pub fn open(dir: &Path, backups: Option<&Path>) -> Result<Mirror> {
        let dir = made(dir)?;
        if let Some(backups) = backups.filter(|backups| lies_in(backups, &dir).unwrap_or(false)) {
            let error = Error::usage("lies in the mirror, where its files would be taken for objects");
            return Err(error.advise("give another --backup").about(backups.display()));
        }
        let backups = backups.map(made).transpose()?;
        let lock = match lock::take(&dir.join(LOCK_NAME)).map_err(|error| error.about(dir.display()))? {
            Lock::Ours(lock) => lock,
            Lock::Taken { pid } => {
                let who = pid.map_or("another process".to_owned(), |pid| format!("process {pid}"));
                let error = Error::usage(format!("{who} syncs into this folder, and only one may"));
                return Err(error.advise("wait until it has ended").about(dir.display()));
            }
        };
        let record = Record::open(&dir)?;
        Ok(Mirror { ground: Arc::new(Ground { dir, backups, _lock: lock }), record })
    }

    /// Fetches what the folder lacks; `show` is told how far it is, what was there at its beginning not counted, and
    /// `stop` is asked all the time.
    ///
    /// Errors: those of the listings; `Unreachable` or `TimedOut` if the source goes away, `NoCredentials` if it
    /// takes ours no longer; `CacheFull` for a full disk; `Interrupted` when stopped. What was fetched by then stays.
    pub fn sync(&mut self, origins: &[Origin], show: &dyn Fn(Progress), stop: &dyn Fn() -> bool) -> Result<Synced> {
        let mut run = Run { mirror: self, show, stop, progress: Progress::default(), synced: Synced::default() };
        let ended = run.rounds(origins);
        let synced = run.synced;
        let settled = self.record.settle();
        ended.and(settled).map(|()| synced)
    }
}

/// Whether a path is a folder or below it, links followed, also where it is not there yet. Errors: local I/O.
pub fn lies_in(path: &Path, folder: &Path) -> io::Result<bool> {
    let path = std::path::absolute(path)?;
    let there = path.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
    Ok(folder.exists() && there.canonicalize()?.starts_with(folder.canonicalize()?))
}

/// Makes a folder and gives its real path.
fn made(dir: &Path) -> Result<PathBuf> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir).and_then(|()| fs::canonicalize(dir));
    made.map_err(|error| Error::usage("cannot be used as a folder").caused_by(error).about(dir.display()))
}

/// One sync on its way.
struct Run<'a> {
    mirror: &'a mut Mirror,
    show: &'a dyn Fn(Progress),
    stop: &'a dyn Fn() -> bool,
    progress: Progress,
    synced: Synced,
}

impl Run<'_> {
    /// A listing is out of date as soon as it is there: objects that have changed since are taken in their new form.
    fn rounds(&mut self, origins: &[Origin]) -> Result<()> {
        let mut changed = Vec::new();
        for round in 0..LISTINGS {
            let mut plan = Plan::make(&self.mirror.ground.dir, &mut self.mirror.record, origins)?;
            if round == 0 {
                self.synced.current_objects = plan.current_objects;
            } else {
                plan = plan.only(&changed.drain(..).collect::<HashSet<ObjectKey>>());
            }
            self.synced.failed.append(&mut plan.failed);
            changed = self.fetch(plan.jobs)?;
            if changed.is_empty() {
                return Ok(());
            }
        }
        let error = Error::new(ErrorKind::Changed, "changes while it is fetched, again and again");
        let error = error.advise("run it again later");
        self.synced.failed.extend(changed.into_iter().map(|key| (key, error.clone())));
        Ok(())
    }

    /// Returns the objects that are not the listed version any more.
    fn fetch(&mut self, jobs: Vec<Job>) -> Result<Vec<ObjectKey>> {
        self.progress.total_objects += jobs.len() as u64;
        self.progress.total_bytes += jobs.iter().map(|job| job.object.id.bytes).sum::<u64>();
        let (mut left, mut setbacks, mut changed) = (jobs.len(), Setbacks::default(), Vec::new());
        let crew = Crew::start(&self.mirror.ground, jobs)?;
        while left > 0 {
            (self.show)(self.progress);
            if (self.stop)() {
                return Err(Error::new(ErrorKind::Interrupted, "stopped"));
            }
            match crew.next(ATTENTION)? {
                None => {}
                Some(Event::Kept(bytes)) => self.progress.done_bytes += bytes,
                Some(Event::Fetched(bytes)) => {
                    self.progress.done_bytes += bytes;
                    self.synced.fetched_bytes += bytes;
                    setbacks.away = 0;
                }
                Some(Event::Ended(job, Ok(entry))) => {
                    self.mirror.record.put(&job.key, entry)?;
                    self.synced.fetched_objects += 1;
                    (left, setbacks.away) = (left - 1, 0);
                }
                Some(Event::Ended(job, Err(error))) => {
                    if setbacks.add(error.kind()) >= PATIENCE {
                        return Err(error);
                    }
                    left -= 1;
                    self.note(job, error, &mut changed)?;
                }
            }
            self.progress.done_objects = self.progress.total_objects - left as u64;
        }
        Ok(changed)
    }

    /// Files a failure. Errors: those of the disk, which would meet every object.
    fn note(&mut self, job: Job, error: Error, changed: &mut Vec<ObjectKey>) -> Result<()> {
        let key = job.object.id.key;
        match error.kind() {
            ErrorKind::CacheFull => return Err(error),
            ErrorKind::Changed => changed.push(key),
            _ => self.synced.failed.push((key, error)),
        }
        Ok(())
    }
}

/// Failures that are not about the object.
#[derive(Default)]
struct Setbacks {
    /// In a row: whatever comes means that the source is there.
    away: usize,
    /// In all: what comes may have been asked for before the credentials ended.
    refused: usize,
}

impl Setbacks {
    /// How many there are of this kind, with this one; 0 if it is about the object.
    fn add(&mut self, kind: ErrorKind) -> usize {
        let count = match kind {
            ErrorKind::NoCredentials => &mut self.refused,
            kind if kind.is_away() => &mut self.away,
            _ => return 0,
        };
        *count += 1;
        *count
    }
}
