//! Tallies that are more than a count, and rare: kept as their bytes, merged as they come.

use std::collections::BTreeMap;
use std::collections::btree_map::{Entry, Range};

use crate::error::Result;
use crate::recipe::tallies::record::{Record, merge_values};

/// One course's.
#[derive(Default)]
pub(super) struct Valued(BTreeMap<Vec<u8>, Vec<u8>>);

/// Keys and values in order.
pub(super) type Records<'v> = Range<'v, Vec<u8>, Vec<u8>>;

/// Bytes of one record, used again and again.
#[derive(Default)]
pub(super) struct Bytes {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

impl Bytes {
    pub(super) fn encode(&mut self, record: &Record<'_>) {
        self.key.clear();
        self.value.clear();
        record.encode(&mut self.key, &mut self.value);
    }
}

impl Valued {
    /// What a record takes beside its bytes, about.
    const RECORD_BYTES: usize = 80;

    /// Merges a record that is later than those before it; gives how many bytes more are held, about.
    pub(super) fn keep(&mut self, bytes: &mut Bytes, record: &Record<'_>) -> Result<usize> {
        bytes.encode(record);
        match self.0.entry(bytes.key.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(bytes.value.clone());
                Ok(bytes.key.len() + bytes.value.len() + Self::RECORD_BYTES)
            }
            Entry::Occupied(mut occupied) => {
                let held = occupied.get().len();
                merge_values(&bytes.key, occupied.get_mut(), &bytes.value)?;
                Ok(occupied.get().len().saturating_sub(held))
            }
        }
    }

    /// The records before and those behind the first key that is counted.
    pub(super) fn around(&self, first_counted: &[u8]) -> (Records<'_>, Records<'_>) {
        let first = first_counted.to_vec();
        (self.0.range(..first.clone()), self.0.range(first..))
    }
}
