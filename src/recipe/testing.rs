//! Inputs and outputs in memory, and days of the imagination.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::sync::Arc;

use jiff::civil::date;

use crate::decode::Layers;
use crate::edx::course_run::CourseId;
use crate::edx::tracking_log::CourseRule;
use crate::error::{Error, Result};
use crate::recipe::derived::TalliedDay;
use crate::recipe::make::{Inputs, Summary};
use crate::recipe::tallies::record::Record;
use crate::recipe::tallies::run::RunWriter;
use crate::recipe::tallies::slices::SlicesWriter;
use crate::recipe::{Artifact, Content, Output, Outputs, Part, Recipe, Slot};
use crate::source::{ETag, ObjectId, ObjectKey};
use crate::sqlite::testing::{Bytes, Memory};
use crate::sqlite::{Destination, ScratchSpace};

/// What was written, by output.
#[derive(Default)]
pub struct Kept(Vec<(Output, Bytes)>);

impl Outputs for Kept {
    fn create(&mut self, output: &Output) -> Result<Slot> {
        assert!(self.0.iter().all(|(other, _)| other != output), "{output:?} is created twice");
        self.0.push((output.clone(), Bytes::default()));
        Ok(Slot(self.0.len() - 1))
    }

    fn append(&mut self, slot: Slot, bytes: &[u8]) -> Result<()> {
        self.0[slot.0].1.append(bytes)
    }

    fn leave_front(&mut self, slot: Slot, bytes: u64) -> Result<u64> {
        self.0[slot.0].1.leave_front(bytes)
    }

    fn return_to_front(&mut self, slot: Slot) -> Result<()> {
        self.0[slot.0].1.return_to_front()
    }

    fn restart(&mut self, slot: Slot) -> Result<()> {
        self.0[slot.0].1 = Bytes::default();
        Ok(())
    }
}

impl Kept {
    pub fn bytes(&self, output: &Output) -> &[u8] {
        self.0.iter().find(|(other, _)| other == output).expect("created").1.content()
    }

    pub fn whole(&self) -> &[u8] {
        self.bytes(&Output::Whole)
    }
}

/// Artifacts held in memory; any other is not found.
#[derive(Default)]
pub struct MemoryInputs {
    artifacts: HashMap<Artifact, Vec<u8>>,
    opened: RefCell<Vec<Artifact>>,
}

impl MemoryInputs {
    pub fn keep(&mut self, artifact: Artifact, bytes: Vec<u8>) {
        self.artifacts.insert(artifact, bytes);
    }

    /// How often the artifact was opened.
    pub fn opened(&self, artifact: &Artifact) -> usize {
        self.opened.borrow().iter().filter(|opened| *opened == artifact).count()
    }
}

impl Inputs for MemoryInputs {
    fn decoded(&self, _: &Part, _: &Layers) -> Result<Box<dyn Read + Send>> {
        Err(Error::not_found("no parts in memory"))
    }

    fn artifact(&self, artifact: &Artifact) -> Result<Box<dyn Content>> {
        self.opened.borrow_mut().push(artifact.clone());
        let bytes = self.artifacts.get(artifact).cloned().ok_or_else(|| Error::not_found("no such artifact"))?;
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn summary(&self, _: &Recipe) -> Result<Summary> {
        Err(Error::not_found("no runs in memory"))
    }

    fn scratch(&self) -> Arc<dyn ScratchSpace> {
        Memory::space()
    }
}

pub fn course(id: &str) -> CourseId {
    CourseId::parse(id).expect("valid")
}

/// A whole object of that key.
pub fn part(key: &str) -> Part {
    Part::whole(ObjectId { key: ObjectKey::new(key), etag: ETag::new("x"), bytes: 7 })
}

/// A day of August 2015.
pub fn day(number: i8) -> TalliedDay {
    let date = date(2015, 8, number);
    let log = part(&format!("x-prod-events-{date}.log.gz.gpg"));
    TalliedDay { log, rule: CourseRule::Recall, params: Arc::default(), date, digest: [number as u8; 32] }
}

/// A run of records that are in order.
pub fn run(records: &[Record<'_>]) -> Vec<u8> {
    let mut writer = RunWriter::new();
    for record in records {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        record.encode(&mut key, &mut value);
        writer.push(&key, &value).expect("records in order");
    }
    writer.finish()
}

/// A day's blob of courses' runs.
pub fn blob(runs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut kept = Kept::default();
    let mut writer = SlicesWriter::new(kept.create(&Output::Whole).expect("memory does not fail"));
    for (id, run) in runs {
        writer.add_run(&mut kept, &course(id), run).expect("memory does not fail");
    }
    writer.finish(&mut kept).expect("memory does not fail");
    kept.bytes(&Output::Whole).to_vec()
}
