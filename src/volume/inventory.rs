//! What is known of one organisation: its last listing, catalog, courses met and faults; all of it remembered in the ledger.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalog::Catalog;
use crate::catalog::courses::MetCourse;
use crate::catalog::filter::Filter;
use crate::decode::zip::Directory;
use crate::edx::course_run::{CourseId, Site};
use crate::edx::object_key::{ObjectRole, object_role};
use crate::edx::tracking_log::Evidence;
use crate::engine::Observer;
use crate::engine::ledger::Ledger;
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::make::Summary;
use crate::recipe::{Part, Recipe};
use crate::source::{Availability, ETag, ObjectId, ObjectKey, ObjectMeta, Source};
use crate::volume::directory::read_directory;

/// Directory reads under way at once during a refresh.
const DIRECTORY_READERS: usize = 8;

/// Whether a refresh found anything new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    Changed,
    Unchanged,
}

/// Something wrong that a run or a refresh met; one per object, entry and cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub object: String,
    /// Of the object's version: another one may be sound.
    pub etag: String,
    /// Empty where the object as a whole is meant.
    pub entry: String,
    pub what: String,
    pub count: u64,
    pub kind: FaultKind,
}

impl Fault {
    fn new(part: &Part, what: String, kind: FaultKind) -> Self {
        let entry = part.entry.as_ref().map_or_else(String::new, |entry| entry.name.to_string());
        let (object, etag) = (part.object.key.as_str().to_owned(), part.object.etag.as_str().to_owned());
        Fault { object, etag, entry, what, count: 1, kind }
    }

    fn key(&self) -> (String, String, String) {
        (self.object.clone(), self.entry.clone(), self.what.clone())
    }

    fn name(&self) -> Vec<u8> {
        format!("{}\0{}\0{}", self.object, self.entry, self.what).into_bytes()
    }
}

/// What it comes to: the kinds of error that are worth remembering, and what is wrong but keeps nothing from opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    Corrupt,
    Unsupported,
    NoSecretKey,
    Refused,
    Archived,
    Unreachable,
    NotReproducible,
    /// Lines of a log that are no events.
    Malformed,
    /// A file of a package that is not shown.
    Hidden,
    /// A table that a joined one does without.
    LeftOut,
}

impl FaultKind {
    /// True if it has gone once the object is read well.
    fn is_failure(self) -> bool {
        !matches!(self, FaultKind::Malformed | FaultKind::Hidden | FaultKind::LeftOut)
    }
}

/// Shared by the engine (which tells it of runs) and the organisation (which asks it).
pub struct Inventory {
    pub org: String,
    pub source: Arc<dyn Source>,
    pub ledger: Arc<Ledger>,
    pub filter: Filter,
    state: RwLock<State>,
    /// Held by the one refresh under way.
    refreshing: Mutex<()>,
    /// Held while course ids are being recorded.
    recording: Mutex<()>,
    on_change: Mutex<Vec<Box<dyn Fn() + Send>>>,
}

struct State {
    listing: Arc<Vec<ObjectMeta>>,
    catalog: Arc<Catalog>,
    met: Vec<Met>,
    /// By object, entry and what.
    faults: BTreeMap<(String, String, String), Fault>,
    last_refresh: Option<Timestamp>,
    /// Why the newest attempt to list failed, if it did.
    refresh_error: Option<String>,
    /// Archives whose directory could not be had, though it may be sound; a refresh tries them again.
    missing_directories: usize,
}

/// A course id that stood in some event, as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Met {
    site: String,
    id: String,
    /// Rank among the ids that were stated, by when they first were.
    stated: Option<u64>,
}

/// The directory of each archive in a listing, or why it cannot be had.
type Directories = HashMap<ObjectId, Result<Arc<Directory>>>;

fn missing_directories(directories: &Directories) -> usize {
    let passing =
        |directory: &&Result<_>| directory.as_ref().is_err_and(|error: &Error| !error.kind().is_about_content());
    directories.values().filter(passing).count()
}

#[derive(Serialize, Deserialize)]
struct StoredObject {
    key: String,
    etag: String,
    bytes: u64,
    modified: Timestamp,
    archived: bool,
}

impl Inventory {
    /// Takes up what the ledger remembers; empty the first time.
    pub fn recall(org: &str, source: Arc<dyn Source>, ledger: Arc<Ledger>, filter: Filter) -> Result<Self> {
        let met: Vec<Met> = ledger.all("course")?;
        let faults: Vec<Fault> = ledger.all("fault")?;
        let faults = faults.into_iter().map(|fault| (fault.key(), fault)).collect();
        let none = |_: &ObjectMeta| Err(Error::not_found("no directory"));
        let catalog = Arc::new(Catalog::build(org, &[], &none, &[], &filter));
        let state = State {
            listing: Arc::default(),
            catalog,
            met,
            faults,
            last_refresh: None,
            refresh_error: None,
            missing_directories: 0,
        };
        Ok(Inventory {
            org: org.to_owned(),
            source,
            ledger,
            filter,
            state: RwLock::new(state),
            refreshing: Mutex::new(()),
            recording: Mutex::new(()),
            on_change: Mutex::new(Vec::new()),
        })
    }

    pub fn catalog(&self) -> Arc<Catalog> {
        self.read().catalog.clone()
    }

    pub fn faults(&self) -> Vec<Fault> {
        self.read().faults.values().cloned().collect()
    }

    pub fn last_refresh(&self) -> Option<Timestamp> {
        self.read().last_refresh
    }

    pub fn refresh_error(&self) -> Option<String> {
        self.read().refresh_error.clone()
    }

    /// Calls back, on the thread that made it so, whenever the catalog has changed.
    pub fn on_change(&self, callback: Box<dyn Fn() + Send>) {
        self.on_change.lock().unwrap_or_else(PoisonError::into_inner).push(callback);
    }

    /// Answers from the listing of an earlier mount, if there was one.
    pub fn adopt_last_listing(&self) -> Result<bool> {
        let Some(stored) = self.ledger.get::<Vec<StoredObject>>("listing", b"")? else { return Ok(false) };
        let listing: Vec<_> = stored.into_iter().map(StoredObject::into_meta).collect();
        let directories = self.directories(&listing);
        self.adopt(listing, &directories);
        Ok(true)
    }

    /// Lists the source and takes over what has changed. Errors: the source's; then everything stays as it was.
    pub fn refresh(&self) -> Result<Refreshed> {
        let _one = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = self.source.list();
        self.write().refresh_error = listed.as_ref().err().map(Error::to_string);
        let refreshed = self.take_over(listed?)?;
        self.write().last_refresh = Some(Timestamp::now());
        Ok(refreshed)
    }

    fn take_over(&self, mut listing: Vec<ObjectMeta>) -> Result<Refreshed> {
        listing.sort_by(|a, b| a.id.cmp(&b.id));
        let (same, missing) = {
            let state = self.read();
            (*state.listing == listing, state.missing_directories)
        };
        if same && missing == 0 {
            return Ok(Refreshed::Unchanged);
        }
        let directories = self.directories(&listing);
        if same && missing_directories(&directories) == missing {
            return Ok(Refreshed::Unchanged);
        }
        let stored: Vec<_> = listing.iter().map(StoredObject::of).collect();
        self.ledger.put("listing", b"", &stored)?;
        self.adopt(listing, &directories);
        Ok(Refreshed::Changed)
    }

    fn adopt(&self, listing: Vec<ObjectMeta>, directories: &Directories) {
        let missing = || Err(Error::not_found("no directory"));
        let directory = |meta: &ObjectMeta| directories.get(&meta.id).cloned().unwrap_or_else(missing);
        let catalog = Catalog::build(&self.org, &listing, &directory, &[], &self.filter);
        let present: HashMap<&str, &str> =
            listing.iter().map(|meta| (meta.id.key.as_str(), meta.id.etag.as_str())).collect();
        self.forget_faults(|fault| present.get(fault.object.as_str()) != Some(&fault.etag.as_str()));
        let mut state = self.write();
        state.missing_directories = missing_directories(directories);
        state.listing = Arc::new(listing);
        state.catalog = Arc::new(catalog.with_met(&met_courses(&state.met)));
        drop(state);
        self.tell();
    }

    /// The directories of all archives in a listing: remembered, else read, several at a time.
    fn directories(&self, listing: &[ObjectMeta]) -> Directories {
        let archives = listing.iter().filter(|meta| {
            matches!(
                object_role(&self.org, meta.id.key.as_str()),
                ObjectRole::Package { .. } | ObjectRole::OptIn { .. } | ObjectRole::TrackingTar { .. }
            )
        });
        let todo = Mutex::new(archives);
        let found = Mutex::new(HashMap::new());
        thread::scope(|scope| {
            for _ in 0..DIRECTORY_READERS {
                scope.spawn(|| {
                    loop {
                        let next = todo.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some(meta) = next else { return };
                        let directory = self.directory(meta);
                        found.lock().unwrap_or_else(PoisonError::into_inner).insert(meta.id.clone(), directory);
                    }
                });
            }
        });
        found.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn directory(&self, meta: &ObjectMeta) -> Result<Arc<Directory>> {
        let name = format!("{}\0{}\0{}", meta.id.key, meta.id.etag.as_str(), meta.id.bytes);
        if let Ok(Some(directory)) = self.ledger.get::<Directory>("directory", name.as_bytes()) {
            return Ok(Arc::new(directory));
        }
        match read_directory(&*self.source, meta) {
            Ok(directory) => {
                self.ledger.put("directory", name.as_bytes(), &directory)?;
                Ok(Arc::new(directory))
            }
            Err(error) => {
                tracing::warn!(object = %meta.id, %error, "the directory of an archive cannot be read");
                Err(error)
            }
        }
    }

    /// Records the course ids that a day's pass has met.
    fn meet(&self, site: &Site, courses: &[(CourseId, Evidence)]) -> Result<()> {
        let _one = self.recording.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.read().met.clone();
        let mut next = all.iter().filter_map(|met| met.stated).max().map_or(0, |last| last + 1);
        let mut news = false;
        for (id, stated) in courses {
            let known = all.iter().position(|met| met.site == site.as_str() && met.id == id.as_str());
            let newly_stated = *stated == Evidence::Stated && known.is_none_or(|at| all[at].stated.is_none());
            if known.is_some() && !newly_stated {
                continue;
            }
            let stated = newly_stated.then_some(next);
            next += u64::from(newly_stated);
            let met = Met { site: site.as_str().to_owned(), id: id.as_str().to_owned(), stated };
            self.ledger.put("course", format!("{}\0{}", met.site, met.id).as_bytes(), &met)?;
            match known {
                Some(at) => all[at] = met,
                None => all.push(met),
            }
            news = true;
        }
        if news {
            let mut state = self.write();
            state.catalog = Arc::new(state.catalog.with_met(&met_courses(&all)));
            state.met = all;
            drop(state);
            // A new folder takes lines that were unattributed.
            self.tell();
        }
        Ok(())
    }

    fn remember(&self, fault: Fault) {
        if let Err(error) = self.ledger.put("fault", &fault.name(), &fault) {
            tracing::error!(%error, "a fault cannot be recorded");
        }
        self.write().faults.insert(fault.key(), fault);
    }

    /// Drops the faults that are no longer so.
    fn forget_faults(&self, is_over: impl Fn(&Fault) -> bool) {
        let over: Vec<_> = self.read().faults.values().filter(|fault| is_over(fault)).cloned().collect();
        for fault in over {
            if let Err(error) = self.ledger.remove("fault", &fault.name()) {
                tracing::error!(%error, "a fault cannot be removed");
            }
            self.write().faults.remove(&fault.key());
        }
    }

    /// What a run found that keeps nothing from opening.
    fn remark(&self, recipe: &Recipe, summary: &Summary) {
        match recipe {
            Recipe::Day { log, .. } if summary.malformed > 0 => {
                let fault = Fault::new(log, "lines that are no events".to_owned(), FaultKind::Malformed);
                self.remember(Fault { count: summary.malformed, ..fault });
            }
            Recipe::Unpacked { package } => {
                for (path, why) in &summary.skipped {
                    let fault = Fault::new(package, format!("refused entry: {why}"), FaultKind::Hidden);
                    self.remember(Fault { entry: path.clone(), ..fault });
                }
            }
            Recipe::Joined { table, parts } => {
                let left_out = format!("left out of tables/{table}.tsv: ");
                // An older join's parts may be other ones.
                self.forget_faults(|fault| fault.kind == FaultKind::LeftOut && fault.what.starts_with(&left_out));
                for (folder, why) in &summary.skipped {
                    let Some(part) = parts.iter().find(|part| part.folder == *folder) else { continue };
                    self.remember(Fault::new(&part.part, format!("{left_out}{why}"), FaultKind::LeftOut));
                }
            }
            _ => {}
        }
    }

    fn tell(&self) {
        for callback in &*self.on_change.lock().unwrap_or_else(PoisonError::into_inner) {
            callback();
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Inventory {
    fn made(&self, recipe: &Recipe, summary: &Summary) -> Result<()> {
        if let Some(part) = recipe.input() {
            let (object, entry) = names(part);
            self.forget_faults(|fault| fault.kind.is_failure() && fault.object == object && fault.entry == entry);
        }
        self.remark(recipe, summary);
        let Recipe::Day { log, .. } = recipe else { return Ok(()) };
        let ObjectRole::DayLog { site, .. } = object_role(&self.org, log.object.key.as_str()) else {
            return Ok(());
        };
        self.meet(&site, &summary.courses)
    }

    fn failed(&self, recipe: &Recipe, error: &Error) {
        if error.kind() == ErrorKind::Changed {
            // So that the next open finds the object as it is now.
            if let Err(error) = self.refresh() {
                tracing::warn!(%error, "the source cannot be listed anew");
            }
            return;
        }
        let (Some(part), Some(kind)) = (recipe.input(), kind(error)) else { return };
        // The catalog names whatever is empty.
        if part.encoded_bytes() > 0 {
            self.remember(Fault::new(part, error.message(), kind));
        }
    }
}

/// The object's key, and the entry's name or nothing.
fn names(part: &Part) -> (&str, &str) {
    (part.object.key.as_str(), part.entry.as_ref().map_or("", |entry| &entry.name))
}

fn kind(error: &Error) -> Option<FaultKind> {
    Some(match error.kind() {
        ErrorKind::Corrupt => FaultKind::Corrupt,
        ErrorKind::Unsupported => FaultKind::Unsupported,
        ErrorKind::NoSecretKey => FaultKind::NoSecretKey,
        ErrorKind::Refused => FaultKind::Refused,
        ErrorKind::Archived => FaultKind::Archived,
        ErrorKind::Unreachable | ErrorKind::TimedOut => FaultKind::Unreachable,
        ErrorKind::NotReproducible => FaultKind::NotReproducible,
        ErrorKind::NotFound
        | ErrorKind::Changed
        | ErrorKind::CacheFull
        | ErrorKind::Interrupted
        | ErrorKind::WouldWait
        | ErrorKind::Usage
        | ErrorKind::Internal => return None,
    })
}

fn met_courses(met: &[Met]) -> Vec<MetCourse> {
    let course = |met: &Met| {
        let id = CourseId::parse(&met.id)?;
        Some(MetCourse { site: Site::from_token(&met.site), id, stated: met.stated })
    };
    met.iter().filter_map(course).collect()
}

impl StoredObject {
    fn of(meta: &ObjectMeta) -> Self {
        StoredObject {
            key: meta.id.key.as_str().to_owned(),
            etag: meta.id.etag.as_str().to_owned(),
            bytes: meta.id.bytes,
            modified: meta.modified,
            archived: meta.availability == Availability::Archived,
        }
    }

    fn into_meta(self) -> ObjectMeta {
        let id = ObjectId { key: ObjectKey::new(&self.key), etag: ETag::new(&self.etag), bytes: self.bytes };
        let availability = if self.archived { Availability::Archived } else { Availability::Ready };
        ObjectMeta { id, modified: self.modified, availability }
    }
}
