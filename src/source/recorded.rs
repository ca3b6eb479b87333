//! Notes each call of an inner source, so that a test can count what something cost; no behaviour of its own.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::source::{ObjectId, ObjectKey, ObjectMeta, ObjectReader, Source, Traffic};

/// One call, in the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    List,
    /// `read_bytes` grows while the reader is used: bytes given to it so far.
    Open {
        id: ObjectId,
        range: Range<u64>,
        read_bytes: u64,
    },
}

pub struct Recorded<S> {
    inner: S,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl<S> Recorded<S> {
    pub fn new(inner: S) -> Self {
        Recorded { inner, calls: Arc::default() }
    }

    pub fn inner(&self) -> &S {
        &self.inner
    }

    pub fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }

    pub fn lists(&self) -> usize {
        lock(&self.calls).iter().filter(|call| **call == Call::List).count()
    }

    /// The ranges opened of one key, of whatever version.
    pub fn opens(&self, key: &ObjectKey) -> Vec<Range<u64>> {
        self.opened(key).into_iter().map(|(range, _)| range).collect()
    }

    /// Bytes read of one key, all opens together.
    pub fn read_bytes(&self, key: &ObjectKey) -> u64 {
        self.opened(key).into_iter().map(|(_, bytes)| bytes).sum()
    }

    fn opened(&self, key: &ObjectKey) -> Vec<(Range<u64>, u64)> {
        let of_key = |call: &Call| match call {
            Call::Open { id, range, read_bytes } if id.key == *key => Some((range.clone(), *read_bytes)),
            _ => None,
        };
        lock(&self.calls).iter().filter_map(of_key).collect()
    }
}

impl<S: Source> Source for Recorded<S> {
    fn list(&self) -> Result<Vec<ObjectMeta>> {
        lock(&self.calls).push(Call::List);
        self.inner.list()
    }

    fn open(&self, id: &ObjectId, range: Range<u64>) -> Result<ObjectReader> {
        let index = {
            let mut calls = lock(&self.calls);
            calls.push(Call::Open { id: id.clone(), range: range.clone(), read_bytes: 0 });
            calls.len() - 1
        };
        let inner = self.inner.open(id, range)?;
        Ok(Box::new(RecordedReader { inner, index, calls: self.calls.clone() }))
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }
}

struct RecordedReader {
    inner: ObjectReader,
    index: usize,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Read for RecordedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        if let Some(Call::Open { read_bytes, .. }) = lock(&self.calls).get_mut(self.index) {
            *read_bytes += bytes as u64;
        }
        Ok(bytes)
    }
}

fn lock(calls: &Mutex<Vec<Call>>) -> MutexGuard<'_, Vec<Call>> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}
