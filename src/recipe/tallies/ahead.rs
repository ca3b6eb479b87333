//! Records merged on a thread of their own, a few batches ahead of who takes them.

use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

use crate::error::{Error, Result};
use crate::recipe::tallies::merge::Merged;
use crate::recipe::tallies::record::{Record, Records};

/// Bytes of a batch, but for a record that is longer; and how many of them wait.
const BATCH_BYTES: usize = 128 << 10;
const BATCHES: usize = 4;

/// What `Merged` gives, in the same order.
pub struct Ahead {
    batches: Receiver<Result<Batch>>,
    /// Takes back the room of batches: fresh memory costs as much as the merge.
    spent: SyncSender<Batch>,
    batch: Batch,
    next: usize,
    is_over: bool,
}

/// Keys and values, one behind the other.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Where each value begins and ends; its key begins where the value before ends.
    values: Vec<Range<usize>>,
}

impl Ahead {
    /// Begins to merge. The thread ends with its records, or when the taker is gone. Errors: no thread can be started.
    pub fn start<'s>(merged: Merged, scope: &'s Scope<'s, '_>) -> Result<Self> {
        let (sender, batches) = sync_channel(BATCHES);
        let (spent, room) = sync_channel(2 * BATCHES);
        let merge = move || {
            if let Err(error) = send_all(merged, &sender, &room) {
                // Who is gone wants no error.
                let _ = sender.send(Err(error));
            }
        };
        let started = thread::Builder::new().name("merge".into()).spawn_scoped(scope, merge);
        started.map_err(|error| Error::internal("no thread can be started").caused_by(error))?;
        Ok(Ahead { batches, spent, batch: Batch::default(), next: 0, is_over: false })
    }
}

fn send_all(mut merged: Merged, sender: &SyncSender<Result<Batch>>, room: &Receiver<Batch>) -> Result<()> {
    let mut batch = Batch::default();
    while let Some((key, value)) = merged.next_bytes()? {
        batch.bytes.extend_from_slice(key);
        let start = batch.bytes.len();
        batch.bytes.extend_from_slice(value);
        batch.values.push(start..batch.bytes.len());
        if batch.bytes.len() >= BATCH_BYTES {
            let next = room.try_recv().unwrap_or_default();
            if sender.send(Ok(std::mem::replace(&mut batch, next))).is_err() {
                return Ok(());
            }
        }
    }
    // An empty one is the end.
    if !batch.values.is_empty() {
        let _ = sender.send(Ok(batch));
    }
    let _ = sender.send(Ok(Batch::default()));
    Ok(())
}

impl Records for Ahead {
    fn next(&mut self) -> Result<Option<Record<'_>>> {
        if self.next == self.batch.values.len() && !self.is_over {
            let gone = |_| Error::internal("tallies are not merged to their end");
            let mut spent = std::mem::replace(&mut self.batch, self.batches.recv().map_err(gone)??);
            spent.bytes.clear();
            spent.values.clear();
            // Who has merged all needs no room.
            let _ = self.spent.try_send(spent);
            self.is_over = self.batch.values.is_empty();
            self.next = 0;
        }
        let Some(value) = self.batch.values.get(self.next).cloned() else { return Ok(None) };
        let start = self.next.checked_sub(1).map_or(0, |before| self.batch.values[before].end);
        self.next += 1;
        Record::decode(&self.batch.bytes[start..value.start], &self.batch.bytes[value]).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read};

    use super::*;
    use crate::error::ErrorKind;
    use crate::recipe::tallies::merge::RunBytes;
    use crate::recipe::tallies::run::RunWriter;

    const RECORDS: u32 = 30_000;

    fn name(number: u32) -> String {
        format!("name{number:06}{}", "x".repeat(number as usize % 50))
    }

    fn run() -> Vec<u8> {
        let mut writer = RunWriter::new();
        for number in 0..RECORDS {
            let (mut key, mut value) = (Vec::new(), Vec::new());
            let record = Record::Video { user: "7", video: None, name: &name(number), count: number.into() };
            record.encode(&mut key, &mut value);
            writer.push(&key, &value).expect("in order");
        }
        writer.finish()
    }

    fn with<T>(run: impl Read + Send + 'static, take: impl FnOnce(Ahead) -> T) -> T {
        let merged = Merged::of_runs(vec![Box::new(run) as RunBytes]).expect("it begins well");
        thread::scope(|scope| take(Ahead::start(merged, scope).expect("a thread can be started")))
    }

    #[test]
    fn records_come_in_order_and_the_end_stays_the_end() {
        with(Cursor::new(run()), |mut records| {
            for number in 0..RECORDS {
                let expected = Record::Video { user: "7", video: None, name: &name(number), count: number.into() };
                assert_eq!(records.next().expect("a good run"), Some(expected));
            }
            assert!((0..3).all(|_| records.next().expect("a good run").is_none()));
        });
        with(io::empty(), |mut records| assert_eq!(records.next().expect("an empty run"), None));
    }

    #[test]
    fn who_leaves_early_ends_the_thread_and_damage_arrives() {
        with(Cursor::new(run()), |mut records| assert!(records.next().expect("a good run").is_some()));
        let cut = run()[..200_000].to_vec();
        with(Cursor::new(cut), |mut records| {
            let error = loop {
                match records.next() {
                    Ok(record) => assert!(record.is_some(), "it is cut"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        });
    }
}
