//! A run's outputs: temporary until the run has ended well; no decoding.

use crate::error::{Error, Result};
use crate::recipe::{Output, Outputs, Slot};
use crate::store::Store;
use crate::store::blob::{Blob, BlobWriter, Digest, Keep};

/// Size and digest of one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub digest: Digest,
    /// Plain bytes.
    pub bytes: u64,
}

/// One output of a finished run; no blob where there was no room to keep it.
#[derive(Clone, Debug)]
pub struct Made {
    pub output: Output,
    pub fact: Fact,
    pub blob: Option<Blob>,
}

/// Writers for the outputs of one run. Dropped before `publish`, it leaves nothing behind.
pub struct Drafts<'a> {
    store: &'a Store,
    keep: Keep,
    writers: Vec<(Output, BlobWriter)>,
}

impl<'a> Drafts<'a> {
    pub fn new(store: &'a Store, keep: Keep) -> Self {
        Drafts { store, keep, writers: Vec::new() }
    }

    /// Completes every output first, then makes them all visible.
    pub fn publish(self) -> Result<Vec<Made>> {
        let mut drafts = Vec::with_capacity(self.writers.len());
        for (output, writer) in self.writers {
            drafts.push((output, writer.finish()?));
        }
        let publish = |(output, draft): (Output, crate::store::blob::Draft)| {
            let fact = Fact { digest: draft.digest(), bytes: draft.bytes() };
            Ok(Made { output, fact, blob: draft.publish()? })
        };
        drafts.into_iter().map(publish).collect()
    }
}

impl Outputs for Drafts<'_> {
    fn create(&mut self, output: &Output) -> Result<Slot> {
        self.writers.push((output.clone(), self.store.writer(self.keep)?));
        Ok(Slot(self.writers.len() - 1))
    }

    fn append(&mut self, slot: Slot, bytes: &[u8]) -> Result<()> {
        let writer = self.writers.get_mut(slot.0).map(|(_, writer)| writer);
        writer.ok_or_else(|| Error::internal("a run wrote to an output that it had not created"))?.append(bytes)
    }
}
