//! What can be made and from what: recipes, their outputs, their keys. Starts no run.

pub mod split;
pub mod unattributed;

use crate::decode::Layers;
use crate::decode::zip::Entry;
use crate::edx::course_run::CourseId;
use crate::edx::tracking_log::CourseRule;
use crate::error::Result;
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
    /// One part with `layers` taken off, whole.
    Decoded { part: Part, layers: Layers },
    /// One table of all courses in one file.
    Joined { table: String, parts: Vec<JoinPart> },
    /// The members of an encrypted tar (RDX).
    Unpacked { package: Part },
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
    /// `Day` only: the lines of no course id at all.
    Loose,
    /// `Day` only: how `Loose` and the segments of merely mentioned ids interleave in the log.
    Order,
    /// `Unpacked` only: the path of a file in the tar.
    Member(String),
}

/// One output of one recipe: what a file of the tree is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Artifact {
    pub recipe: Recipe,
    pub output: Output,
}

/// What a run writes into: outputs come into being in the order in which they are created.
pub trait Outputs {
    /// Begins an output; the same output must not be created twice.
    fn create(&mut self, output: &Output) -> Result<Slot>;
    /// Appends to an output begun before. Errors: `CacheFull`.
    fn append(&mut self, slot: Slot, bytes: &[u8]) -> Result<()>;
}

/// An output of the present run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(pub usize);
