//! What there is to do: the listings, held against the folder and its record. Fetches nothing.

use std::collections::btree_map::{BTreeMap, Entry as Slot};
use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::record::{Entry, Record, Stamp};
use super::{Origin, disk, part};
use crate::error::{Error, ErrorKind, Result};
use crate::source::{Availability, ObjectKey, ObjectMeta, Source};

/// One object to fetch.
#[derive(Clone)]
pub struct Job {
    pub source: Arc<dyn Source>,
    pub object: ObjectMeta,
    /// Its key in the mirror.
    pub key: ObjectKey,
}

#[derive(Default)]
pub struct Plan {
    /// Newest first: what a sync that is stopped early has got is what is wanted most.
    pub jobs: Vec<Job>,
    /// Objects whose file is there already.
    pub current_objects: u64,
    /// Objects that cannot be in the mirror, or not now, under the keys that their sources give them.
    pub failed: Vec<(ObjectKey, Error)>,
}

impl Plan {
    /// Lists the origins. Files without a line in the record that are an object's all the same get one.
    ///
    /// Errors: those of the listings; local I/O.
    pub fn make(mirror: &Path, record: &mut Record, origins: &[Origin]) -> Result<Plan> {
        let mut plan = Plan::default();
        let placed = plan.place(origins)?;
        for job in placed.values() {
            match state(mirror, record, job) {
                Ok(State::Current) => plan.current_objects += 1,
                Ok(State::Adopted(entry)) => {
                    record.put(&job.key, entry)?;
                    plan.current_objects += 1;
                }
                Ok(State::Wanted) => plan.jobs.push(job.clone()),
                Err(error) => plan.failed.push((job.object.id.key.clone(), error)),
            }
        }
        part::sweep(mirror, placed.keys(), plan.jobs.iter().map(|job| (&job.key, &job.object.id.etag)));
        plan.jobs.sort_by(|a, b| (b.object.modified, &a.key).cmp(&(a.object.modified, &b.key)));
        let (ready, archived) = plan.jobs.into_iter().partition(is_ready);
        plan.jobs = ready;
        plan.failed.extend(archived.into_iter().map(|job| (job.object.id.key, archived_error())));
        Ok(plan)
    }

    /// Leaves of the plan what is about these objects.
    pub fn only(mut self, objects: &HashSet<ObjectKey>) -> Plan {
        self.jobs.retain(|job| objects.contains(&job.object.id.key));
        self.failed.retain(|(key, _)| objects.contains(key));
        self
    }

    /// Every object under its key in the mirror.
    fn place(&mut self, origins: &[Origin]) -> Result<BTreeMap<ObjectKey, Job>> {
        let mut placed = BTreeMap::new();
        for origin in origins {
            for object in origin.source.list()? {
                let source_key = object.id.key.clone();
                let taken = match origin.layout.place(&source_key) {
                    None => continue,
                    Some(Err(error)) => Err(error),
                    Some(Ok(key)) => match placed.entry(key.clone()) {
                        Slot::Vacant(slot) => {
                            slot.insert(Job { source: origin.source.clone(), object, key });
                            Ok(())
                        }
                        Slot::Occupied(_) => Err(Error::unsupported(format!("another object is {key} in the mirror"))),
                    },
                };
                self.failed.extend(taken.err().map(|error| (source_key, error)));
            }
        }
        for key in files_that_are_folders(&placed) {
            let error = Error::unsupported("cannot be a file of the mirror: other keys lie below it as in a folder");
            let job = placed.remove(&key).expect("it was just found there");
            self.failed.push((job.object.id.key, error.advise("copy it under another key")));
        }
        Ok(placed)
    }
}

fn files_that_are_folders(placed: &BTreeMap<ObjectKey, Job>) -> Vec<ObjectKey> {
    let mut folders = BTreeSet::new();
    for key in placed.keys() {
        folders.extend(key.as_str().match_indices('/').map(|(at, _)| &key.as_str()[..at]));
    }
    placed.keys().filter(|key| folders.contains(key.as_str())).cloned().collect()
}

enum State {
    Current,
    /// Has the object's length and time, though the record does not know it: an `aws s3 sync`, or a lost line.
    Adopted(Entry),
    Wanted,
}

fn state(mirror: &Path, record: &Record, job: &Job) -> Result<State> {
    let path = mirror.join(job.key.as_str());
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Wanted),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(disk::in_the_way(&path)),
        Err(error) => return Err(disk::local(error, &path)),
    };
    if !metadata.is_file() {
        return Err(disk::in_the_way(&path));
    }
    let (object, stamp) = (&job.object, Stamp::of(&metadata));
    Ok(match record.get(&job.key) {
        Some(entry) if entry.stamp == stamp => match entry.etag == object.id.etag && stamp.bytes == object.id.bytes {
            true => State::Current,
            false => State::Wanted,
        },
        // Whole seconds: `aws s3 sync` and some disks keep no more.
        _ if stamp.bytes == object.id.bytes && stamp.modified.as_second() == object.modified.as_second() => {
            State::Adopted(Entry { etag: object.id.etag.clone(), stamp })
        }
        _ => State::Wanted,
    })
}

fn is_ready(job: &Job) -> bool {
    job.object.availability == Availability::Ready
}

fn archived_error() -> Error {
    Error::new(ErrorKind::Archived, "lies in an archived storage class")
        .advise("restore it first (aws s3api restore-object), then run it again")
}
