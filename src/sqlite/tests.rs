//! A database comes out whole, the same every time, and what fails beneath it is told as it was.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;

use crate::error::{Error, ErrorKind, Result};
use crate::sqlite::testing::{Bytes, Memory};
use crate::sqlite::{Building, Reading, SQLITE, Scratch, ScratchSpace, failed};

/// A space that counts its files.
struct Counted(AtomicUsize);

impl ScratchSpace for Counted {
    fn create(&self) -> Result<Box<dyn Scratch>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Memory { limit: u64::MAX }.create()
    }
}

fn fill(connection: &Connection, rows: u32) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN; CREATE TABLE answers (user_id TEXT, text TEXT)")?;
    let mut insert = connection.prepare("INSERT INTO answers VALUES (?1, ?2)")?;
    for row in 0..rows {
        insert.execute((format!("{}", row.wrapping_mul(2_654_435_761)), "an answer ".repeat(20)))?;
    }
    connection.execute_batch("CREATE INDEX answers_user_id ON answers (user_id)")
}

fn built(rows: u32) -> Vec<u8> {
    let building = Building::begin(Memory::space()).unwrap();
    fill(building.connection(), rows).unwrap();
    finished(building).unwrap()
}

fn finished(building: Building) -> Result<Vec<u8>> {
    let mut file = Bytes::default();
    building.into_pages(&mut file)?.finish()?;
    Ok(file.content().to_vec())
}

fn count(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("SELECT count(DISTINCT text || user_id) FROM answers", [], |row| row.get(0))
}

#[test]
fn the_version_named_in_keys_is_the_one_that_is_linked() {
    assert_eq!(SQLITE, format!("sqlite {}", rusqlite::version()));
}

#[test]
fn a_built_database_is_whole_and_the_same_every_time() {
    let file = built(20_000);
    assert!(file == built(20_000));
    assert_eq!((file[18], file[19], file.len() % 4096), (1, 1, 0));
    let reading = Reading::open(Cursor::new(file)).unwrap();
    let verdict: String = reading.connection().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!((verdict.as_str(), count(reading.connection()).unwrap()), ("ok", 20_000));
}

#[test]
fn a_database_without_a_table_is_a_database() {
    let file = finished(Building::begin(Memory::space()).unwrap()).unwrap();
    Reading::open(Cursor::new(file)).unwrap();
}

#[test]
fn what_sqlite_puts_aside_lies_in_the_space() {
    let space = Arc::new(Counted(AtomicUsize::new(0)));
    let building = Building::begin(space.clone()).unwrap();
    building.connection().execute_batch("PRAGMA cache_size = 10").unwrap();
    fill(building.connection(), 20_000).unwrap();
    building.connection().execute_batch("CREATE TEMP TABLE aside AS SELECT * FROM answers ORDER BY text").unwrap();
    assert!(space.0.load(Ordering::Relaxed) >= 3, "a sort and a temporary table need files");
}

#[test]
fn no_path_is_ever_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain.db");
    let building = Building::begin(Memory::space()).unwrap();
    assert!(building.connection().execute("ATTACH ?1 AS plain", [path.to_str().unwrap()]).is_err());
    assert!(!path.exists());
}

#[test]
fn databases_open_at_once_do_not_meet() {
    let threads: Vec<_> = (1..9).map(|n| (n, std::thread::spawn(move || built(n * 500)))).collect();
    for (n, thread) in threads {
        assert!(thread.join().unwrap() == built(n * 500));
    }
    let (one, two) = (Building::begin(Memory::space()).unwrap(), Building::begin(Memory::space()).unwrap());
    fill(one.connection(), 3000).unwrap();
    fill(two.connection(), 7000).unwrap();
    assert!(finished(two).unwrap() == built(7000) && finished(one).unwrap() == built(3000));
}

#[test]
fn a_space_that_is_full_is_told_as_such() {
    let building = Building::begin(Arc::new(Memory { limit: 500_000 })).unwrap();
    building.connection().execute_batch("PRAGMA cache_size = 10").unwrap();
    assert_eq!(failed(fill(building.connection(), 20_000).unwrap_err()).kind(), ErrorKind::CacheFull);
    drop(building);
    let building = Building::begin(Arc::new(Memory { limit: 500_000 })).unwrap();
    fill(building.connection(), 5_000).unwrap();
    assert_eq!(finished(building).unwrap_err().kind(), ErrorKind::CacheFull);
}

/// A content that is damaged from byte `from` on.
struct Torn {
    content: Cursor<Vec<u8>>,
    from: u64,
}

impl Read for Torn {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.content.position() >= self.from {
            return Err(Error::corrupt("torn").about("a blob").into());
        }
        self.content.read(buffer)
    }
}

impl Seek for Torn {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.content.seek(to)
    }
}

#[test]
fn an_error_of_the_content_comes_out_as_it_was() {
    let reading = Reading::open(Torn { content: Cursor::new(built(20_000)), from: 100_000 }).unwrap();
    assert_eq!(failed(count(reading.connection()).unwrap_err()).to_string(), "a blob: torn");
    let torn = Torn { content: Cursor::new(built(100)), from: 0 };
    assert_eq!(Reading::open(torn).map(drop).unwrap_err().to_string(), "a blob: torn");
}

#[test]
fn what_is_no_database_is_corrupt() {
    let opened = Reading::open(Cursor::new(vec![7; 10_000]));
    assert_eq!(opened.map(drop).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_reader_cannot_write() {
    let reading = Reading::open(Cursor::new(built(10))).unwrap();
    reading.connection().execute_batch("DELETE FROM answers").unwrap_err();
}
