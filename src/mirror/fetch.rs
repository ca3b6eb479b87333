//! Several objects at a time: each is fetched into its part, which gets the object's name once it is whole.
//!
//! The threads only tell what happens; the record is kept by whoever listens. They are not waited for when a sync
//! ends early, since a stalled source may hold them for long: all that they do can be broken off at any point.

use std::collections::VecDeque;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::part::Part;
use super::plan::Job;
use super::record::{Entry, Stamp};
use super::{Ground, backup, disk};
use crate::error::{Error, ErrorKind, Result};

/// Objects fetched at a time: days are small, and each costs a round trip.
pub const THREADS: usize = 8;
const BLOCK_BYTES: usize = 256 << 10;

pub enum Event {
    /// An object's first so many bytes are there from an earlier time.
    Kept(u64),
    Fetched(u64),
    Ended(Job, Result<Entry>),
}

/// Threads at work on jobs; told to stop when dropped.
pub struct Crew {
    work: Arc<Work>,
    events: Receiver<Event>,
}

struct Work {
    ground: Arc<Ground>,
    jobs: Mutex<VecDeque<Job>>,
    stopped: AtomicBool,
}

impl Crew {
    /// Errors: `Internal` if no thread can be started.
    pub fn start(ground: &Arc<Ground>, jobs: Vec<Job>) -> Result<Crew> {
        let (sender, events) = mpsc::channel();
        let threads = jobs.len().min(THREADS);
        let work = Work { ground: ground.clone(), jobs: Mutex::new(jobs.into()), stopped: AtomicBool::new(false) };
        let work = Arc::new(work);
        for number in 0..threads {
            let (work, sender) = (work.clone(), sender.clone());
            let started = thread::Builder::new().name(format!("fetch-{number}")).spawn(move || work.run(&sender));
            started.map_err(|error| Error::internal("cannot start a thread").caused_by(error))?;
        }
        Ok(Crew { work, events })
    }

    /// The next event; None if there is none within `patience`. Errors: `Internal` if the threads are gone.
    pub fn next(&self, patience: Duration) -> Result<Option<Event>> {
        match self.events.recv_timeout(patience) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Error::internal("a thread that fetches has broken off")),
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.work.stopped.store(true, Ordering::Relaxed);
    }
}

impl Work {
    fn run(&self, events: &Sender<Event>) {
        while let Some(job) = self.next_job() {
            let fetched = self.fetch(&job, events);
            if events.send(Event::Ended(job, fetched)).is_err() {
                return;
            }
        }
    }

    fn next_job(&self) -> Option<Job> {
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn fetch(&self, job: &Job, events: &Sender<Event>) -> Result<Entry> {
        let target = self.ground.dir.join(job.key.as_str());
        let id = &job.object.id;
        let mut part = Part::open(&target, id)?;
        // Nobody listens any more: then `stopped` is set as well.
        let _ = events.send(Event::Kept(part.bytes()));
        if part.bytes() < id.bytes {
            let mut reader = job.source.open(id, part.bytes()..id.bytes)?;
            self.copy(&mut reader, &mut part, events)?;
        }
        if part.bytes() != id.bytes {
            return Err(Error::corrupt(format!("has {} bytes, not the {} listed", part.bytes(), id.bytes)));
        }
        let part = part.finish(job.object.modified)?;
        self.publish(&part, &target, job)
    }

    fn copy(&self, from: &mut dyn Read, to: &mut Part, events: &Sender<Event>) -> Result<()> {
        let mut block = vec![0; BLOCK_BYTES];
        while !self.stopped.load(Ordering::Relaxed) {
            let bytes = from.read(&mut block)?;
            if bytes == 0 {
                return Ok(());
            }
            to.append(&block[..bytes])?;
            let _ = events.send(Event::Fetched(bytes as u64));
        }
        Err(Error::new(ErrorKind::Interrupted, "stopped"))
    }

    fn publish(&self, part: &PathBuf, target: &Path, job: &Job) -> Result<Entry> {
        if let Some(backups) = &self.ground.backups {
            backup::keep(target, &job.key, backups)?;
        }
        let named = || {
            fs::rename(part, target)?;
            disk::sync_parent(target)?;
            fs::metadata(target)
        };
        let metadata = named().map_err(|error| disk::local(error, target))?;
        // As the disk keeps it: not every one keeps a time to the nanosecond.
        Ok(Entry { etag: job.object.id.etag.clone(), stamp: Stamp::of(&metadata) })
    }
}
