//! One run of one recipe: outputs published, facts recorded, waiters told, whatever happens.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::decode::Layers;
use crate::edx::course_run::CourseId;
use crate::edx::tracking_log::Evidence;
use crate::engine::Shared;
use crate::engine::flight::{Flight, Progress};
use crate::engine::input::{Encoded, Watch};
use crate::engine::ledger::{RecipeKey, Recorded};
use crate::engine::outputs::{Dispensable, Drafts, Made};
use crate::engine::scratch::{Space, of_cache};
use crate::engine::wait::Wait;
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::make::{self, Inputs, Summary};
use crate::recipe::tallies::builder::MOST_LINES_OF_ONE_RUN;
use crate::recipe::{Artifact, Content, Output, Part, Recipe};
use crate::sqlite::ScratchSpace;
use crate::store::Shelving;
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
        Arc::new(Space { store: self.shared.store.clone(), moved: self.encoded.moved.clone() })
    }
}

/// What a run is for, and so what it may evict for what it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody opens an output.
    Open,
    /// A day's tallies are wanted; its lines are kept if there is room.
    Tally,
    /// Somebody wants to know, and nothing is evicted for it.
    Index,
}

impl Purpose {
    fn keep(self) -> Keep {
        match self {
            Purpose::Open => Keep::Always,
            Purpose::Tally | Purpose::Index => Keep::IfRoom,
        }
    }

    fn keep_tallies(self) -> Keep {
        match self {
            Purpose::Open | Purpose::Tally => Keep::Always,
            Purpose::Index => Keep::IfRoom,
        }
    }
}

/// Whether a recipe decodes something of the source, and not only what other runs made of it.
fn reads_source(recipe: &Recipe) -> bool {
    matches!(
        recipe,
        Recipe::Day { .. }
            | Recipe::Unattributed { .. }
            | Recipe::Merged { .. }
            | Recipe::Decoded { .. }
            | Recipe::Joined { .. }
            | Recipe::Unpacked { .. }
    )
}

/// A day's tallies, made in its pass and not yet visible.
struct Beside<'a> {
    recipe: Recipe,
    drafts: Drafts<'a>,
    summary: Summary,
}

/// What a run itself reads of its source; nothing where it reads other runs' outputs.
fn encoded_bytes(recipe: &Recipe) -> u64 {
    match recipe {
        Recipe::Merged { .. } | Recipe::Gzipped { .. } | Recipe::Tallies { .. } => 0,
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
        let bytes = self.inner.read(buffer).map_err(|error| of_cache(error.into()))?;
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
    pub(super) fn run(&self, key: &RecipeKey, recipe: &Recipe, flight: &Arc<RunFlight>, purpose: Purpose) {
        let begun = Instant::now();
        flight.progress.total_bytes.store(encoded_bytes(recipe), Ordering::Relaxed);
        // A panic must not leave waiters hanging; it is an error of ours and is told as one.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.make(key, recipe, flight, purpose)));
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

    fn make(&self, key: &RecipeKey, recipe: &Recipe, flight: &Arc<RunFlight>, purpose: Purpose) -> Result<Arc<Run>> {
        if let Recipe::Tallies { log, rule, .. } = recipe
            && let Some(made) = self.made_with_day(key, &Recipe::Day { log: log.clone(), rule: *rule }, purpose)?
        {
            return Ok(made);
        }
        let mut encoded = self.encoded.clone();
        if purpose != Purpose::Index {
            encoded.background_rate = None;
        }
        let shelving = if recipe.is_lasting() { Shelving::Lasting } else { Shelving::Ordinary };
        let mut drafts = Drafts::new(&self.store, purpose.keep(), shelving);
        let inputs = RunInputs { shared: self, encoded, flight };
        // What a recipe itself finds wrong is about its input.
        let about = |error: Error| error.about(recipe.input().map_or_else(|| flight.label.clone(), Part::name));
        let (summary, beside) = match self.tallies_of(recipe)? {
            Some(tallies) => self.make_with_tallies(recipe, tallies, &inputs, &mut drafts, purpose).map_err(about)?,
            None => (recipe.make(&inputs, &mut drafts).map_err(about)?, None),
        };
        let made = drafts.publish()?;
        self.observer.made(recipe, &summary)?;
        self.record(key, &flight.label, &made, &summary)?;
        if let Some(beside) = beside
            && let Err(error) = self.publish_beside(beside)
        {
            tracing::warn!(%error, recipe = %flight.label, "a day's tallies are not kept");
        }
        self.runs.fetch_add(1, Ordering::Relaxed);
        if reads_source(recipe) {
            self.decoded_objects.fetch_add(1, Ordering::Relaxed);
        }
        let made = made.into_iter().map(|made| (made.output.clone(), made)).collect();
        Ok(Arc::new(Run { made: Some(made), summary: Arc::new(summary) }))
    }

    fn record(&self, key: &RecipeKey, label: &str, made: &[Made], summary: &Summary) -> Result<()> {
        let facts: Vec<_> = made.iter().map(|made| (made.output.clone(), made.fact.clone())).collect();
        if self.ledger.record(key, &facts, summary)? == Recorded::Different {
            tracing::error!(recipe = %label, "differs from its record; the new content is accepted");
            let error = Error::new(ErrorKind::NotReproducible, "differs from what was made of the same object before");
            return Err(error.about(label));
        }
        Ok(())
    }

    /// The tallies that the pass over a day makes as well: where they are wanted, and not there yet.
    fn tallies_of(&self, recipe: &Recipe) -> Result<Option<Recipe>> {
        let (Recipe::Day { log, rule }, Some(params)) = (recipe, &self.tallies) else { return Ok(None) };
        let tallies = Recipe::Tallies { log: log.clone(), rule: *rule, params: params.clone() };
        let key = self.ledger.recipe_key(&tallies);
        let is_at_hand = |output| Ok::<_, Error>(self.at_hand(&key, &output)?.is_some());
        // A damaged record is as good as never made.
        let there = self.ledger.summary(&key)?.is_some() && is_at_hand(Output::Whole)? && is_at_hand(Output::Lines)?;
        Ok((!there).then_some(tallies))
    }

    fn make_with_tallies<'a>(
        &'a self,
        day: &Recipe,
        tallies: Recipe,
        inputs: &RunInputs<'_>,
        drafts: &mut Drafts<'_>,
        purpose: Purpose,
    ) -> Result<(Summary, Option<Beside<'a>>)> {
        let (Recipe::Day { log, rule }, Recipe::Tallies { params, .. }) = (day, &tallies) else {
            return Err(Error::internal("only days are tallied"));
        };
        let mut outputs = Dispensable::new(Drafts::new(&self.store, purpose.keep_tallies(), Shelving::Lasting));
        let (summary, tallied) = make::make_with_tallies((log, *rule, params), inputs, drafts, &mut outputs)?;
        Ok((summary, outputs.into_drafts().map(|drafts| Beside { recipe: tallies, drafts, summary: tallied })))
    }

    fn publish_beside(&self, beside: Beside<'_>) -> Result<()> {
        let made = beside.drafts.publish()?;
        let key = self.ledger.recipe_key(&beside.recipe);
        self.record(&key, &beside.recipe.label(), &made, &beside.summary)
    }

    /// Tallies that came out of the day's pass, since its segments are not all at hand to make them of.
    fn made_with_day(&self, tallies: &RecipeKey, day: &Recipe, purpose: Purpose) -> Result<Option<Arc<Run>>> {
        let day_key = self.ledger.recipe_key(day);
        if let Some(summary) = self.ledger.summary(&day_key)? {
            let segment = |(id, _): &(CourseId, Evidence)| self.is_cached(&day_key, &Output::Course(id.clone()));
            // A larger day is counted as it was the first time, lest the same tallies lie in other bytes.
            if summary.lines <= MOST_LINES_OF_ONE_RUN && summary.courses.iter().all(segment) {
                return Ok(None);
            }
        }
        let (flight, _) = self.flights.join(&day_key, || day.label());
        if flight.claim() {
            // Who wants tallies does not look at the lines.
            let of_day = if purpose == Purpose::Open { Purpose::Tally } else { purpose };
            self.run(&day_key, day, &flight, of_day);
        }
        flight.wait(Wait::Until(&|| false), self.patience, &self.encoded.moved)?;
        // Who indexes wants to know them, and does without what there was no room for.
        let is_enough = purpose == Purpose::Index || self.at_hand(tallies, &Output::Whole)?.is_some();
        let summary = if is_enough { self.ledger.summary(tallies)? } else { None };
        Ok(summary.map(|summary| Arc::new(Run::landed(summary))))
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
                    Ok(None) => self.run(&key, recipe, &flight, Purpose::Open),
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
