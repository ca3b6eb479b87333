//! Recipe key → facts, on disk, never evicted; keys hashed, names sealed; no content.
//!
//! One SQLite file. What can be looked up is under a keyed hash; what has to be read back (course ids, object names,
//! listings) is sealed under the data key. Sizes are in the clear, but bound to their output by a keyed seal: a row
//! that is damaged, or missing though its run says that it was made, is as good as never made. A sealed record that
//! does not open is as good as absent.
//!
//! ```text
//! facts(output, digest, bytes, seal)   output = hash of recipe key and output; digest = keyed BLAKE3 of the content
//! runs(recipe, sealed)                 one row per finished run: what it found (`Summary`), which outputs it made
//! records(name, sealed)                everything else, by kind and name: listings, zip directories, faults, courses
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::edx::course_run::CourseId;
use crate::edx::tracking_log::Evidence;
use crate::engine::outputs::Fact;
use crate::error::{Error, Result};
use crate::recipe::make::{Summary, Tallied};
use crate::recipe::{Output, Recipe};
use crate::store::blob::Digest;
use crate::store::removal;
use crate::store::seal::DataKey;

/// Raised when the tables change; a ledger of another version is begun anew (it can always be learned again).
const SCHEMA_VERSION: i64 = 2;

/// Keyed hash of a recipe's identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecipeKey([u8; 32]);

/// A fact's row.
struct Row {
    digest: [u8; 32],
    bytes: i64,
    seal: Vec<u8>,
}

/// Bytes of a fact's seal.
const SEAL_BYTES: usize = 16;

/// A finished run as it is sealed.
#[derive(Serialize, Deserialize)]
struct StoredRun {
    summary: StoredSummary,
    /// The beginnings of the names of its outputs, sorted.
    outputs: Vec<u64>,
}

impl StoredRun {
    fn has(&self, output: &[u8; 32]) -> bool {
        self.outputs.binary_search(&beginning(output)).is_ok()
    }
}

fn beginning(name: &[u8; 32]) -> u64 {
    let (head, _) = name.split_first_chunk::<8>().expect("a name has 32 bytes");
    u64::from_le_bytes(*head)
}

/// A run's summary: ids as text.
#[derive(Serialize, Deserialize)]
struct StoredSummary {
    stated: Vec<String>,
    mentioned: Vec<String>,
    lineless: Vec<String>,
    lines: u64,
    malformed: u64,
    members: Vec<String>,
    #[serde(default)]
    tallied: Vec<Tallied>,
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
            tallied: summary.tallied.clone(),
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
        Summary { courses, lineless, lines, malformed, members, tallied: self.tallied, skipped }
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

/// A ledger's own file and those that SQLite keeps beside it.
fn files(path: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|suffix| {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        file.into()
    })
}

/// The ledger of one cache folder.
pub struct Ledger {
    database: Mutex<Connection>,
    key: Arc<DataKey>,
}

impl Ledger {
    /// Opens or creates the ledger. A file that is no database, or of another version, is replaced. Errors: `CacheFull`,
    /// `Internal`; a disk that is full or away for a while costs nothing that was learned.
    pub fn open(path: &Path, key: Arc<DataKey>) -> Result<Self> {
        let connect = || -> rusqlite::Result<Connection> {
            let database = Connection::open(path)?;
            prepare(&database)?;
            check(&database)?;
            Ok(database)
        };
        let database = match connect() {
            Ok(database) => database,
            Err(error) if !is_damage(&error) => return Err(failed(error).about(path.display())),
            Err(error) => {
                tracing::warn!(%error, "the ledger cannot be read and is begun anew");
                for file in files(path) {
                    let _ = fs::remove_file(file);
                }
                connect().map_err(failed)?
            }
        };
        Ok(Ledger { database: Mutex::new(database), key })
    }

    /// Removes a ledger that nobody has open. Errors: the first that was met; the others are removed all the same.
    pub fn remove_files(path: &Path) -> Result<()> {
        files(path).iter().map(|file| removal::remove(file)).fold(Ok(()), Result::and)
    }

    pub fn recipe_key(&self, recipe: &Recipe) -> RecipeKey {
        RecipeKey(self.key.name("recipe", &[&recipe.identity()]))
    }

    /// What is known of one output; one or two point look-ups.
    pub fn known(&self, recipe: &RecipeKey, output: &Output) -> Result<Known> {
        let name = self.output_name(recipe, output);
        if let Some(fact) = self.fact(&self.database(), &name)? {
            return Ok(Known::Fact(fact));
        }
        Ok(match self.run(recipe)? {
            Some(run) if !run.has(&name) => Known::Absent,
            _ => Known::Unmade,
        })
    }

    /// What a run found; None if it was never run.
    pub fn summary(&self, recipe: &RecipeKey) -> Result<Option<Summary>> {
        Ok(self.run(recipe)?.map(|run| run.summary.into_summary()))
    }

    fn run(&self, recipe: &RecipeKey) -> Result<Option<StoredRun>> {
        let sealed: Option<Vec<u8>> = self
            .database()
            .prepare_cached("SELECT sealed FROM runs WHERE recipe = ?1")
            .and_then(|mut statement| statement.query_row(params![recipe.0], |row| row.get(0)).optional())
            .map_err(failed)?;
        Ok(sealed.and_then(|sealed| self.unseal("run", &recipe.0, &sealed)))
    }

    /// A fact whose seal is whole.
    fn fact(&self, database: &Connection, name: &[u8; 32]) -> Result<Option<Fact>> {
        let row = database.prepare_cached("SELECT digest, bytes, seal FROM facts WHERE output = ?1").and_then(
            |mut statement| {
                let row =
                    |row: &rusqlite::Row<'_>| Ok(Row { digest: row.get(0)?, bytes: row.get(1)?, seal: row.get(2)? });
                statement.query_row(params![name], row).optional()
            },
        );
        match row {
            Ok(row) => Ok(row
                .filter(|row| row.seal == self.fact_seal(name, &row.digest, row.bytes))
                .map(|row| Fact { digest: Digest::from_bytes(row.digest), bytes: row.bytes.max(0) as u64 })),
            // Damage can also change a value's type or length.
            Err(rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::FromSqlConversionFailure(..)) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn fact_seal(&self, name: &[u8; 32], digest: &[u8; 32], bytes: i64) -> [u8; SEAL_BYTES] {
        let seal = self.key.name("fact", &[name, digest, &bytes.to_le_bytes()]);
        *seal.first_chunk().expect("a name has 32 bytes")
    }

    /// Remembers a finished run. A record that differs is replaced.
    pub fn record(&self, recipe: &RecipeKey, facts: &[(Output, Fact)], summary: &Summary) -> Result<Recorded> {
        let rows: Vec<_> = facts.iter().map(|(output, fact)| (self.output_name(recipe, output), fact)).collect();
        let mut outputs: Vec<_> = rows.iter().map(|(name, _)| beginning(name)).collect();
        outputs.sort_unstable();
        let before = self.run(recipe)?;
        let mut recorded = match &before {
            None => Recorded::New,
            Some(run) if run.outputs == outputs => Recorded::Same,
            Some(_) => Recorded::Different,
        };
        let sealed = self.seal("run", &recipe.0, &StoredRun { summary: StoredSummary::of(summary), outputs })?;
        let mut database = self.database();
        let transaction = database.transaction().map_err(failed)?;
        for (name, fact) in rows {
            let known = if before.is_some() { self.fact(&transaction, &name)? } else { None };
            if known.is_some_and(|known| known.digest != fact.digest) {
                recorded = Recorded::Different;
            }
            let (digest, bytes) = (fact.digest.as_bytes(), fact.bytes as i64);
            transaction
                .prepare_cached("INSERT OR REPLACE INTO facts(output, digest, bytes, seal) VALUES (?1, ?2, ?3, ?4)")
                .and_then(|mut insert| {
                    insert.execute(params![name, digest, bytes, self.fact_seal(&name, digest, bytes)])
                })
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
        Ok(sealed.and_then(|sealed| self.unseal(kind, &row, &sealed)))
    }

    /// Every sealed record of a kind, in the order in which they were first put. Errors: `Corrupt` if one is damaged.
    pub fn all<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>> {
        let kind_name = self.kind_name(kind);
        let database = self.database();
        let mut statement = database
            .prepare_cached("SELECT name, sealed FROM records WHERE kind = ?1 ORDER BY number")
            .map_err(failed)?;
        let rows = statement
            .query_map(params![kind_name], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)))
            .map_err(failed)?;
        let damaged = || Error::corrupt("a record of the ledger is damaged");
        rows.map(|row| {
            let (name, sealed) = row.map_err(failed)?;
            self.unseal(kind, &name, &sealed).ok_or_else(damaged)
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

    /// Forgets everything, to be learned again.
    pub fn begin_anew(&self) -> Result<()> {
        self.database().execute_batch("DELETE FROM facts; DELETE FROM runs; DELETE FROM records;").map_err(failed)
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

    /// None for a record that is damaged or of another key.
    fn unseal<T: DeserializeOwned>(&self, purpose: &str, name: &[u8], sealed: &[u8]) -> Option<T> {
        let plain = self.key.open_record(purpose, name, sealed);
        let value = plain.ok().and_then(|plain| serde_json::from_slice(&plain).ok());
        if value.is_none() {
            tracing::warn!("a record of the cache's ledger is damaged; it will be learned again");
        }
        value
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn prepare(database: &Connection) -> rusqlite::Result<()> {
    // One process owns the folder: a look-up need not lock the file, which would be half of its cost.
    database.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    // A commit lost in a power cut costs one decode, so no sync per commit.
    database.pragma_update(None, "synchronous", "NORMAL")?;
    let version: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version != SCHEMA_VERSION {
        database.execute_batch(
            "DROP TABLE IF EXISTS facts; DROP TABLE IF EXISTS runs; DROP TABLE IF EXISTS records;
             CREATE TABLE facts(output BLOB PRIMARY KEY, digest BLOB NOT NULL, bytes INTEGER NOT NULL,
                                seal BLOB NOT NULL) WITHOUT ROWID;
             CREATE TABLE runs(recipe BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
             CREATE TABLE records(number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, kind BLOB NOT NULL,
                                  sealed BLOB NOT NULL);
             CREATE INDEX records_by_kind ON records(kind, number);",
        )?;
        database.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    Ok(())
}

/// Finds damage to the structure while the file can still be begun anew; what rows say is under seals.
fn check(database: &Connection) -> rusqlite::Result<()> {
    let verdict: String = database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    if verdict == "ok" { Ok(()) } else { Err(rusqlite::Error::SqliteFailure(corrupt, Some(verdict))) }
}

/// Whether the file itself is at fault, and not the disk under it or who may read it.
fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    code.is_none_or(|code| matches!(code, rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase))
}

fn failed(error: rusqlite::Error) -> Error {
    let full = matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
    let kind = if full { crate::error::ErrorKind::CacheFull } else { crate::error::ErrorKind::Internal };
    Error::new(kind, "the ledger of the cache folder failed").caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_database_is_replaced_and_what_cannot_be_opened_is_kept() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let open = |name: &str| Ledger::open(&folder.path().join(name), Arc::new(DataKey::from_bytes([7; 32])));
        std::fs::write(folder.path().join("noise"), [0x5a; 8192]).expect("there is room");
        assert_eq!(open("noise").expect("begun anew").runs().expect("empty"), 0);
        std::fs::create_dir(folder.path().join("away")).expect("there is room");
        assert!(open("away").is_err() && folder.path().join("away").exists());
    }
}
