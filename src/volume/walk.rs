//! Walks that a command does over a tree: what to index, and how far along it is.

use std::collections::HashSet;
use std::sync::Arc;

use crate::control::Progress;
use crate::control::status::{Running, Status};
use crate::engine::wait::Wait;
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::{Artifact, Recipe};
use crate::tree::{Body, Node};
use crate::volume::Volume;
use crate::volume::organisation::Organisation;

/// What an index walk came to.
#[derive(Debug, Default)]
pub struct Indexed {
    pub done: u64,
    /// Label and error of what could not be made.
    pub failed: Vec<(String, Error)>,
}

impl Indexed {
    fn add(&mut self, more: Indexed) {
        self.done += more.done;
        self.failed.extend(more.failed);
    }
}

impl Volume {
    /// Learns the sizes of everything under `paths` (all: event days with their
    /// folds, and newest snapshots, if none are given) and
    /// keeps contents where the cache has room. Errors: `NotFound` for a path; `Interrupted` by `wait`.
    pub fn index(&self, paths: &[String], progress: &dyn Fn(Progress), wait: Wait<'_>) -> Result<Indexed> {
        let mut todo: Vec<(Arc<Organisation>, Artifact)> = Vec::new();
        for path in paths {
            self.collect(path.trim_matches('/'), wait, &mut todo)?;
        }
        if paths.is_empty() {
            for (_, organisation) in &self.organisations {
                todo.extend(organisation.worth_indexing().into_iter().map(|artifact| (organisation.clone(), artifact)));
            }
        }
        let mut seen = HashSet::new();
        todo.retain(|(_, artifact)| seen.insert(once_for(artifact)));
        let mut indexed = work_off(&todo, progress, wait)?;
        if paths.is_empty() {
            // Only now it is known which days hold something of a course.
            let mut folds = Vec::new();
            for (_, organisation) in &self.organisations {
                folds.extend(organisation.folds().into_iter().map(|fold| (organisation.clone(), fold)));
            }
            indexed.add(work_off(&folds, progress, wait)?);
        }
        Ok(indexed)
    }

    fn collect(&self, path: &str, wait: Wait<'_>, todo: &mut Vec<(Arc<Organisation>, Artifact)>) -> Result<()> {
        match self.lookup(path, wait).map_err(|error| error.about(path))? {
            Node::File { body: Body::Artifact(artifact), .. } => {
                todo.push((self.maker(&artifact)?.clone(), artifact));
            }
            Node::File { .. } => {}
            Node::Dir { .. } => {
                for entry in self.list(path, wait).map_err(|error| error.about(path))?.iter() {
                    let separator = if path.is_empty() { "" } else { "/" };
                    self.collect(&format!("{path}{separator}{}", entry.name), wait, todo)?;
                }
            }
        }
        Ok(())
    }
}

/// All of a day's files come from one pass: one of them stands for all.
fn once_for(artifact: &Artifact) -> Vec<u8> {
    match &artifact.recipe {
        recipe @ (Recipe::Day { .. } | Recipe::Unpacked { .. }) => recipe.identity(),
        _ => artifact.identity(),
    }
}

fn work_off(todo: &[(Arc<Organisation>, Artifact)], progress: &dyn Fn(Progress), wait: Wait<'_>) -> Result<Indexed> {
    let bytes = |artifact: &Artifact| artifact.recipe.input().map_or(0, |part| part.encoded_bytes());
    let total_bytes = todo.iter().map(|(_, artifact)| bytes(artifact)).sum();
    let mut now = Progress { total_objects: todo.len() as u64, total_bytes, ..Progress::default() };
    let mut indexed = Indexed::default();
    for (organisation, artifact) in todo {
        progress(now);
        if let Wait::Until(gone) = wait
            && gone()
        {
            return Err(Error::new(ErrorKind::Interrupted, "interrupted; what is done stays done"));
        }
        match organisation.fill(artifact, wait) {
            Ok(()) => indexed.done += 1,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => indexed.failed.push((artifact.recipe.label(), error)),
        }
        now.done_objects += 1;
        now.done_bytes += bytes(artifact);
    }
    progress(now);
    Ok(indexed)
}

impl Volume {
    /// The state of all organisations together; the command adds where it is mounted.
    pub fn status(&self) -> Status {
        let mut status = Status { pid: std::process::id(), ..Status::default() };
        for (name, organisation) in &self.organisations {
            organisation.add_to(name, &mut status);
        }
        status
    }
}

impl Organisation {
    fn add_to(&self, name: &str, status: &mut Status) {
        let traffic = self.records.source.traffic();
        let catalog = self.records.catalog();
        status.orgs.push(name.to_owned());
        status.cache_bytes += self.store.used_bytes();
        status.cache_limit_bytes += self.store.limit_bytes();
        status.fetched_bytes += traffic.fetched_bytes;
        status.fetched_objects += traffic.fetched_objects;
        status.decoded_objects += self.engine.decoded_objects();
        let worth = self.worth_indexing();
        status.known_objects += worth.len() as u64;
        status.indexed_objects += worth.iter().filter(|artifact| self.engine.known(artifact).is_some()).count() as u64;
        status.problems += self.problem_count();
        status.ignored_keys += catalog.unknown_keys();
        status.last_refresh = status.last_refresh.max(self.records.last_refresh());
        status.refresh_error = status.refresh_error.take().or(self.records.refresh_error());
        status.running.extend(self.engine.running().into_iter().map(|run| Running {
            object: run.label,
            // An entry's header is read with it.
            done_bytes: run.done_bytes.min(run.total_bytes),
            total_bytes: run.total_bytes,
        }));
    }
}
