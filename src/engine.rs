//! known, size, open, index on a bounded pool; no paths, no kernel.
//!
//! A recipe runs in a thread of its own once a slot is free; everybody who wants any of its outputs waits on that
//! one flight. A caller that gives up leaves the flight to the others. Inputs that are themselves artifacts are
//! obtained on the run's own thread (recipes form a DAG, and a queued flight can be claimed, so none waits in a ring).

mod flight;
pub mod indexer;
mod input;
pub mod ledger;
pub mod outputs;
mod run;
pub mod scratch;
pub mod size;
pub mod wait;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::decode::openpgp::SecretKeys;
use crate::engine::flight::{Flight, Flights};
use crate::engine::input::Encoded;
use crate::engine::ledger::{Known, Ledger, RecipeKey};
use crate::engine::outputs::Fact;
use crate::engine::run::{Purpose, Run};
use crate::engine::size::{Size, stand_in};
use crate::engine::wait::Wait;
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::make::Summary;
use crate::recipe::tallies::TallyParams;
use crate::recipe::{Artifact, Output, Recipe};
use crate::source::Source;
use crate::store::Store;
use crate::store::blob::Blob;

/// Runs that one open waits for: of the indexer's, which may keep nothing; its own; more where others evict it at once.
const MOST_RUNS: usize = 5;

/// Plain bytes beyond which opening a blob takes more than a few milliseconds.
const LARGE_BYTES: u64 = 256 << 20;

/// Told of each run that ends, before its waiters are.
pub trait Observer: Send + Sync {
    /// A run has ended well; an error here fails the run, so that nothing it found is lost.
    fn made(&self, recipe: &Recipe, summary: &Summary) -> Result<()>;
    /// A run has failed.
    fn failed(&self, recipe: &Recipe, error: &Error);
}

/// What an engine works with.
pub struct Parts {
    pub source: Arc<dyn Source>,
    pub keys: SecretKeys,
    pub store: Store,
    pub ledger: Arc<Ledger>,
    pub observer: Arc<dyn Observer>,
    /// How long a wait without progress may last.
    pub patience: Duration,
    /// Encoded bytes a second for runs that nobody waits for.
    pub background_rate: Option<u64>,
    /// How a day's pass tallies it as well; None: it does not.
    pub tallies: Option<Arc<TallyParams>>,
}

/// Makes artifacts, each once, and remembers what it learned. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    encoded: Encoded,
    store: Store,
    ledger: Arc<Ledger>,
    observer: Arc<dyn Observer>,
    patience: Duration,
    flights: Flights<RecipeKey, Arc<Run>>,
    slots: Slots,
    tallies: Option<Arc<TallyParams>>,
    decoded_objects: AtomicU64,
    runs: AtomicU64,
}

/// A run under way, for `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    pub label: String,
    pub done_bytes: u64,
    pub total_bytes: u64,
    pub waiting: usize,
}

impl Engine {
    pub fn new(parts: Parts) -> Self {
        let encoded = Encoded {
            source: parts.source,
            keys: parts.keys,
            moved: Arc::new(AtomicU64::new(0)),
            background_rate: parts.background_rate,
        };
        let shared = Shared {
            encoded,
            store: parts.store,
            ledger: parts.ledger,
            observer: parts.observer,
            patience: parts.patience,
            flights: Flights::default(),
            // More than cores: some wait for the source.
            slots: Slots::new(2 * thread::available_parallelism().map_or(2, |n| n.get().max(2))),
            tallies: parts.tallies,
            decoded_objects: AtomicU64::new(0),
            runs: AtomicU64::new(0),
        };
        Engine { shared: Arc::new(shared) }
    }

    /// Plain bytes, from the ledger alone: never decodes, never waits. An output that a finished run lacks has 0.
    pub fn known(&self, artifact: &Artifact) -> Option<u64> {
        let key = self.shared.ledger.recipe_key(&artifact.recipe);
        match self.shared.ledger.known(&key, &artifact.output) {
            Ok(Known::Fact(fact)) => Some(fact.bytes),
            Ok(Known::Absent) => Some(0),
            Ok(Known::Unmade) => None,
            Err(error) => {
                tracing::error!(%error, "a size cannot be looked up");
                None
            }
        }
    }

    /// Exact where known, else a stand-in.
    pub fn size(&self, artifact: &Artifact) -> Size {
        self.known(artifact).map_or_else(|| stand_in(artifact), Size::Exact)
    }

    /// What a finished run found; None if it was never run.
    pub fn summary(&self, recipe: &Recipe) -> Option<Summary> {
        self.shared.ledger.summary(&self.shared.ledger.recipe_key(recipe)).unwrap_or_else(|error| {
            tracing::error!(%error, "a run's record cannot be read");
            None
        })
    }

    /// True if `open` would answer at once.
    pub fn is_cached(&self, artifact: &Artifact) -> bool {
        self.shared.is_cached(&self.shared.ledger.recipe_key(&artifact.recipe), &artifact.output)
    }

    /// The content, complete and verified. Errors: the run's; `WouldWait`, `Interrupted`, `TimedOut` by `wait`.
    pub fn open(&self, artifact: &Artifact, wait: Wait<'_>) -> Result<Blob> {
        let key = self.shared.ledger.recipe_key(&artifact.recipe);
        if matches!(wait, Wait::Never) {
            let blob = self.shared.at_hand_if(&key, &artifact.output, |fact| self.shared.opens_at_once(fact))?;
            return blob.ok_or_else(|| Error::new(ErrorKind::WouldWait, "is not in the cache, or has to be checked"));
        }
        for _ in 0..MOST_RUNS {
            if let Some(blob) = self.shared.at_hand(&key, &artifact.output)? {
                return Ok(blob);
            }
            let flight = self.fly(&key, artifact);
            let run = flight.wait(wait, self.shared.patience, &self.shared.encoded.moved)?;
            if let Some(blob) = run.blob(&artifact.output) {
                return Ok(blob);
            }
        }
        let error = Error::new(ErrorKind::CacheFull, "leaves the cache before it can be opened");
        Err(error.about(artifact.recipe.label()).advise("give the cache more with --cache-size"))
    }

    /// Runs a recipe for what it can tell, keeping its blobs only where the cache has free room.
    pub fn index(&self, recipe: &Recipe, wait: Wait<'_>) -> Result<Arc<Summary>> {
        let key = self.shared.ledger.recipe_key(recipe);
        let done = || self.shared.ledger.summary(&key);
        match done()? {
            Some(summary) => Ok(Arc::new(summary)),
            None => self.run_unless(&done, recipe, &key, wait),
        }
    }

    /// As `index`, and makes again what has left the cache, if there is room for it.
    pub fn fill(&self, artifact: &Artifact, wait: Wait<'_>) -> Result<()> {
        let room = stand_in(artifact).bytes() / 16;
        let key = self.shared.ledger.recipe_key(&artifact.recipe);
        let done = || {
            let known = self.known(artifact).is_some();
            let filled = known && (self.is_cached(artifact) || !self.shared.store.has_room(room));
            if filled { self.shared.ledger.summary(&key) } else { Ok(None) }
        };
        match done()? {
            Some(_) => Ok(()),
            None => self.run_unless(&done, &artifact.recipe, &key, wait).map(drop),
        }
    }

    /// Runs a recipe, or waits for its flight; where one has landed since the caller looked, `done` says so.
    fn run_unless(
        &self,
        done: &dyn Fn() -> Result<Option<Summary>>,
        recipe: &Recipe,
        key: &RecipeKey,
        wait: Wait<'_>,
    ) -> Result<Arc<Summary>> {
        let (flight, _) = self.shared.flights.join(key, || recipe.label());
        if flight.claim() {
            match done() {
                Ok(None) => self.shared.run(key, recipe, &flight, Purpose::Index),
                Ok(Some(summary)) => self.shared.flights.land(key, &flight, Ok(Arc::new(Run::landed(summary)))),
                Err(error) => self.shared.flights.land(key, &flight, Err(error)),
            }
        }
        Ok(flight.wait(wait, self.shared.patience, &self.shared.encoded.moved)?.summary())
    }

    /// Runs under way, in order of label.
    pub fn running(&self) -> Vec<Running> {
        let describe = |flight: Arc<Flight<Arc<Run>>>| Running {
            label: flight.label.clone(),
            done_bytes: flight.progress.done_bytes.load(Ordering::Relaxed),
            total_bytes: flight.progress.total_bytes.load(Ordering::Relaxed),
            waiting: flight.progress.waiting.load(Ordering::Relaxed),
        };
        let under_way = self.shared.flights.all().into_iter().filter(|flight| flight.is_running());
        let mut running: Vec<_> = under_way.map(describe).collect();
        running.sort_by(|a, b| a.label.cmp(&b.label));
        running
    }

    /// Runs that read the source and came to a good end since this engine was made; joins of them count as well.
    pub fn decoded_objects(&self) -> u64 {
        self.shared.decoded_objects.load(Ordering::Relaxed)
    }

    /// Recipes made so far: while this stands still, nothing has become known.
    pub fn runs(&self) -> u64 {
        self.shared.runs.load(Ordering::Relaxed)
    }

    /// Makes recipes, a few at a time, those that are not known yet or have left the cache, or whose record is damaged;
    /// each with its error, if any.
    ///
    /// Behind an error that the others would meet as well they are not tried: each might wait for a time-out.
    /// Errors: `Interrupted` by `wait`.
    pub fn prepare(&self, artifacts: &[Artifact], wait: Wait<'_>) -> Result<Vec<(Recipe, Error)>> {
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(Vec::new());
        let work = || {
            while let Some(artifact) = artifacts.get(next.fetch_add(1, Ordering::Relaxed)) {
                let made = self.open(artifact, wait).and_then(|_| self.index(&artifact.recipe, wait));
                if let Err(error) = made {
                    if !is_of_one_object(error.kind()) {
                        next.store(artifacts.len(), Ordering::Relaxed);
                    }
                    failed.lock().unwrap_or_else(PoisonError::into_inner).push((artifact.recipe.clone(), error));
                }
            }
        };
        thread::scope(|scope| {
            // Two: each pass over a day keeps more than one core busy, but waits for the source at times.
            let other = thread::Builder::new().name("prepare".into()).spawn_scoped(scope, work);
            work();
            drop(other);
        });
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        match failed.iter().find(|(_, error)| error.kind() == ErrorKind::Interrupted) {
            Some((_, error)) => Err(error.clone()),
            None => Ok(failed),
        }
    }

    /// The flight for an artifact's recipe; if there is none, one that runs as soon as a slot is free.
    fn fly(&self, key: &RecipeKey, artifact: &Artifact) -> Arc<Flight<Arc<Run>>> {
        let (flight, created) = self.shared.flights.join(key, || artifact.recipe.label());
        if created {
            let (shared, its_key, artifact, its) = (self.shared.clone(), key.clone(), artifact.clone(), flight.clone());
            let run = move || {
                let _slot = shared.slots.take();
                if its.claim() {
                    shared.look_again_and_run(&its_key, &artifact, &its);
                }
            };
            // A flight without a thread would be waited for in vain, now and by everybody later.
            if let Err(error) = thread::Builder::new().name("run".into()).spawn(run)
                && flight.claim()
            {
                let error = Error::internal("no thread can be started").caused_by(error).about(&flight.label);
                self.shared.flights.land(key, &flight, Err(error));
            }
        }
        flight
    }
}

impl Shared {
    fn is_cached(&self, key: &RecipeKey, output: &Output) -> bool {
        match self.ledger.known(key, output) {
            Ok(Known::Absent) => true,
            Ok(Known::Fact(fact)) => fact.bytes == 0 || self.store.contains(&fact.digest),
            _ => false,
        }
    }

    /// An output that is known and in the store, or known to be empty.
    fn at_hand(&self, key: &RecipeKey, output: &Output) -> Result<Option<Blob>> {
        self.at_hand_if(key, output, |_| true)
    }

    /// The same, where `may_open` lets its blob be opened.
    fn at_hand_if(
        &self,
        key: &RecipeKey,
        output: &Output,
        may_open: impl FnOnce(&Fact) -> bool,
    ) -> Result<Option<Blob>> {
        Ok(match self.ledger.known(key, output)? {
            Known::Unmade => None,
            Known::Absent => Some(Blob::empty()),
            Known::Fact(fact) if fact.bytes == 0 => Some(Blob::empty()),
            Known::Fact(fact) => may_open(&fact).then(|| self.store.get(&fact.digest)).flatten(),
        })
    }

    /// Opening a blob for the first time checks all its seals: of a large one, not in a thread that others wait for.
    fn opens_at_once(&self, fact: &Fact) -> bool {
        fact.bytes <= LARGE_BYTES || self.store.is_open(&fact.digest)
    }

    /// Between a caller's look at the store and its flight, another flight may have landed.
    fn look_again_and_run(&self, key: &RecipeKey, artifact: &Artifact, flight: &Arc<Flight<Arc<Run>>>) {
        match self.at_hand(key, &artifact.output) {
            Ok(None) => self.run(key, &artifact.recipe, flight, Purpose::Open),
            Ok(Some(_)) => self.flights.land(key, flight, Ok(Arc::new(Run::default()))),
            Err(error) => self.flights.land(key, flight, Err(error)),
        }
    }
}

/// Bounds how many runs decode at once.
struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

struct Slot<'a>(&'a Slots);

impl Slots {
    fn new(count: usize) -> Self {
        Slots { free: Mutex::new(count), freed: Condvar::new() }
    }

    fn take(&self) -> Slot<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Slot(self)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

/// Whether an error says nothing about other objects.
fn is_of_one_object(kind: ErrorKind) -> bool {
    kind.is_about_content() || matches!(kind, ErrorKind::Archived | ErrorKind::NotFound | ErrorKind::Changed)
}
