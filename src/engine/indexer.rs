//! Which recipe to measure next, in the background; no sizes of its own.
//!
//! One thread of idle priority works off two queues: what somebody has looked at, then what was planned (the caller
//! plans newest first). When all is done and days were among it, the caller is asked what follows from them. A recipe that
//! failed is not tried again until it is planned anew under another identity, unless the source or the disk kept it from
//! ending: then it waits until the caller says that the source answers again.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::engine::Engine;
use crate::engine::wait::Wait;
use crate::error::ErrorKind;
use crate::recipe::Recipe;

/// Works until it is dropped.
pub struct Indexer {
    shared: Arc<Shared>,
}

struct Shared {
    queues: Mutex<Queues>,
    changed: Condvar,
    stop: AtomicBool,
}

#[derive(Default)]
struct Queues {
    urged: VecDeque<Recipe>,
    planned: VecDeque<Recipe>,
    /// Identities of everything that is queued or was tried.
    seen: HashSet<[u8; 32]>,
    urgent: HashSet<[u8; 32]>,
    /// What failed for a reason that may pass.
    deferred: Vec<Recipe>,
    /// A day was tallied since it was asked what follows.
    is_wiser: bool,
}

/// What can be made of days once they are tallied.
pub type WhatFollows = Box<dyn Fn() -> Vec<Recipe> + Send>;

impl Indexer {
    pub fn start(engine: Engine, what_follows: WhatFollows) -> Self {
        let shared = Arc::new(Shared {
            queues: Mutex::new(Queues::default()),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let worker = shared.clone();
        let started = thread::Builder::new().name("indexer".into()).spawn(move || {
            yield_to_everybody();
            while let Some(recipe) = worker.next(&what_follows) {
                let stop = || worker.stop.load(Ordering::Relaxed);
                if let Err(error) = engine.index(&recipe, Wait::Until(&stop)) {
                    tracing::debug!(recipe = recipe.label(), %error, "not indexed");
                    if may_pass(error.kind()) {
                        worker.queues().deferred.push(recipe);
                    }
                }
            }
        });
        if let Err(error) = started {
            tracing::warn!(%error, "no background indexer: its thread cannot be started");
        }
        Indexer { shared }
    }

    /// Adds recipes behind everything queued; those queued or tried before are passed over.
    pub fn plan(&self, recipes: impl IntoIterator<Item = Recipe>) {
        self.shared.queues().plan(recipes);
        self.shared.changed.notify_one();
    }

    /// Tries again what failed for a reason that may have passed.
    pub fn resume(&self) {
        let mut queues = self.shared.queues();
        let deferred = std::mem::take(&mut queues.deferred);
        queues.planned.extend(deferred);
        self.shared.changed.notify_one();
    }

    /// Puts recipes first, in their order: somebody is looking at them.
    pub fn urge(&self, recipes: Vec<Recipe>) {
        let mut queues = self.shared.queues();
        for recipe in recipes.into_iter().rev() {
            let identity = identity(&recipe);
            if queues.urgent.insert(identity) {
                queues.seen.insert(identity);
                queues.urged.push_front(recipe);
            }
        }
        self.shared.changed.notify_one();
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        // A run under way is not waited for: nothing of it is visible before its end.
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do; None when there is nothing more, ever.
    fn next(&self, what_follows: &WhatFollows) -> Option<Recipe> {
        let mut queues = self.queues();
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(recipe) = queues.take() {
                return Some(recipe);
            }
            if std::mem::take(&mut queues.is_wiser) {
                drop(queues);
                let recipes = what_follows();
                queues = self.queues();
                queues.plan(recipes);
            } else {
                queues = self.changed.wait(queues).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Queues {
    fn plan(&mut self, recipes: impl IntoIterator<Item = Recipe>) {
        for recipe in recipes {
            if self.seen.insert(identity(&recipe)) {
                self.planned.push_back(recipe);
            }
        }
    }

    fn take(&mut self) -> Option<Recipe> {
        let recipe = self.urged.pop_front().or_else(|| self.planned.pop_front())?;
        self.is_wiser |= matches!(recipe, Recipe::Tallies { .. });
        Some(recipe)
    }
}

/// Whether the same recipe may end well another time.
fn may_pass(kind: ErrorKind) -> bool {
    kind.is_away() || matches!(kind, ErrorKind::Refused | ErrorKind::NoCredentials | ErrorKind::CacheFull)
}

fn identity(recipe: &Recipe) -> [u8; 32] {
    *blake3::hash(&recipe.identity()).as_bytes()
}

/// Gives this thread, and those it starts, only time that nobody else wants.
fn yield_to_everybody() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is valid for the call; thread id 0 is the calling thread.
    let failed = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &parameters) } != 0;
    if failed {
        tracing::debug!("the background indexer runs at ordinary priority");
    }
}
