//! What one organisation knows between refreshes: the last listing and its catalog, the courses met, the faults.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalog::Catalog;
use crate::catalog::filter::Filter;
use crate::edx::course_run::Site;
use crate::edx::object_key::{ObjectRole, object_role};
use crate::engine::Observer;
use crate::engine::ledger::Ledger;
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::make::Summary;
use crate::recipe::{Part, Recipe};
use crate::source::{Availability, ETag, ObjectId, ObjectKey, ObjectMeta, Source};
use crate::volume::directory::{self, Directories};
use crate::volume::faults::Faults;
use crate::volume::met::{Met, News};

/// Whether a refresh found anything new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    Changed,
    Unchanged,
}

/// Shared by the engine (which tells it of runs) and the organisation (which asks it).
pub struct Records {
    org: String,
    pub source: Arc<dyn Source>,
    pub faults: Faults,
    ledger: Arc<Ledger>,
    filter: Filter,
    met: Met,
    state: RwLock<State>,
    /// Held by the one refresh under way.
    refreshing: Mutex<()>,
    on_change: Mutex<Vec<Box<dyn Fn() + Send>>>,
    unreadable: Mutex<Unreadable>,
}

/// Days that could not be read since the source was listed.
#[derive(Default)]
struct Unreadable {
    logs: HashSet<ObjectId>,
    /// Counts changes.
    version: u64,
}

struct State {
    listing: Arc<Vec<ObjectMeta>>,
    catalog: Arc<Catalog>,
    last_refresh: Option<Timestamp>,
    /// Why the newest attempt to list failed, if it did.
    refresh_error: Option<String>,
    /// Archives whose directory could not be had, though it may be sound; a refresh tries them again.
    missing_directories: usize,
}

impl Records {
    /// Takes up what the ledger remembers; empty the first time.
    pub fn recall(org: &str, source: Arc<dyn Source>, ledger: Arc<Ledger>, filter: Filter) -> Result<Self> {
        let (faults, met) = match recall(&ledger) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                // Everything is learned again: a lost course id would let its folder come to mean another course,
                // since decoded days are not asked for their ids twice.
                tracing::warn!(%error, "the ledger is begun anew");
                ledger.begin_anew()?;
                recall(&ledger)?
            }
            other => other?,
        };
        let none = |_: &ObjectMeta| Err(Error::not_found("no directory"));
        let state = State {
            listing: Arc::default(),
            catalog: Arc::new(Catalog::build(org, &[], &none, &[], &filter)),
            last_refresh: None,
            refresh_error: None,
            missing_directories: 0,
        };
        Ok(Records {
            org: org.to_owned(),
            source,
            faults,
            met,
            ledger,
            filter,
            state: RwLock::new(state),
            refreshing: Mutex::new(()),
            on_change: Mutex::new(Vec::new()),
            unreadable: Mutex::default(),
        })
    }

    pub fn catalog(&self) -> Arc<Catalog> {
        self.read().catalog.clone()
    }

    /// The site of a day's log, as its key says.
    pub fn site_of(&self, log: &Part) -> Option<Site> {
        match object_role(&self.org, log.object.key.as_str()) {
            ObjectRole::DayLog { site, .. } => Some(site),
            _ => None,
        }
    }

    /// Whether a day's log was tried in vain, for a reason that will not pass by itself.
    pub fn is_unreadable(&self, log: &ObjectId) -> bool {
        self.unreadable().logs.contains(log)
    }

    /// Grows whenever another day turns out to be unreadable, or to be readable after all.
    pub fn unreadable_version(&self) -> u64 {
        self.unreadable().version
    }

    /// When the source was last listed with success; None before the first time.
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
        if same && directory::missing(&directories) == missing {
            return Ok(Refreshed::Unchanged);
        }
        let stored: Vec<_> = listing.iter().map(StoredObject::of).collect();
        self.ledger.put("listing", b"", &stored)?;
        self.adopt(listing, &directories);
        Ok(Refreshed::Changed)
    }

    fn adopt(&self, listing: Vec<ObjectMeta>, directories: &Directories) {
        directory::log_failures(directories);
        let missing = || Err(Error::not_found("no directory"));
        let directory = |meta: &ObjectMeta| directories.get(&meta.id).cloned().unwrap_or_else(missing);
        let catalog = Catalog::build(&self.org, &listing, &directory, &[], &self.filter);
        let present: HashMap<&str, &str> =
            listing.iter().map(|meta| (meta.id.key.as_str(), meta.id.etag.as_str())).collect();
        self.faults.forget(|fault| present.get(fault.object.as_str()) != Some(&fault.etag.as_str()));
        // What could not be read may have been restored.
        let version = self.unreadable_version() + 1;
        *self.unreadable() = Unreadable { logs: HashSet::new(), version };
        let mut state = self.write();
        state.missing_directories = directory::missing(directories);
        state.listing = Arc::new(listing);
        state.catalog = Arc::new(catalog.with_met(&self.met.courses()));
        drop(state);
        self.tell();
    }

    fn directories(&self, listing: &[ObjectMeta]) -> Directories {
        directory::of_listing(&self.org, listing, &*self.source, &self.ledger)
    }

    fn unreadable(&self) -> MutexGuard<'_, Unreadable> {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        for callback in &*self.on_change.lock().unwrap_or_else(PoisonError::into_inner) {
            callback();
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Records {
    fn made(&self, recipe: &Recipe, summary: &Summary) -> Result<()> {
        self.faults.note_success(recipe, summary);
        if let Some(part) = recipe.input() {
            let mut unreadable = self.unreadable();
            unreadable.version += u64::from(unreadable.logs.remove(&part.object));
        }
        let Recipe::Day { log, .. } = recipe else { return Ok(()) };
        let Some(site) = self.site_of(log) else { return Ok(()) };
        if self.met.meet(&site, &summary.courses)? == News::Some {
            let mut state = self.write();
            state.catalog = Arc::new(state.catalog.with_met(&self.met.courses()));
            drop(state);
            // A new folder takes lines that were unattributed.
            self.tell();
        }
        Ok(())
    }

    fn failed(&self, recipe: &Recipe, error: &Error) {
        if error.kind() != ErrorKind::Changed {
            self.faults.note_failure(recipe, error);
            if let Recipe::Day { log, .. } = recipe
                && is_unreadable(error.kind())
            {
                let mut unreadable = self.unreadable();
                unreadable.version += u64::from(unreadable.logs.insert(log.object.clone()));
            }
            return;
        }
        // So that the next open finds the object as it is now.
        if let Err(error) = self.refresh() {
            tracing::warn!(%error, "the source cannot be listed anew");
        }
    }
}

fn recall(ledger: &Arc<Ledger>) -> Result<(Faults, Met)> {
    Ok((Faults::recall(ledger.clone())?, Met::recall(ledger.clone())?))
}

/// A listed object as the ledger keeps it.
#[derive(Serialize, Deserialize)]
struct StoredObject {
    key: String,
    etag: String,
    bytes: u64,
    modified: Timestamp,
    archived: bool,
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

/// Kinds of error after which a day is left out. What is refused is not among them: mostly the credentials have expired,
/// and files without those days would look whole.
pub(super) fn is_unreadable(kind: ErrorKind) -> bool {
    kind.is_about_content() || matches!(kind, ErrorKind::Archived | ErrorKind::NotFound)
}
