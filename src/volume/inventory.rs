//! What is known of one organisation: its last listing, catalog, courses met and faults; all of it remembered in the ledger.

use std::collections::{BTreeMap, BTreeSet, HashMap};
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
    /// Empty where the object as a whole is meant.
    pub entry: String,
    pub what: String,
    pub count: u64,
    /// None: nothing is refused because of it.
    pub kind: Option<FaultKind>,
}

impl Fault {
    fn new(object: &str, entry: &str, what: String, kind: Option<FaultKind>) -> Self {
        Fault { object: object.to_owned(), entry: entry.to_owned(), what, count: 1, kind }
    }

    fn key(&self) -> (String, String, String) {
        (self.object.clone(), self.entry.clone(), self.what.clone())
    }

    fn name(&self) -> Vec<u8> {
        format!("{}\0{}\0{}", self.object, self.entry, self.what).into_bytes()
    }
}

/// The kinds of error that are worth remembering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    Corrupt,
    Unsupported,
    NoSecretKey,
    Refused,
    Archived,
    Unreachable,
    NotReproducible,
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
    /// Archives whose directory could not be read; a refresh tries them again.
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
        let listing = stored.into_iter().map(StoredObject::into_meta).collect();
        self.adopt(listing);
        Ok(true)
    }

    /// Lists the source and takes over what has changed. Errors: the source's; then everything stays as it was.
    pub fn refresh(&self) -> Result<Refreshed> {
        let _one = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = self.source.list();
        self.write().refresh_error = listed.as_ref().err().map(Error::to_string);
        let mut listing = listed?;
        listing.sort_by(|a, b| a.id.cmp(&b.id));
        let unchanged = *self.read().listing == listing && self.read().missing_directories == 0;
        self.write().last_refresh = Some(Timestamp::now());
        if unchanged {
            return Ok(Refreshed::Unchanged);
        }
        let stored: Vec<_> = listing.iter().map(StoredObject::of).collect();
        self.ledger.put("listing", b"", &stored)?;
        self.adopt(listing);
        Ok(Refreshed::Changed)
    }

    fn adopt(&self, listing: Vec<ObjectMeta>) {
        let directories = self.directories(&listing);
        let missing = || Err(Error::not_found("no directory"));
        let directory = |meta: &ObjectMeta| directories.get(&meta.id).cloned().unwrap_or_else(missing);
        let catalog = Catalog::build(&self.org, &listing, &directory, &[], &self.filter);
        let present: BTreeSet<&str> = listing.iter().map(|meta| meta.id.key.as_str()).collect();
        let gone: Vec<_> = self.faults().into_iter().filter(|fault| !present.contains(fault.object.as_str())).collect();
        gone.iter().for_each(|fault| self.forget_faults(&fault.object, &fault.entry));
        let mut state = self.write();
        state.missing_directories = directories.values().filter(|directory| directory.is_err()).count();
        state.listing = Arc::new(listing);
        state.catalog = Arc::new(catalog.with_met(&met_courses(&state.met)));
        drop(state);
        self.tell();
    }

    /// The directories of all archives in a listing: remembered, else read, several at a time.
    fn directories(&self, listing: &[ObjectMeta]) -> HashMap<ObjectId, Result<Arc<Directory>>> {
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
        }
        Ok(())
    }

    fn remember(&self, fault: Fault) {
        if let Err(error) = self.ledger.put("fault", &fault.name(), &fault) {
            tracing::error!(%error, "a fault cannot be recorded");
        }
        self.write().faults.insert(fault.key(), fault);
    }

    /// Drops what was wrong with an object or entry: it has been read well, or is gone.
    fn forget_faults(&self, object: &str, entry: &str) {
        let about = |fault: &&Fault| fault.object == object && fault.entry == entry;
        let old: Vec<_> = self.read().faults.values().filter(about).cloned().collect();
        for fault in old {
            if let Err(error) = self.ledger.remove("fault", &fault.name()) {
                tracing::error!(%error, "a fault cannot be removed");
            }
            self.write().faults.remove(&fault.key());
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

const MALFORMED: &str = "lines that are no events";

impl Observer for Inventory {
    fn made(&self, recipe: &Recipe, summary: &Summary) -> Result<()> {
        let Some(part) = recipe.input() else { return Ok(()) };
        let (object, entry) = names(part);
        self.forget_faults(object, entry);
        let Recipe::Day { log, .. } = recipe else { return Ok(()) };
        if summary.malformed > 0 {
            let fault = Fault::new(object, entry, MALFORMED.into(), None);
            self.remember(Fault { count: summary.malformed, ..fault });
        }
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
        let (object, entry) = names(part);
        self.remember(Fault::new(object, entry, error.message(), Some(kind)));
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
