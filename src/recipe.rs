//! What can be made and from what: recipes, their outputs, their keys. Starts no run.

pub mod database;
pub mod derived;
pub mod fold;
pub mod gzipped;
pub mod joined;
mod key;
pub mod learner;
pub mod make;
pub mod opt_in;
pub mod split;
pub mod tallies;
#[cfg(test)]
pub mod testing;
pub mod unattributed;

use std::io::{Read, Seek};
use std::sync::Arc;

use crate::decode::Layers;
use crate::decode::zip::Entry;
use crate::edx::course_run::CourseId;
use crate::edx::tracking_log::CourseRule;
use crate::error::{Error, Result};
use crate::recipe::derived::{Database, Fold, Late, Learner, OptIn, Roster};
use crate::recipe::tallies::TallyParams;
use crate::source::ObjectId;

/// Encoded bytes as they lie in a source: a whole object, or one entry of a zip or tar object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    pub object: ObjectId,
    pub entry: Option<Entry>,
}

/// One unit of work with named outputs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Recipe {
    /// Every course's segment of one day's log, in one pass.
    Day { log: Part, rule: CourseRule },
    /// The day's lines of no course folder: lines without a course, and those of ids that have no folder.
    Unattributed { log: Part, rule: CourseRule },
    /// What `Unattributed` comes to once the day is decoded: `Loose` and the segments of `ids` (sorted), in log order.
    Merged { log: Part, rule: CourseRule, ids: Vec<CourseId> },
    /// One part with `layers` taken off, whole.
    Decoded { part: Part, layers: Layers },
    /// One table of all courses in one file.
    Joined { table: String, parts: Vec<JoinPart> },
    /// The members of an encrypted tar (RDX).
    Unpacked { package: Part },
    /// What one day's events come to, for every course, and where each learner's lines are; in the pass that splits
    /// the day, or from its segments.
    Tallies { log: Part, rule: CourseRule, params: Arc<TallyParams> },
    /// Some days' tallies of one course, merged.
    Fold(Arc<Fold>),
    /// A file that joins days, by its name in the tree; stands for one of those below once all its days are tallied.
    Late(Arc<Late>),
    /// A samced.db.
    Database(Arc<Database>),
    /// One table of a samced.db as CSV.
    Sheet { database: Arc<Database>, table: Arc<str> },
    /// The video events that could not be read: `errors.txt`.
    VideoErrors { folds: Vec<Arc<Fold>> },
    /// One learner's lines of one course.
    Learner(Arc<Learner>),
    /// Everybody who has lines in one course.
    Roster(Arc<Roster>),
    /// Another artifact, gzipped.
    Gzipped { content: Box<Artifact> },
    /// The organisation's e-mail opt-in list, joined.
    OptIn(Arc<OptIn>),
}

impl Recipe {
    /// The encoded input that the recipe begins with; None where it joins several, or other recipes' outputs.
    pub fn input(&self) -> Option<&Part> {
        match self {
            Recipe::Day { log, .. }
            | Recipe::Unattributed { log, .. }
            | Recipe::Merged { log, .. }
            | Recipe::Tallies { log, .. } => Some(log),
            Recipe::Decoded { part, .. } => Some(part),
            Recipe::Unpacked { package } => Some(package),
            Recipe::Gzipped { content } => content.recipe.input(),
            Recipe::Joined { .. }
            | Recipe::Fold(_)
            | Recipe::Late(_)
            | Recipe::Database(_)
            | Recipe::Sheet { .. }
            | Recipe::VideoErrors { .. }
            | Recipe::Learner(_)
            | Recipe::Roster(_)
            | Recipe::OptIn(_) => None,
        }
    }

    /// An encoded input by which its organisation is known: the input, or the first of a join's.
    pub fn first_part(&self) -> Option<&Part> {
        match self {
            Recipe::Joined { parts, .. } => parts.first().map(|part| &part.part),
            Recipe::OptIn(opt_in) => opt_in.list.recipe.input(),
            recipe => recipe.input(),
        }
    }

    /// For logs and `status`: what is made, and of which object or course. Never names a learner.
    pub fn label(&self) -> String {
        match self {
            Recipe::Joined { table, .. } => format!("tables/{table}.tsv"),
            Recipe::Tallies { log, .. } => format!("tallies of {}", log.name()),
            Recipe::Fold(fold) => fold.label(),
            Recipe::Late(late) => late.label(),
            Recipe::Database(database) => database.label(),
            Recipe::Sheet { database, table } => format!("{table} of {}", database.label()),
            Recipe::VideoErrors { folds } => {
                format!("errors.txt of {}", folds.first().map_or_else(String::new, |fold| fold.label()))
            }
            Recipe::Learner(learner) => format!("a learner's lines of {}", learner.course),
            Recipe::Roster(roster) => format!("the learners of {}", roster.course),
            Recipe::OptIn(_) => "email_opt_in.csv".to_owned(),
            recipe => recipe.input().map_or_else(String::new, Part::name),
        }
    }

    /// Whether its outputs are small beside what they spare, and so leave the cache last.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Recipe::Tallies { .. } | Recipe::Fold(_))
    }
}

impl Part {
    /// A whole object.
    pub fn whole(object: ObjectId) -> Self {
        Part { object, entry: None }
    }

    /// `key`, or `key/entry`.
    pub fn name(&self) -> String {
        match &self.entry {
            None => self.object.key.to_string(),
            Some(entry) => format!("{}/{}", self.object.key, entry.name),
        }
    }

    /// The last component of the name, whose suffixes say how the bytes are coded.
    pub fn base_name(&self) -> &str {
        let name = self.entry.as_ref().map_or(self.object.key.as_str(), |entry| &entry.name);
        name.rsplit('/').next().unwrap_or(name)
    }

    /// Bytes before any layer is taken off.
    pub fn encoded_bytes(&self) -> u64 {
        self.entry.as_ref().map_or(self.object.bytes, |entry| entry.bytes)
    }
}

/// One course's file in a joined table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JoinPart {
    pub folder: String,
    pub part: Part,
    pub layers: Layers,
}

/// One output of a recipe.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Output {
    Whole,
    /// `Day` only: the lines of one course id.
    Course(CourseId),
    /// `Day` only: the segment of whichever id turns out to own this course folder, known once the day is decoded.
    OfFolder(Arc<str>),
    /// `Day` only: the lines of no course id at all.
    Loose,
    /// `Day` only: how `Loose` and the segments of merely mentioned ids interleave in the log.
    Order,
    /// `Unpacked` only: the path of a file in the tar.
    Member(String),
    /// `Tallies` only: where each learner's lines are in the day's segments.
    Lines,
}

/// One output of one recipe: what a file of the tree is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Artifact {
    pub recipe: Recipe,
    pub output: Output,
}

/// Content that is complete and verified.
pub trait Content: Read + Seek + Send {}

impl<T: Read + Seek + Send> Content for T {}

/// What a run writes into: outputs come into being in the order in which they are created.
pub trait Outputs {
    /// Begins an output; the same output must not be created twice.
    fn create(&mut self, output: &Output) -> Result<Slot>;
    /// Appends to an output begun before. Errors: `CacheFull`.
    fn append(&mut self, slot: Slot, bytes: &[u8]) -> Result<()>;
    /// Leaves at least `bytes` at the front of an output for last, before anything is appended to it; how many it are.
    fn leave_front(&mut self, _: Slot, _: u64) -> Result<u64> {
        Err(in_order_alone())
    }
    /// Goes on at the first byte of such an output, whose rest is complete. If that is not empty, what was left is to be
    /// filled exactly. Errors: `CacheFull`.
    fn return_to_front(&mut self, _: Slot) -> Result<()> {
        Err(in_order_alone())
    }
    /// Forgets what was written to an output.
    fn restart(&mut self, _: Slot) -> Result<()> {
        Err(in_order_alone())
    }
}

fn in_order_alone() -> Error {
    Error::internal("these outputs are written once, from the first byte to the last")
}

/// An output of the present run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub usize);

impl JoinPart {
    /// The file as an artifact of its own, as a course's `tables/` shows it.
    pub fn artifact(&self) -> Artifact {
        let recipe = Recipe::Decoded { part: self.part.clone(), layers: self.layers.clone() };
        Artifact { recipe, output: Output::Whole }
    }
}
