//! What runs found wrong: remembered in the ledger until it is so no longer, and shown as lines of `problems.tsv`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::catalog::problem::Problem;
use crate::engine::ledger::Ledger;
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::derived::CourseInputs;
use crate::recipe::make::Summary;
use crate::recipe::{Part, Recipe};

/// One cause with one object or entry.
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

/// What it comes to: the kinds of error that are worth remembering, and what is wrong but keeps nothing from opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    Corrupt,
    Unsupported,
    NoSecretKey,
    Refused,
    Archived,
    Unreachable,
    TimedOut,
    NotReproducible,
    /// Lines of a log that are no events.
    Malformed,
    /// A file of a package that is not shown.
    Hidden,
    /// A table that a joined one does without.
    LeftOut,
}

/// All faults known of one organisation.
pub struct Faults {
    ledger: Arc<Ledger>,
    /// By object, entry and what.
    known: Mutex<BTreeMap<(String, String, String), Fault>>,
}

impl Faults {
    /// Takes up what the ledger remembers.
    pub fn recall(ledger: Arc<Ledger>) -> Result<Self> {
        let known: Vec<Fault> = ledger.all("fault")?;
        let known = known.into_iter().map(|fault| (fault.key(), fault)).collect();
        Ok(Faults { ledger, known: Mutex::new(known) })
    }

    /// In order of object, entry and what.
    pub fn all(&self) -> Vec<Fault> {
        self.known().values().cloned().collect()
    }

    /// A run has failed; what is empty the catalog names already.
    pub fn note_failure(&self, recipe: &Recipe, error: &Error) {
        if let (Some(part), Some(kind)) = (recipe.input(), kind_of(error))
            && part.encoded_bytes() > 0
        {
            // A network fails in many words; what holds now is the last of them.
            self.forget(|fault| fault.kind.is_failure() && fault.is_of(part));
            self.remember(Fault::new(part, error.message(), kind));
        }
    }

    /// A run has ended well: its failures are over, and what it found on its way is noted.
    pub fn note_success(&self, recipe: &Recipe, summary: &Summary) {
        if let Some(part) = recipe.input() {
            self.forget(|fault| fault.kind.is_failure() && fault.is_of(part));
        }
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
                self.forget(|fault| fault.kind == FaultKind::LeftOut && fault.what.starts_with(&left_out));
                for (folder, why) in &summary.skipped {
                    let Some(part) = parts.iter().find(|part| part.folder == *folder) else { continue };
                    self.remember(Fault::new(&part.part, format!("{left_out}{why}"), FaultKind::LeftOut));
                }
            }
            Recipe::Database(database) => {
                const LEFT_OUT: &str = "left out of samced.db: ";
                let part_of = |name: &str| database.file_of(name).and_then(|file| file.recipe.input());
                let left_out: Vec<_> =
                    summary.skipped.iter().filter_map(|(name, why)| Some((part_of(name)?, why))).collect();
                let files: Vec<_> = database.courses.iter().flat_map(CourseInputs::files).collect();
                let is_of_it =
                    |fault: &Fault| files.iter().filter_map(|file| file.recipe.input()).any(|part| fault.is_of(part));
                self.forget(|fault| fault.what.starts_with(LEFT_OUT) && is_of_it(fault));
                for (part, why) in left_out {
                    self.remember(Fault::new(part, format!("{LEFT_OUT}{why}"), FaultKind::LeftOut));
                }
            }
            _ => {}
        }
    }

    /// Drops the faults that are no longer so.
    pub fn forget(&self, is_over: impl Fn(&Fault) -> bool) {
        let over: Vec<_> = self.known().values().filter(|fault| is_over(fault)).cloned().collect();
        for fault in over {
            if let Err(error) = self.ledger.remove("fault", &fault.name()) {
                tracing::error!(%error, "a fault cannot be removed");
            }
            self.known().remove(&fault.key());
        }
    }

    fn remember(&self, fault: Fault) {
        if let Err(error) = self.ledger.put("fault", &fault.name(), &fault) {
            tracing::error!(%error, "a fault cannot be recorded");
        }
        self.known().insert(fault.key(), fault);
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<(String, String, String), Fault>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    fn new(part: &Part, what: String, kind: FaultKind) -> Self {
        let entry = part.entry.as_ref().map_or_else(String::new, |entry| entry.name.to_string());
        let (object, etag) = (part.object.key.as_str().to_owned(), part.object.etag.as_str().to_owned());
        Fault { object, etag, entry, what, count: 1, kind }
    }

    fn is_of(&self, part: &Part) -> bool {
        let entry = part.entry.as_ref().map_or("", |entry| &entry.name);
        self.object == part.object.key.as_str() && self.entry == entry
    }

    /// The line of `problems.tsv`: the errno that a reader meets, and what to do.
    pub fn problem(&self) -> Problem {
        let (errno, what_to_do) = match self.kind {
            FaultKind::Corrupt => ("EIO", "compare the object's size with the source; ask edX for it again"),
            FaultKind::Unsupported => ("EIO", "re-encrypt it as the message says"),
            FaultKind::NoSecretKey => ("EIO", "mount with the key of one of its recipients: --secret-key"),
            FaultKind::Refused => ("EACCES", "ask for access to this object"),
            FaultKind::Archived => ("EACCES", "restore the object from its archived storage class first"),
            FaultKind::Unreachable => ("EHOSTUNREACH", "check the network and the endpoint, then open it again"),
            FaultKind::TimedOut => ("ETIMEDOUT", "check the network, or raise --timeout, then open it again"),
            FaultKind::NotReproducible => ("EIO", "open it again; report it if it comes back"),
            FaultKind::Malformed => ("", "nothing: they are in events/unattributed, byte for byte"),
            FaultKind::Hidden => ("", "unpack the package by hand"),
            FaultKind::LeftOut => ("", "use the table of an older snapshot"),
        };
        let (object, entry, what) = self.key();
        Problem { object, entry, what, count: self.count, errno, what_to_do: what_to_do.to_owned() }
    }

    fn key(&self) -> (String, String, String) {
        (self.object.clone(), self.entry.clone(), self.what.clone())
    }

    fn name(&self) -> Vec<u8> {
        format!("{}\0{}\0{}", self.object, self.entry, self.what).into_bytes()
    }
}

impl FaultKind {
    /// True if it is over once the object is read well.
    fn is_failure(self) -> bool {
        !matches!(self, FaultKind::Malformed | FaultKind::Hidden | FaultKind::LeftOut)
    }
}

fn kind_of(error: &Error) -> Option<FaultKind> {
    Some(match error.kind() {
        ErrorKind::Corrupt => FaultKind::Corrupt,
        ErrorKind::Unsupported => FaultKind::Unsupported,
        ErrorKind::NoSecretKey => FaultKind::NoSecretKey,
        ErrorKind::Refused | ErrorKind::NoCredentials => FaultKind::Refused,
        ErrorKind::Archived => FaultKind::Archived,
        ErrorKind::Unreachable => FaultKind::Unreachable,
        ErrorKind::TimedOut => FaultKind::TimedOut,
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
