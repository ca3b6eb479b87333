//! One run of one recipe: outputs published, facts recorded, waiters told, whatever happens.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::decode::Layers;
use crate::engine::Shared;
use crate::engine::flight::{Flight, Progress};
use crate::engine::input::{Encoded, Watch};
use crate::engine::ledger::{RecipeKey, Recorded};
use crate::engine::outputs::{Drafts, Made};
use crate::engine::wait::Wait;
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::make::{Inputs, Summary};
use crate::recipe::{Artifact, Content, Output, Part, Recipe};
use crate::sqlite::{Scratch, ScratchSpace};
use crate::store::blob::{Blob, BlobReader, Keep};

/// What a flight brings: a finished run's outputs. Empty where another flight had landed just before.
#[derive(Debug, Default)]
pub struct Run {
    made: Option<HashMap<Output, Made>>,
    summary: Arc<Summary>,
}

impl Run {
    /// What another flight has just brought, without its blobs.
    pub fn landed(summary: Summary) -> Self {
        Run { made: None, summary: Arc::new(summary) }
    }

    /// The content of an output; None where it must be looked for in the store, or made again to be kept.
    pub fn blob(&self, output: &Output) -> Option<Blob> {
        match self.made.as_ref()?.get(output) {
            None => Some(Blob::empty()),
            Some(made) if made.fact.bytes == 0 => Some(Blob::empty()),
            Some(made) => made.blob.clone(),
        }
    }

    pub fn summary(&self) -> Arc<Summary> {
        self.summary.clone()
    }
}

type RunFlight = Flight<Arc<Run>>;

impl Watch for RunFlight {
    fn progress(&self) -> &Progress {
        &self.progress
    }
}

/// The inputs of one run.
struct RunInputs<'a> {
    shared: &'a Shared,
    encoded: Encoded,
    flight: &'a Arc<RunFlight>,
}

impl Inputs for RunInputs<'_> {
    fn decoded(&self, part: &Part, layers: &Layers) -> Result<Box<dyn Read + Send>> {
        self.encoded.decoded_ahead(part, layers, self.flight.clone())
    }

    fn artifact(&self, artifact: &Artifact) -> Result<Box<dyn Content>> {
        Ok(Box::new(Moving { inner: self.shared.obtain(artifact)?.reader(), moved: self.encoded.moved.clone() }))
    }

    fn summary(&self, recipe: &Recipe) -> Result<Summary> {
        self.shared.obtain_summary(recipe)
    }

    fn scratch(&self) -> Arc<dyn ScratchSpace> {
        Arc::new(NoSpace)
    }
}

struct NoSpace;

impl ScratchSpace for NoSpace {
    fn create(&self) -> Result<Box<dyn Scratch>> {
        Err(Error::internal("no scratch space yet"))
    }
}

/// What a run itself reads of its source; nothing where it reads other runs' outputs.
fn encoded_bytes(recipe: &Recipe) -> u64 {
    match recipe {
        Recipe::Merged { .. } | Recipe::Gzipped { .. } => 0,
        recipe => recipe.input().map_or(0, Part::encoded_bytes),
    }
}

/// Counts what is read of another run's output: a join of large tables reads for minutes and fetches nothing.
struct Moving {
    inner: BlobReader,
    moved: Arc<AtomicU64>,
}

impl Read for Moving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

impl Seek for Moving {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

impl Shared {
    /// Runs a claimed flight to its end and lands it.
    pub(super) fn run(&self, key: &RecipeKey, recipe: &Recipe, flight: &Arc<RunFlight>, keep: Keep) {
        let begun = Instant::now();
        flight.progress.total_bytes.store(encoded_bytes(recipe), Ordering::Relaxed);
        // A panic must not leave waiters hanging; it is an error of ours and is told as one.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.make(key, recipe, flight, keep)));
        let result = outcome.unwrap_or_else(|_| Err(Error::internal("a run panicked").about(&flight.label)));
        match &result {
            Ok(_) => tracing::debug!(recipe = %flight.label, elapsed = ?begun.elapsed(), "made"),
            Err(error) => {
                tracing::debug!(%error, "cannot be made");
                self.observer.failed(recipe, error);
            }
        }
        self.flights.land(key, flight, result);
    }

    fn make(&self, key: &RecipeKey, recipe: &Recipe, flight: &Arc<RunFlight>, keep: Keep) -> Result<Arc<Run>> {
        let mut encoded = self.encoded.clone();
        if keep == Keep::Always {
            encoded.background_rate = None;
        }
        let mut drafts = Drafts::new(&self.store, keep);
        let inputs = RunInputs { shared: self, encoded, flight };
        // What a recipe itself finds wrong is about its input.
        let about = || recipe.input().map_or_else(|| flight.label.clone(), Part::name);
        let summary = recipe.make(&inputs, &mut drafts).map_err(|error| error.about(about()))?;
        let made = drafts.publish()?;
        self.observer.made(recipe, &summary)?;
        let facts: Vec<_> = made.iter().map(|made| (made.output.clone(), made.fact.clone())).collect();
        if self.ledger.record(key, &facts, &summary)? == Recorded::Different {
            tracing::error!(recipe = %flight.label, "differs from its record; the new content is accepted");
            let error = Error::new(ErrorKind::NotReproducible, "differs from what was made of the same object before");
            return Err(error.about(&flight.label));
        }
        self.decoded_objects.fetch_add(1, Ordering::Relaxed);
        let made = made.into_iter().map(|made| (made.output.clone(), made)).collect();
        Ok(Arc::new(Run { made: Some(made), summary: Arc::new(summary) }))
    }

    /// What a run of `recipe` found; run on this thread if nobody has.
    fn obtain_summary(&self, recipe: &Recipe) -> Result<Summary> {
        let key = self.ledger.recipe_key(recipe);
        loop {
            if let Some(summary) = self.ledger.summary(&key)? {
                return Ok(summary);
            }
            let (flight, _) = self.flights.join(&key, || recipe.label());
            if flight.claim() {
                match self.ledger.summary(&key) {
                    Ok(None) => self.run(&key, recipe, &flight, Keep::Always),
                    Ok(Some(summary)) => self.flights.land(&key, &flight, Ok(Arc::new(Run::landed(summary)))),
                    Err(error) => self.flights.land(&key, &flight, Err(error)),
                }
            }
            flight.wait(Wait::Until(&|| false), self.patience, &self.encoded.moved)?;
        }
    }

    /// An artifact as an input of the run on this thread: made here if nobody makes it yet.
    fn obtain(&self, artifact: &Artifact) -> Result<Blob> {
        let key = self.ledger.recipe_key(&artifact.recipe);
        loop {
            if let Some(blob) = self.at_hand(&key, &artifact.output)? {
                return Ok(blob);
            }
            let (flight, _) = self.flights.join(&key, || artifact.recipe.label());
            if flight.claim() {
                self.look_again_and_run(&key, artifact, &flight);
            }
            let run = flight.wait(Wait::Until(&|| false), self.patience, &self.encoded.moved)?;
            if let Some(blob) = run.blob(&artifact.output) {
                return Ok(blob);
            }
        }
    }
}
