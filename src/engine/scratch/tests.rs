//! Databases built in the cache folder: sealed throughout, within the limit, and gone without a trace.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::error::ErrorKind;
use crate::sqlite::pages::Pages;
use crate::sqlite::testing::Bytes;
use crate::sqlite::{Building, Reading, failed};
use crate::store::seal::DataKey;

const MARKER: &str = "MARKER-OF-A-LEARNER";

fn store(folder: &Path, limit: u64) -> Store {
    Store::open(folder, &DataKey::from_bytes([1; 32]), limit).unwrap()
}

fn begin(store: &Store) -> Building {
    let building = Building::begin(Arc::new(Space { store: store.clone(), moved: Arc::default() })).unwrap();
    // So that everything has to be put aside.
    building.connection().execute_batch("PRAGMA main.cache_size = 10; PRAGMA temp.cache_size = 10").unwrap();
    building
}

fn fill(building: &Building, rows: u32) -> Result<()> {
    let work = || {
        let connection = building.connection();
        connection.execute_batch("BEGIN; CREATE TABLE answers (user_id TEXT, text TEXT)")?;
        let mut insert = connection.prepare("INSERT INTO answers VALUES (?1, ?2)")?;
        for row in 0..rows {
            let number = row.wrapping_mul(2_654_435_761);
            insert.execute((format!("{MARKER} {number}"), MARKER.repeat(5)))?;
        }
        connection.execute_batch(
            "CREATE INDEX answers_user_id ON answers (user_id);
             CREATE TEMP TABLE aside AS SELECT DISTINCT user_id FROM answers ORDER BY text, user_id DESC;",
        )
    };
    work().map_err(failed)
}

fn finished(building: Building) -> Vec<u8> {
    let mut file = Bytes::default();
    building.into_pages(&mut file).unwrap().finish().unwrap();
    file.content().to_vec()
}

/// Every file that this process has open below `folder`, and every one that has a name there.
fn files_below(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let open = entries(Path::new("/proc/self/fd"));
    let mut found: BTreeSet<_> =
        open.filter(|path| fs::read_link(path).is_ok_and(|target| target.starts_with(folder))).collect();
    for part in entries(folder) {
        found.extend(entries(&part).filter(|path| path.is_file()));
    }
    found
}

#[test]
fn a_database_is_whole_and_the_same_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1 << 30);
    let [one, two] = [(), ()].map(|()| {
        let building = begin(&store);
        fill(&building, 30_000).unwrap();
        finished(building)
    });
    assert!(one == two);
    let reading = Reading::open(Cursor::new(one)).unwrap();
    let verdict: String = reading.connection().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    assert_eq!((store.used_bytes(), files_below(folder.path()).len()), (0, 0));
}

#[test]
fn neither_the_database_nor_what_sqlite_puts_aside_is_plain_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1 << 30);
    let building = begin(&store);
    fill(&building, 30_000).unwrap();
    // A sort that is under way.
    let sql = "SELECT user_id FROM answers ORDER BY text, user_id DESC";
    let mut statement = building.connection().prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    rows.next().unwrap();
    let files = files_below(folder.path());
    assert!(files.len() >= 3, "database, temporary table and sort: {files:?}");
    let mut large = 0;
    for path in files {
        let mut bytes = Vec::new();
        fs::File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
        assert!(memchr::memmem::find(&bytes, MARKER.as_bytes()).is_none(), "{}", path.display());
        large += usize::from(bytes.len() > 1_000_000);
    }
    assert!(large >= 3);
    drop(rows);
    drop(statement);
    drop(building);
    assert_eq!((store.used_bytes(), files_below(folder.path()).len()), (0, 0));
}

#[test]
fn a_limit_that_is_too_small_is_a_full_cache_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 2 << 20);
    let building = begin(&store);
    let error = fill(&building, 30_000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CacheFull);
    assert!(error.to_string().contains("--cache-size"), "{error}");
    drop(building);
    assert_eq!((store.used_bytes(), files_below(folder.path()).len()), (0, 0));
}

#[test]
fn damage_beneath_a_database_is_no_fault_of_its_inputs() {
    use std::os::unix::fs::FileExt;
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1 << 30);
    let building = begin(&store);
    fill(&building, 30_000).unwrap();
    for path in files_below(folder.path()) {
        let file = fs::File::options().write(true).open(path).unwrap();
        let bytes = file.metadata().unwrap().len();
        for offset in (0..bytes).step_by(100_000) {
            file.write_all_at(b"damage", offset).unwrap();
        }
    }
    let sum = building.connection().query_row("SELECT sum(length(text)) FROM answers", [], |_| Ok(()));
    assert_eq!(failed(sum.unwrap_err()).kind(), ErrorKind::Internal);
    let taken = building.into_pages(&mut Bytes::default()).and_then(Pages::finish);
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::Internal);
}
