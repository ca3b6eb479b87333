//! Recipe key → facts, on disk, never evicted; keys hashed, names sealed; no content.
//!
//! One SQLite file. What can be looked up is under a keyed hash; what has to be read back (course ids, object names,
//! listings) is sealed under the data key. Sizes are in the clear.
//!
//! ```text
//! facts(output, digest, bytes)     output = hash of recipe key and output; digest = keyed BLAKE3 of the content
//! runs(recipe, sealed)             one row per finished run: what it found (`Summary`)
//! records(name, sealed)            everything else, by kind and name: listings, zip directories, faults, courses
//! ```

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::edx::course_run::CourseId;
use crate::edx::tracking_log::Evidence;
use crate::engine::outputs::Fact;
use crate::error::{Error, Result};
use crate::recipe::make::Summary;
use crate::recipe::{Output, Recipe};
use crate::store::blob::Digest;
use crate::store::seal::DataKey;

/// Raised when the tables change; a ledger of another version is begun anew (it can always be learned again).
const SCHEMA_VERSION: i64 = 1;

/// Keyed hash of a recipe's identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecipeKey([u8; 32]);

/// A run's summary as it is sealed: ids as text.
#[derive(Serialize, Deserialize)]
struct StoredSummary {
    stated: Vec<String>,
    mentioned: Vec<String>,
    lineless: Vec<String>,
    lines: u64,
    malformed: u64,
    members: Vec<String>,
    skipped: Vec<(String, String)>,
}

impl StoredSummary {
    fn of(summary: &Summary) -> Self {
        let with = |evidence| {
            let courses = summary.courses.iter().filter(move |(_, of)| *of == evidence);
            courses.map(|(id, _)| id.as_str().to_owned()).collect()
        };
        StoredSummary {
            stated: with(Evidence::Stated),
            mentioned: with(Evidence::Mentioned),
            lineless: summary.lineless.iter().map(|id| id.as_str().to_owned()).collect(),
            lines: summary.lines,
            malformed: summary.malformed,
            members: summary.members.clone(),
            skipped: summary.skipped.clone(),
        }
    }

    fn into_summary(self) -> Summary {
        let stated = self.stated.iter().map(|id| (id, Evidence::Stated));
        let mentioned = self.mentioned.iter().map(|id| (id, Evidence::Mentioned));
        let courses = stated.chain(mentioned).filter_map(|(id, evidence)| Some((CourseId::parse(id)?, evidence)));
        let mut courses: Vec<_> = courses.collect();
        courses.sort();
        let lineless = self.lineless.iter().filter_map(|id| CourseId::parse(id)).collect();
        let (lines, malformed, members, skipped) = (self.lines, self.malformed, self.members, self.skipped);
        Summary { courses, lineless, lines, malformed, members, skipped }
    }
}

/// What the ledger knows of one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// The recipe has never been run.
    Unmade,
    /// The recipe was run and has no such output: its content is empty.
    Absent,
    Fact(Fact),
}

/// How a new record compares with the one that was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    New,
    Same,
    Different,
}

/// The ledger of one cache folder.
pub struct Ledger {
    database: Mutex<Connection>,
    key: Arc<DataKey>,
}

impl Ledger {
    /// Opens or creates the ledger. A file that is no database, or of another version, is replaced.
    pub fn open(path: &Path, key: Arc<DataKey>) -> Result<Self> {
        let connect = || -> rusqlite::Result<Connection> {
            let database = Connection::open(path)?;
            prepare(&database)?;
            Ok(database)
        };
        let database = match connect() {
            Ok(database) => database,
            Err(error) => {
                tracing::warn!(%error, "the ledger cannot be read and is begun anew");
                for suffix in ["", "-wal", "-shm"] {
                    let mut file = path.as_os_str().to_owned();
                    file.push(suffix);
                    let _ = std::fs::remove_file(file);
                }
                connect().map_err(failed)?
            }
        };
        Ok(Ledger { database: Mutex::new(database), key })
    }

    pub fn recipe_key(&self, recipe: &Recipe) -> RecipeKey {
        RecipeKey(self.key.name("recipe", &[&recipe.identity()]))
    }

    /// What is known of one output; one or two point look-ups.
    pub fn known(&self, recipe: &RecipeKey, output: &Output) -> Result<Known> {
        let name = self.output_name(recipe, output);
        let database = self.database();
        let fact = database
            .prepare_cached("SELECT digest, bytes FROM facts WHERE output = ?1")
            .and_then(|mut statement| {
                statement.query_row(params![name], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(failed)?;
        if let Some((digest, bytes)) = fact {
            let bytes: i64 = bytes;
            return Ok(Known::Fact(Fact { digest: Digest::from_bytes(digest), bytes: bytes.max(0) as u64 }));
        }
        let run = database
            .prepare_cached("SELECT 1 FROM runs WHERE recipe = ?1")
            .and_then(|mut statement| statement.exists(params![recipe.0]))
            .map_err(failed)?;
        Ok(if run { Known::Absent } else { Known::Unmade })
    }

    /// What a run found; None if it was never run.
    pub fn summary(&self, recipe: &RecipeKey) -> Result<Option<Summary>> {
        let sealed: Option<Vec<u8>> = self
            .database()
            .prepare_cached("SELECT sealed FROM runs WHERE recipe = ?1")
            .and_then(|mut statement| statement.query_row(params![recipe.0], |row| row.get(0)).optional())
            .map_err(failed)?;
        let stored = sealed.map(|sealed| self.unseal::<StoredSummary>("run", &recipe.0, &sealed)).transpose()?;
        Ok(stored.map(StoredSummary::into_summary))
    }

    /// Remembers a finished run. A record that differs is replaced.
    pub fn record(&self, recipe: &RecipeKey, facts: &[(Output, Fact)], summary: &Summary) -> Result<Recorded> {
        let sealed = self.seal("run", &recipe.0, &StoredSummary::of(summary))?;
        let rows: Vec<_> = facts.iter().map(|(output, fact)| (self.output_name(recipe, output), fact)).collect();
        let mut recorded = if self.summary(recipe)?.is_some() { Recorded::Same } else { Recorded::New };
        let mut database = self.database();
        let transaction = database.transaction().map_err(failed)?;
        for (name, fact) in rows {
            let before: Option<[u8; 32]> = transaction
                .prepare_cached("SELECT digest FROM facts WHERE output = ?1")
                .and_then(|mut statement| statement.query_row(params![name], |row| row.get(0)).optional())
                .map_err(failed)?;
            if recorded != Recorded::New && before != Some(*fact.digest.as_bytes()) {
                recorded = Recorded::Different;
            }
            transaction
                .prepare_cached("INSERT OR REPLACE INTO facts(output, digest, bytes) VALUES (?1, ?2, ?3)")
                .and_then(|mut statement| statement.execute(params![name, fact.digest.as_bytes(), fact.bytes as i64]))
                .map_err(failed)?;
        }
        transaction
            .execute("INSERT OR REPLACE INTO runs(recipe, sealed) VALUES (?1, ?2)", params![recipe.0, sealed])
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(recorded)
    }

    /// How many runs are recorded.
    pub fn runs(&self) -> Result<u64> {
        let count: i64 =
            self.database().query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).map_err(failed)?;
        Ok(count.max(0) as u64)
    }

    /// One sealed record of some kind.
    pub fn get<T: DeserializeOwned>(&self, kind: &str, name: &[u8]) -> Result<Option<T>> {
        let row = self.record_name(kind, name);
        let sealed: Option<Vec<u8>> = self
            .database()
            .prepare_cached("SELECT sealed FROM records WHERE name = ?1")
            .and_then(|mut statement| statement.query_row(params![row], |row| row.get(0)).optional())
            .map_err(failed)?;
        sealed.map(|sealed| self.unseal(kind, &row, &sealed)).transpose()
    }

    /// Every sealed record of a kind, in the order in which they were first put.
    pub fn all<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>> {
        let kind_name = self.kind_name(kind);
        let database = self.database();
        let mut statement = database
            .prepare_cached("SELECT name, sealed FROM records WHERE kind = ?1 ORDER BY number")
            .map_err(failed)?;
        let rows = statement
            .query_map(params![kind_name], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))
            .map_err(failed)?;
        rows.map(|row| {
            let (name, sealed) = row.map_err(failed)?;
            self.unseal(kind, &name, &sealed)
        })
        .collect()
    }

    /// Puts a record; one that is there keeps its place in the order.
    pub fn put<T: Serialize>(&self, kind: &str, name: &[u8], value: &T) -> Result<()> {
        let row = self.record_name(kind, name);
        let sealed = self.seal(kind, &row, value)?;
        self.database()
            .prepare_cached(
                "INSERT INTO records(name, kind, sealed) VALUES (?1, ?2, ?3) \
                 ON CONFLICT(name) DO UPDATE SET sealed = excluded.sealed",
            )
            .and_then(|mut statement| statement.execute(params![row, self.kind_name(kind), sealed]))
            .map_err(failed)?;
        Ok(())
    }

    pub fn remove(&self, kind: &str, name: &[u8]) -> Result<()> {
        let row = self.record_name(kind, name);
        self.database().execute("DELETE FROM records WHERE name = ?1", params![row]).map_err(failed)?;
        Ok(())
    }

    fn output_name(&self, recipe: &RecipeKey, output: &Output) -> [u8; 32] {
        self.key.name("output", &[&recipe.0, &output.identity()])
    }

    fn record_name(&self, kind: &str, name: &[u8]) -> [u8; 32] {
        self.key.name("record", &[kind.as_bytes(), name])
    }

    fn kind_name(&self, kind: &str) -> [u8; 32] {
        self.key.name("kind", &[kind.as_bytes()])
    }

    fn seal<T: Serialize>(&self, purpose: &str, name: &[u8], value: &T) -> Result<Vec<u8>> {
        let plain = serde_json::to_vec(value).map_err(|e| Error::internal("cannot encode a record").caused_by(e))?;
        self.key.seal_record(purpose, name, &plain)
    }

    fn unseal<T: DeserializeOwned>(&self, purpose: &str, name: &[u8], sealed: &[u8]) -> Result<T> {
        let plain = self.key.open_record(purpose, name, sealed)?;
        serde_json::from_slice(&plain).map_err(|e| Error::corrupt("a ledger record cannot be read").caused_by(e))
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn prepare(database: &Connection) -> rusqlite::Result<()> {
    database.pragma_update(None, "journal_mode", "WAL")?;
    // A commit lost in a power cut costs one decode, so no sync per commit.
    database.pragma_update(None, "synchronous", "NORMAL")?;
    let version: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version != SCHEMA_VERSION {
        database.execute_batch(
            "DROP TABLE IF EXISTS facts; DROP TABLE IF EXISTS runs; DROP TABLE IF EXISTS records;
             CREATE TABLE facts(output BLOB PRIMARY KEY, digest BLOB NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
             CREATE TABLE runs(recipe BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
             CREATE TABLE records(number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, kind BLOB NOT NULL,
                                  sealed BLOB NOT NULL);
             CREATE INDEX records_by_kind ON records(kind, number);",
        )?;
        database.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    Ok(())
}

fn failed(error: rusqlite::Error) -> Error {
    let full = matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
    let kind = if full { crate::error::ErrorKind::CacheFull } else { crate::error::ErrorKind::Internal };
    Error::new(kind, "the ledger of the cache folder failed").caused_by(error)
}
