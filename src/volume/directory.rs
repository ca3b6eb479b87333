//! The directories of archive objects: remembered in the ledger, else read from the source, several at a time.

use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::decode::tar;
use crate::decode::zip::{Directory, Ranged};
use crate::edx::object_key::{ObjectRole, object_role};
use crate::engine::ledger::Ledger;
use crate::error::{Error, Result};
use crate::source::{ObjectId, ObjectMeta, Source};

/// Directory reads under way at once.
const READERS: usize = 8;

/// The directory of each archive in a listing, or why it cannot be had.
pub type Directories = HashMap<ObjectId, Result<Arc<Directory>>>;

/// The directories of all archives in a listing.
pub fn of_listing(org: &str, listing: &[ObjectMeta], source: &dyn Source, ledger: &Ledger) -> Directories {
    let archives = listing.iter().filter(|meta| {
        matches!(
            object_role(org, meta.id.key.as_str()),
            ObjectRole::Package { .. } | ObjectRole::OptIn { .. } | ObjectRole::TrackingTar { .. }
        )
    });
    let todo = Mutex::new(archives);
    let found = Mutex::new(HashMap::new());
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                loop {
                    let next = todo.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(meta) = next else { return };
                    let directory = of_archive(meta, source, ledger);
                    found.lock().unwrap_or_else(PoisonError::into_inner).insert(meta.id.clone(), directory);
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// How many could not be had though the archive may be sound: worth another try.
pub fn missing(directories: &Directories) -> usize {
    let passing =
        |directory: &&Result<_>| directory.as_ref().is_err_and(|error: &Error| !error.kind().is_about_content());
    directories.values().filter(passing).count()
}

/// Has the log say what could not be read. Not done where it was read: an archive that must be restored first is asked
/// for at every refresh.
pub fn log_failures(directories: &Directories) {
    let mut failures: Vec<_> = directories.values().filter_map(|directory| directory.as_ref().err()).collect();
    failures.sort_by_key(|error| error.to_string());
    for error in failures {
        tracing::warn!(%error, "the directory of an archive cannot be read");
    }
}

fn of_archive(meta: &ObjectMeta, source: &dyn Source, ledger: &Ledger) -> Result<Arc<Directory>> {
    let name = format!("{}\0{}\0{}", meta.id.key, meta.id.etag.as_str(), meta.id.bytes);
    if let Ok(Some(directory)) = ledger.get::<Directory>("directory", name.as_bytes()) {
        return Ok(Arc::new(directory));
    }
    let directory = read(source, meta)?;
    ledger.put("directory", name.as_bytes(), &directory)?;
    Ok(Arc::new(directory))
}

/// A zip's central directory (one or two small reads), or a tar's headers. Errors: the source's; `Corrupt`.
fn read(source: &dyn Source, meta: &ObjectMeta) -> Result<Directory> {
    let object = Archive { source, id: &meta.id };
    let directory =
        if meta.id.key.as_str().ends_with(".tar") { tar::entries(&object) } else { Directory::read(&object) };
    directory.map_err(|error| error.about(&meta.id))
}

/// An object of a source, read by ranges.
pub struct Archive<'a> {
    pub source: &'a dyn Source,
    pub id: &'a ObjectId,
}

impl Ranged for Archive<'_> {
    fn bytes(&self) -> u64 {
        self.id.bytes
    }

    fn read(&self, range: Range<u64>) -> Result<Box<dyn Read + Send>> {
        self.source.open(self.id, range)
    }
}
