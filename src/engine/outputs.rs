//! A run's outputs: temporary until the run has ended well; no decoding.

use crate::error::{Error, ErrorKind, Result};
use crate::recipe::{Output, Outputs, Slot};
use crate::store::blob::{Blob, BlobWriter, Digest, Draft, Keep};
use crate::store::{Shelving, Store};

/// Size and digest of one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub digest: Digest,
    /// Plain bytes.
    pub bytes: u64,
}

/// One output of a finished run; no blob where there was no room to keep it, or too many others are open.
#[derive(Clone, Debug)]
pub struct Made {
    pub output: Output,
    pub fact: Fact,
    pub blob: Option<Blob>,
}

/// Outputs of one run that stay open for those who wait for it; the others are looked for in the store.
///
/// Course ids come out of URLs that anybody can ask for: a scan of the site mentions thousands in a day.
const OPEN_BLOBS: usize = 1024;

/// Writers for the outputs of one run. Dropped before `publish`, it leaves nothing behind.
pub struct Drafts<'a> {
    store: &'a Store,
    keep: Keep,
    shelving: Shelving,
    writers: Vec<(Output, BlobWriter)>,
}

impl<'a> Drafts<'a> {
    pub fn new(store: &'a Store, keep: Keep, shelving: Shelving) -> Self {
        Drafts { store, keep, shelving, writers: Vec::new() }
    }

    fn writer(&mut self, slot: Slot) -> Result<&mut BlobWriter> {
        let writer = self.writers.get_mut(slot.0).map(|(_, writer)| writer);
        writer.ok_or_else(|| Error::internal("a run wrote to an output that it had not created"))
    }

    /// Completes every output first, then makes them all visible.
    pub fn publish(self) -> Result<Vec<Made>> {
        let mut drafts = Vec::with_capacity(self.writers.len());
        for (output, writer) in self.writers {
            drafts.push((output, writer.finish()?));
        }
        let publish = |(number, (output, draft)): (usize, (Output, Draft))| {
            let fact = Fact { digest: draft.digest(), bytes: draft.bytes() };
            let blob = draft.publish()?.filter(|_| number < OPEN_BLOBS);
            Ok(Made { output, fact, blob })
        };
        drafts.into_iter().enumerate().map(publish).collect()
    }
}

impl Outputs for Drafts<'_> {
    fn create(&mut self, output: &Output) -> Result<Slot> {
        self.writers.push((output.clone(), self.store.writer(self.keep, self.shelving)?));
        Ok(Slot(self.writers.len() - 1))
    }

    fn append(&mut self, slot: Slot, bytes: &[u8]) -> Result<()> {
        self.writer(slot)?.append(bytes)
    }

    fn leave_front(&mut self, slot: Slot, bytes: u64) -> Result<u64> {
        self.writer(slot)?.leave_front(bytes)
    }

    fn return_to_front(&mut self, slot: Slot) -> Result<()> {
        self.writer(slot)?.return_to_front()
    }

    fn restart(&mut self, slot: Slot) -> Result<()> {
        let anew = self.store.writer(self.keep, self.shelving)?;
        *self.writer(slot)? = anew;
        Ok(())
    }
}

/// Outputs that may be lost for want of room, without harm to the run that they are made in.
pub struct Dispensable<'a>(Option<Drafts<'a>>);

impl<'a> Dispensable<'a> {
    pub fn new(drafts: Drafts<'a>) -> Self {
        Dispensable(Some(drafts))
    }

    /// None: there was no room.
    pub fn into_drafts(self) -> Option<Drafts<'a>> {
        self.0
    }

    fn attempt<T>(&mut self, instead: T, write: impl FnOnce(&mut Drafts<'a>) -> Result<T>) -> Result<T> {
        let Some(drafts) = &mut self.0 else { return Ok(instead) };
        match write(drafts) {
            Err(error) if error.kind() == ErrorKind::CacheFull => {
                self.0 = None;
                Ok(instead)
            }
            result => result,
        }
    }
}

impl Outputs for Dispensable<'_> {
    fn create(&mut self, output: &Output) -> Result<Slot> {
        self.attempt(Slot(0), |drafts| drafts.create(output))
    }

    fn append(&mut self, slot: Slot, bytes: &[u8]) -> Result<()> {
        self.attempt((), |drafts| drafts.append(slot, bytes))
    }

    fn leave_front(&mut self, slot: Slot, bytes: u64) -> Result<u64> {
        self.attempt(bytes, |drafts| drafts.leave_front(slot, bytes))
    }

    fn return_to_front(&mut self, slot: Slot) -> Result<()> {
        self.attempt((), |drafts| drafts.return_to_front(slot))
    }

    fn restart(&mut self, slot: Slot) -> Result<()> {
        self.attempt((), |drafts| drafts.restart(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edx::course_run::CourseId;
    use crate::store::seal::DataKey;

    #[test]
    fn very_many_outputs_are_kept_and_few_stay_open() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store = Store::open(folder.path(), &DataKey::from_bytes([7; 32]), 1 << 30).expect("a new store");
        let mut drafts = Drafts::new(&store, Keep::Always, Shelving::Ordinary);
        for number in 0..OPEN_BLOBS + 200 {
            let id = format!("course-v1:Scan+Of+run{number}");
            let slot = drafts.create(&Output::Course(CourseId::parse(&id).expect("valid"))).expect("there is room");
            drafts.append(slot, id.as_bytes()).expect("there is room");
        }
        let made = drafts.publish().expect("published");
        assert_eq!(made.iter().filter(|made| made.blob.is_some()).count(), OPEN_BLOBS);
        assert!(made.iter().all(|made| store.get(&made.fact.digest).is_some_and(|blob| blob.len() == made.fact.bytes)));
    }
}
