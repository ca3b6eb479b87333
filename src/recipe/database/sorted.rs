//! The entries of an index, sorted in bounded memory: what is too much waits in sealed scratch space, in sorted runs.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::recipe::make::Inputs;
use crate::recipe::tallies::merge::{Merged, RunBytes};
use crate::recipe::tallies::run::{RECORD_LIMIT, RunWriter};
use crate::sqlite::Scratch;

/// Bytes of entries that are sorted at once.
const MOST_BYTES: usize = 16 << 20;
const ROWID_BYTES: usize = 8;

/// Takes a key and its rowid.
pub type TakeKey<'t> = dyn FnMut(Option<&[u8]>, i64) -> Result<()> + 't;

/// Keys with their rowids, in the order in which SQLite compares them: NULL, then texts by their bytes, then rowids.
///
/// An entry is a tag (0: NULL, 1: a text), the text and a NUL, which no text holds, and the rowid, highest byte first. Rows
/// of one key that follow each other are one entry, that of the first, and their number.
#[derive(Default)]
pub struct SortedKeys {
    entries: Vec<u8>,
    /// Where each entry ends, and of how many rows it is.
    ends: Vec<(u32, u32)>,
    last_rowid: i64,
    runs: Vec<SpilledRun>,
    scratch: Option<Arc<Mutex<Box<dyn Scratch>>>>,
}

struct SpilledRun {
    offset: u64,
    end: u64,
}

impl SortedKeys {
    /// Errors: `Unsupported` for a key of over 100 MiB; those of scratch space.
    pub fn push(&mut self, key: Option<&[u8]>, rowid: i64, inputs: &dyn Inputs) -> Result<()> {
        if key.is_some_and(|text| text.len() as u64 > RECORD_LIMIT / 2) {
            return Err(Error::unsupported("an indexed cell is longer than 100 MiB"));
        }
        let follows = rowid == self.last_rowid + 1;
        self.last_rowid = rowid;
        let (start, last) = (self.start(self.ends.len().saturating_sub(1)), self.ends.last_mut());
        if let Some((end, rows)) = last
            && follows
            && parse(&self.entries[start..*end as usize]).is_some_and(|(last, _)| last == key)
        {
            *rows += 1;
            return Ok(());
        }
        match key {
            None => self.entries.push(0),
            Some(text) => {
                self.entries.push(1);
                self.entries.extend_from_slice(text);
                self.entries.push(0);
            }
        }
        self.entries.extend_from_slice(&rowid.to_be_bytes());
        // Entries are far shorter than 4 GiB: a record has 256 MiB at most.
        self.ends.push((self.entries.len() as u32, 1));
        if self.entries.len() >= MOST_BYTES { self.spill(inputs) } else { Ok(()) }
    }

    fn spill(&mut self, inputs: &dyn Inputs) -> Result<()> {
        let mut run = RunWriter::new();
        self.each_sorted(&mut |entry, rows| run.push(entry, &rows.to_be_bytes()))?;
        let bytes = run.finish();
        let scratch = match &self.scratch {
            Some(scratch) => scratch,
            None => self.scratch.insert(Arc::new(Mutex::new(inputs.scratch().create()?))),
        };
        let offset = self.runs.last().map_or(0, |run| run.end);
        scratch.lock().unwrap_or_else(PoisonError::into_inner).write_at(&bytes, offset)?;
        self.runs.push(SpilledRun { offset, end: offset + bytes.len() as u64 });
        self.entries.clear();
        self.ends.clear();
        Ok(())
    }

    /// Hands out every key and rowid in order.
    pub fn each(mut self, take: &mut TakeKey<'_>) -> Result<()> {
        let mut entry = |entry: &[u8], rows: u32| {
            let (key, first) = parse(entry).ok_or_else(|| Error::internal("an index entry is too short"))?;
            (first..first + i64::from(rows)).try_for_each(|rowid| take(key, rowid))
        };
        let Some(scratch) = self.scratch.take() else { return self.each_sorted(&mut entry) };
        let spilled = self
            .runs
            .iter()
            .map(|run| Box::new(Range { file: scratch.clone(), offset: run.offset, end: run.end }) as RunBytes);
        let mut last = RunWriter::new();
        self.each_sorted(&mut |entry, rows| last.push(entry, &rows.to_be_bytes()))?;
        let last = Box::new(io::Cursor::new(last.finish())) as RunBytes;
        let mut merged = Merged::of_runs(spilled.chain([last]).collect())?;
        while let Some((key, rows)) = merged.next_bytes()? {
            let rows = rows.try_into().map_err(|_| Error::internal("an index entry has no number of rows"))?;
            entry(key, u32::from_be_bytes(rows))?;
        }
        Ok(())
    }

    fn start(&self, number: usize) -> usize {
        number.checked_sub(1).map_or(0, |before| self.ends[before].0 as usize)
    }

    fn each_sorted(&self, take: &mut dyn FnMut(&[u8], u32) -> Result<()>) -> Result<()> {
        let entry = |number: u32| &self.entries[self.start(number as usize)..self.ends[number as usize].0 as usize];
        let mut order: Vec<(u64, u32)> =
            (0..self.ends.len() as u32).map(|number| (head(entry(number)), number)).collect();
        order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| entry(a.1).cmp(entry(b.1))));
        order.into_iter().try_for_each(|(_, number)| take(entry(number), self.ends[number as usize].1))
    }
}

/// The first bytes as a number that compares as they do.
fn head(entry: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = entry.len().min(8);
    bytes[..length].copy_from_slice(&entry[..length]);
    u64::from_be_bytes(bytes)
}

fn parse(entry: &[u8]) -> Option<(Option<&[u8]>, i64)> {
    let (rest, rowid) = entry.split_last_chunk::<ROWID_BYTES>()?;
    let key = match rest {
        [0] => None,
        [1, text @ .., 0] => Some(text),
        _ => return None,
    };
    Some((key, i64::from_be_bytes(*rowid)))
}

/// A run in the scratch file.
struct Range {
    file: Arc<Mutex<Box<dyn Scratch>>>,
    offset: u64,
    end: u64,
}

impl Read for Range {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min((self.end - self.offset) as usize);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = file.read_at(&mut buffer[..wanted], self.offset)?;
        self.offset += bytes as u64;
        Ok(bytes)
    }
}
