//! How each recipe is made: inputs left, outputs right; pure, and on the caller's thread.

use std::io::{self, Read};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::decode::{Layers, tar};
use crate::edx::course_run::CourseId;
use crate::edx::table::Dialect;
use crate::edx::tracking_log::{CourseRule, Evidence};
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::derived::Database;
use crate::recipe::joined::JoinInput;
use crate::recipe::tallies::{Counting, TallyParams};
use crate::recipe::{
    Artifact, Content, JoinPart, Output, Outputs, Part, Recipe, database, fold, gzipped, joined, learner, opt_in,
    split, tallies, unattributed,
};
use crate::sqlite::ScratchSpace;

/// What a recipe reads; the engine gives it.
pub trait Inputs {
    /// A part with `layers` taken off. Reading it to its end verifies it. Errors name the part.
    fn decoded(&self, part: &Part, layers: &Layers) -> Result<Box<dyn Read + Send>>;

    /// Another artifact's content, complete and verified.
    fn artifact(&self, artifact: &Artifact) -> Result<Box<dyn Content>>;

    /// What a run of another recipe found; it is run if it never was.
    fn summary(&self, recipe: &Recipe) -> Result<Summary>;

    /// Sealed room for what does not fit into memory; counted in the cache's limit, gone when dropped.
    fn scratch(&self) -> Arc<dyn ScratchSpace>;
}

/// What a finished run found besides its outputs' bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// `Day`: course ids met, sorted by id, each with the strongest evidence of the day.
    pub courses: Vec<(CourseId, Evidence)>,
    /// `Day`: those of them without a line of their own, sorted.
    pub lineless: Vec<CourseId>,
    /// `Day`: lines, and those of them that are no events.
    pub lines: u64,
    pub malformed: u64,
    /// `Unpacked`: paths of the files, sorted. `Database`: its tables, in their order.
    pub members: Vec<String>,
    /// `Tallies`: the courses with lines, sorted by id.
    pub tallied: Vec<Tallied>,
    /// `Joined`, `Unpacked`: what was left out and why, in order of name.
    pub skipped: Vec<(String, String)>,
}

/// One course in a day's tallies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tallied {
    pub course: String,
    /// BLAKE3 of its slice.
    pub digest: [u8; 32],
    /// Bytes of its slice.
    pub bytes: u64,
    /// Its lines.
    pub events: u64,
}

impl Recipe {
    /// Runs the recipe. On an error nothing that was written may be used. Errors: `Corrupt` and the inputs' own;
    /// `CacheFull` by the outputs.
    pub fn make(&self, inputs: &dyn Inputs, outputs: &mut dyn Outputs) -> Result<Summary> {
        match self {
            Recipe::Day { log, rule } => split_day(log, *rule, inputs, outputs, None),
            Recipe::Tallies { log, rule, params } => tallies::of_segments(log, *rule, params, inputs, outputs),
            Recipe::Unattributed { .. } => Err(Error::internal("unattributed lines were asked for unresolved")),
            Recipe::Merged { log, rule, ids } => merge(log, *rule, ids, inputs, outputs),
            Recipe::Decoded { part, layers } => {
                let slot = outputs.create(&Output::Whole)?;
                copy(&mut inputs.decoded(part, layers)?, &mut |bytes| outputs.append(slot, bytes))?;
                Ok(Summary::default())
            }
            Recipe::Joined { table, parts } => join(table, parts, inputs, outputs),
            Recipe::Unpacked { package } => {
                let mut tar = inputs.decoded(package, &Layers::of(package.base_name()).0)?;
                unpack(&mut tar, outputs)
            }
            Recipe::Late(_) => Err(Error::internal("a file of many days was asked for unresolved")),
            Recipe::Gzipped { content } => gzipped::make(content, inputs, outputs),
            Recipe::OptIn(opt_in) => opt_in::make(opt_in, inputs, outputs),
            Recipe::Fold(fold) => fold::make(fold, inputs, outputs),
            Recipe::Database(database) => database::make(database, inputs, outputs),
            Recipe::Sheet { database, table } => database::make_sheet(database, table, inputs, outputs)
                .map_err(|error| if_left_out(error, database, table, inputs)),
            Recipe::VideoErrors { folds } => fold::make_video_errors(folds, inputs, outputs),
            Recipe::Learner(learner) => learner::make_learner(learner, inputs, outputs),
            Recipe::Roster(roster) => learner::make_roster(roster, inputs, outputs),
        }
    }
}

/// Why a table that a file is there for is not in its database: what opening that file says.
fn if_left_out(error: Error, database: &Database, table: &str, inputs: &dyn Inputs) -> Error {
    let file = database.file_of(table).filter(|_| error.kind() == ErrorKind::NotFound);
    let Some(file) = file else { return error };
    let unusable = || Error::corrupt("is left out of samced.db: its file holds no such table");
    inputs.artifact(file).err().unwrap_or_else(unusable)
}

/// Makes a day, and in the same pass its tallies: their summaries.
pub fn make_with_tallies(
    (log, rule, params): (&Part, CourseRule, &TallyParams),
    inputs: &dyn Inputs,
    outputs: &mut dyn Outputs,
    tallies: &mut dyn Outputs,
) -> Result<(Summary, Summary)> {
    let mut counting = Counting::begin(log, params, tallies)?;
    let day = split_day(log, rule, inputs, outputs, Some(&mut counting))?;
    Ok((day, counting.finish()?))
}

fn split_day(
    log: &Part,
    rule: CourseRule,
    inputs: &dyn Inputs,
    outputs: &mut dyn Outputs,
    counting: Option<&mut Counting<'_>>,
) -> Result<Summary> {
    let mut lines = inputs.decoded(log, &Layers::of(log.base_name()).0)?;
    let day = split::split(&mut lines, rule, outputs, counting)?;
    let (courses, lineless) = (day.courses, day.lineless);
    Ok(Summary { courses, lineless, lines: day.lines, malformed: day.malformed, ..Summary::default() })
}

fn merge(
    log: &Part,
    rule: CourseRule,
    ids: &[CourseId],
    inputs: &dyn Inputs,
    outputs: &mut dyn Outputs,
) -> Result<Summary> {
    let day = Recipe::Day { log: log.clone(), rule };
    let segment = |output| inputs.artifact(&Artifact { recipe: day.clone(), output });
    let mut segments = Vec::with_capacity(ids.len());
    for id in ids {
        segments.push((id.clone(), read_if_small(segment(Output::Course(id.clone()))?)?));
    }
    let (mut order, mut loose) = (segment(Output::Order)?, segment(Output::Loose)?);
    let slot = outputs.create(&Output::Whole)?;
    unattributed::merge(&mut order, &mut loose, &mut segments, &mut |bytes| outputs.append(slot, bytes))?;
    Ok(Summary::default())
}

/// The same bytes, in memory where they are few: a scan of the site mentions thousands of ids in a day, and a process
/// may open fewer files than that.
fn read_if_small(mut content: Box<dyn Content>) -> Result<Box<dyn Read>> {
    const SMALL_BYTES: u64 = 4 << 10;
    let mut head = Vec::new();
    content.by_ref().take(SMALL_BYTES).read_to_end(&mut head)?;
    let is_whole = (head.len() as u64) < SMALL_BYTES;
    let head = io::Cursor::new(head);
    Ok(if is_whole { Box::new(head) } else { Box::new(head.chain(content)) })
}

fn join(table: &str, parts: &[JoinPart], inputs: &dyn Inputs, outputs: &mut dyn Outputs) -> Result<Summary> {
    let open = |part: &JoinPart| inputs.artifact(&part.artifact()).map(|content| content as Box<dyn Read>);
    let mut files: Vec<_> =
        parts.iter().map(|part| JoinInput { folder: &part.folder, open: Box::new(move || open(part)) }).collect();
    let slot = outputs.create(&Output::Whole)?;
    let joined = joined::join(&mut files, Dialect::of_table(table), &mut |bytes| outputs.append(slot, bytes))?;
    let skipped = joined.skipped.into_iter().map(|(folder, error)| (folder, error.message())).collect();
    Ok(Summary { skipped, ..Summary::default() })
}

/// Every regular file of a plain tar stream becomes an output; what is refused is named and left out.
fn unpack(input: &mut dyn Read, outputs: &mut dyn Outputs) -> Result<Summary> {
    let mut members = Vec::new();
    let skipped = tar::unpack(input, &mut |path, content| {
        let slot = outputs.create(&Output::Member(path.to_owned()))?;
        members.push(path.to_owned());
        copy(content, &mut |bytes| outputs.append(slot, bytes))
    })?;
    members.sort();
    Ok(Summary { members, skipped, ..Summary::default() })
}

/// Copies to the end, so that what lies below is verified.
fn copy(input: &mut dyn Read, write: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => write(&buffer[..n])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
