//! Runs: records in strictly ascending order of key, one behind the other.
//!
//! ```text
//! shared  varint   bytes that the key has in common with the one before
//! rest    varint   bytes of the key behind those, and themselves
//! value   varint   bytes of the value, and themselves
//! ```
//!
//! A run ends where its bytes end. What keys and values mean is said in `record` and `lines`.

use std::io::{ErrorKind, Read};
use std::ops::Range;

use crate::error::{Error, Result};
use crate::recipe::tallies::varint;

/// A key and its value are never longer together: they come from lines of 64 MiB at most, and U+FFFD, which stands for a
/// byte that is no UTF-8, has three.
pub const RECORD_LIMIT: u64 = 200 << 20;

/// What a reader holds, but for a record that is longer.
const READ_BYTES: usize = 48 << 10;

/// Lengths of a record take no more than three varints.
const LENGTHS_BYTES: usize = 30;

/// Writes a run into memory; what is written may be taken out on the way.
#[derive(Default)]
pub struct RunWriter {
    written: Vec<u8>,
    last_key: Vec<u8>,
    is_begun: bool,
}

impl RunWriter {
    pub fn new() -> Self {
        RunWriter::default()
    }

    /// Appends one record. Errors: `Internal` for a key that is not behind the last one.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let shared = shared_bytes(&self.last_key, key);
        if self.is_begun && key[shared..] <= self.last_key[shared..] {
            return Err(Error::internal("tallies were written out of order"));
        }
        self.is_begun = true;
        varint::push(&mut self.written, shared as u64);
        varint::push(&mut self.written, (key.len() - shared) as u64);
        self.written.extend_from_slice(&key[shared..]);
        varint::push(&mut self.written, value.len() as u64);
        self.written.extend_from_slice(value);
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(&key[shared..]);
        Ok(())
    }

    /// What is written and not yet taken.
    pub fn written(&self) -> &[u8] {
        &self.written
    }

    /// Forgets what is written, which has been taken; the run goes on.
    pub fn clear_written(&mut self) {
        self.written.clear();
    }

    /// What is written and not yet taken; the run goes on.
    pub fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }

    pub fn finish(self) -> Vec<u8> {
        self.written
    }
}

fn shared_bytes(one: &[u8], other: &[u8]) -> usize {
    let (words, _) = one.as_chunks::<8>();
    let (other_words, _) = other.as_chunks::<8>();
    let mut shared = 0;
    for (word, other_word) in words.iter().zip(other_words) {
        let differing = u64::from_le_bytes(*word) ^ u64::from_le_bytes(*other_word);
        if differing != 0 {
            return shared + differing.trailing_zeros() as usize / 8;
        }
        shared += 8;
    }
    shared + one[shared..].iter().zip(&other[shared..]).take_while(|(one, other)| one == other).count()
}

/// Reads a run in bounded memory: 48 KiB and the longest record.
pub struct RunReader<R> {
    run: R,
    /// `buffer[start..end]` is read and not yet given out.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    key: Vec<u8>,
    /// The present value, in `buffer`.
    value: Range<usize>,
    is_begun: bool,
}

/// Where a record lies, behind `start`.
struct Layout {
    shared: usize,
    rest: Range<usize>,
    value: Range<usize>,
}

impl<R: Read> RunReader<R> {
    pub fn new(run: R) -> Self {
        RunReader { run, buffer: Vec::new(), start: 0, end: 0, key: Vec::new(), value: 0..0, is_begun: false }
    }

    /// The next key and its value; None behind the last. Errors: `Corrupt`, and those of the bytes below.
    #[allow(clippy::should_implement_trait, reason = "records are lent, not given")]
    pub fn next(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        Ok(self.advance()?.then_some((&self.key, &self.buffer[self.value.clone()])))
    }

    /// Goes to the next record; false behind the last, where there is no present record.
    pub fn advance(&mut self) -> Result<bool> {
        loop {
            let needed = match self.layout()? {
                Ok(layout) => return self.take(layout).map(|()| true),
                Err(needed) => needed,
            };
            if !self.fill(needed)? {
                return if self.start == self.end { Ok(false) } else { Err(damaged()) };
            }
        }
    }

    /// The present record's key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The present record's value.
    pub fn value(&self) -> &[u8] {
        &self.buffer[self.value.clone()]
    }

    /// Where the next record lies, or how many bytes must be there before that can be said.
    fn layout(&self) -> Result<std::result::Result<Layout, usize>> {
        let unread = &self.buffer[self.start..self.end];
        let mut bytes = unread;
        let Some((shared, rest)) = take_pair(&mut bytes) else { return self.more_lengths() };
        if shared > self.key.len() as u64 || shared.saturating_add(rest) > RECORD_LIMIT {
            return Err(damaged());
        }
        let rest_start = self.end - bytes.len();
        let rest = rest_start..rest_start + rest as usize;
        if rest.end > self.end {
            return Ok(Err(rest.end - self.start + LENGTHS_BYTES));
        }
        bytes = &self.buffer[rest.end..self.end];
        let Some(length) = varint::take(&mut bytes) else { return self.more_lengths_behind(rest.end) };
        if length.saturating_add(shared).saturating_add(rest.len() as u64) > RECORD_LIMIT {
            return Err(damaged());
        }
        let value_start = self.end - bytes.len();
        let value = value_start..value_start + length as usize;
        if value.end > self.end {
            return Ok(Err(value.end - self.start));
        }
        Ok(Ok(Layout { shared: shared as usize, rest, value }))
    }

    fn more_lengths(&self) -> Result<std::result::Result<Layout, usize>> {
        self.more_lengths_behind(self.start)
    }

    fn more_lengths_behind(&self, at: usize) -> Result<std::result::Result<Layout, usize>> {
        if self.end - at >= LENGTHS_BYTES { Err(damaged()) } else { Ok(Err(at - self.start + LENGTHS_BYTES)) }
    }

    fn take(&mut self, layout: Layout) -> Result<()> {
        let rest = &self.buffer[layout.rest];
        if self.is_begun && *rest <= self.key[layout.shared..] {
            return Err(damaged());
        }
        self.is_begun = true;
        self.key.truncate(layout.shared);
        self.key.extend_from_slice(rest);
        self.start = layout.value.end;
        self.value = layout.value;
        Ok(())
    }

    /// Reads until `needed` bytes are there; false where the run has no further byte.
    fn fill(&mut self, needed: usize) -> Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        self.value = 0..0;
        // Whatever a length claims, room comes with bytes that are really there.
        let room = needed.min(2 * self.end).max(READ_BYTES);
        self.buffer.resize(room, 0);
        self.buffer.shrink_to(room);
        loop {
            match self.run.read(&mut self.buffer[self.end..]) {
                Ok(bytes) => {
                    self.end += bytes;
                    return Ok(bytes > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn take_pair(bytes: &mut &[u8]) -> Option<(u64, u64)> {
    Some((varint::take(bytes)?, varint::take(bytes)?))
}

fn damaged() -> Error {
    Error::corrupt("a run of tallies is damaged")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    use super::*;
    use crate::error::ErrorKind as Kind;

    /// Gives at most so many bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = buffer.len().min(self.1);
            self.0.read(&mut buffer[..length])
        }
    }

    fn write(records: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
        let mut writer = RunWriter::new();
        records.iter().for_each(|(key, value)| writer.push(key, value).expect("in order"));
        writer.finish()
    }

    fn read(run: &[u8], step: usize) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let mut reader = RunReader::new(Slow(run, step));
        let mut records = BTreeMap::new();
        while let Some((key, value)) = reader.next()? {
            records.insert(key.to_vec(), value.to_vec());
        }
        Ok(records)
    }

    proptest! {
        #[test]
        fn records_come_back(
            records in prop::collection::btree_map("[ab]{0,6}".prop_map(String::into_bytes), any::<Vec<u8>>(), 0..20),
            step in 1usize..50,
        ) {
            prop_assert_eq!(read(&write(&records), step).expect("a good run"), records);
        }

        #[test]
        fn damage_is_an_error(bytes: Vec<u8>, step in 1usize..50) {
            if let Err(error) = read(&bytes, step) {
                prop_assert_eq!(error.kind(), Kind::Corrupt);
            }
        }
    }

    #[test]
    fn long_records_pass_and_their_room_is_given_back() {
        let records: BTreeMap<_, _> =
            [(vec![1; 100], vec![7; 3 << 20]), (vec![1; 200_000], vec![8]), (vec![2], vec![9; 10])].into();
        let run = write(&records);
        for step in [1000, usize::MAX] {
            assert_eq!(read(&run, step).expect("a good run"), records);
        }
        let mut reader = RunReader::new(&run[..]);
        while reader.advance().expect("a good run") {}
        assert!(reader.buffer.capacity() <= READ_BYTES, "{}", reader.buffer.capacity());
        assert_eq!(read(&run[..run.len() - 1], 1000).expect_err("cut").kind(), Kind::Corrupt);
    }

    #[test]
    fn a_length_without_bytes_takes_no_room() {
        let mut run = vec![0, 1, b'k'];
        varint::push(&mut run, RECORD_LIMIT - 1);
        let mut reader = RunReader::new(&run[..]);
        assert_eq!(reader.advance().expect_err("cut").kind(), Kind::Corrupt);
        assert!(reader.buffer.capacity() <= READ_BYTES);
        let mut run = vec![0, 1, b'k'];
        varint::push(&mut run, RECORD_LIMIT);
        assert_eq!(read(&run, 9).expect_err("too long").kind(), Kind::Corrupt);
    }

    #[test]
    fn keys_out_of_order_are_refused() {
        let mut writer = RunWriter::new();
        writer.push(b"b", b"").expect("the first");
        for key in [&b"a"[..], b"b", b""] {
            assert_eq!(writer.push(key, b"").expect_err("out of order").kind(), Kind::Internal);
        }
        assert_eq!(writer.take_written(), b"\x00\x01b\x00");
        writer.push(b"bc", b"x").expect("in order");
        assert_eq!(writer.finish(), b"\x01\x01c\x01x");
        assert_eq!(read(b"\x00\x01b\x00\x00\x01b\x00", 9).expect_err("equal keys").kind(), Kind::Corrupt);
    }
}
