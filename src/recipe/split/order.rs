//! How `Loose` and the segments of merely mentioned ids interleave in a day's log.
//!
//! Format: runs, one behind the other. A run is
//!
//! ```text
//! segment   varint   0 is Loose; 1, 2, … are the ids, in the order in which they first come in here
//! id        varint length and the id's text; only where the segment is one more than the highest so far
//! bytes     varint   how many bytes of that segment come next, 1 or more
//! ```
//!
//! A varint has 7 bits a byte, the lowest first, and the high bit set in all bytes but the last. Lines of other ids
//! leave no trace, so runs of one segment with only such lines between are one run. Runs end where lines end. An id
//! that is stated later in the day stays in here with the runs of before; whoever reads skips them.

use std::io::{BufRead, Read};

use crate::edx::course_run::CourseId;
use crate::error::{Error, Result};
use crate::recipe::Slot;

/// What is collected before it is written, in bytes.
const LONG: usize = 64 << 10;

/// Course ids longer than this do not come in log lines that are read.
const ID_LIMIT: u64 = 64 << 20;

/// Writes an order, as the split goes.
pub(super) struct OrderWriter {
    pub(super) slot: Slot,
    written: Vec<u8>,
    /// By the split's number of the id.
    segments: Vec<Option<u64>>,
    ids: u64,
    run: Option<Pending>,
}

/// The run that may still grow.
struct Pending {
    segment: u64,
    /// Where this is the segment's first run.
    name: Option<CourseId>,
    bytes: u64,
}

impl OrderWriter {
    pub(super) fn new(slot: Slot) -> Self {
        OrderWriter { slot, written: Vec::new(), segments: Vec::new(), ids: 0, run: None }
    }

    /// Notes that `bytes` bytes come next: of an id, given with the split's number for it, or of `Loose`.
    pub(super) fn note(&mut self, course: Option<(usize, &CourseId)>, bytes: u64) {
        let known = course.map_or(Some(0), |(number, _)| self.segments.get(number).copied().flatten());
        if let Some(run) = self.run.as_mut().filter(|run| Some(run.segment) == known) {
            run.bytes += bytes;
            return;
        }
        self.end();
        let name = course.filter(|_| known.is_none()).map(|(_, id)| id.clone());
        let segment = known.unwrap_or_else(|| self.next_segment(course.map_or(0, |(number, _)| number)));
        self.run = Some(Pending { segment, name, bytes });
    }

    fn next_segment(&mut self, number: usize) -> u64 {
        self.ids += 1;
        self.segments.resize(self.segments.len().max(number + 1), None);
        self.segments[number] = Some(self.ids);
        self.ids
    }

    /// Ends the present run.
    pub(super) fn end(&mut self) {
        let Some(run) = self.run.take() else { return };
        push_varint(&mut self.written, run.segment);
        if let Some(id) = run.name {
            push_varint(&mut self.written, id.as_str().len() as u64);
            self.written.extend_from_slice(id.as_str().as_bytes());
        }
        push_varint(&mut self.written, run.bytes);
    }

    /// Whether enough has come together to be written.
    pub(super) fn is_long(&self) -> bool {
        self.written.len() >= LONG
    }

    pub(super) fn written(&self) -> &[u8] {
        &self.written
    }

    pub(super) fn clear(&mut self) {
        self.written.clear();
    }
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A run of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// None is `Loose`.
    pub id: Option<CourseId>,
    pub bytes: u64,
}

/// Reads an order, run by run.
pub struct OrderReader<R> {
    order: R,
    ids: Vec<CourseId>,
}

impl<R: BufRead> OrderReader<R> {
    pub fn new(order: R) -> Self {
        OrderReader { order, ids: Vec::new() }
    }

    /// The next run; None behind the last. Errors: `Corrupt`, and those of the bytes below.
    pub fn next_run(&mut self) -> Result<Option<Run>> {
        if self.order.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let segment = self.varint()?;
        let id = match segment.checked_sub(1) {
            None => None,
            Some(number) if number == self.ids.len() as u64 => Some(self.name()?),
            Some(number) => Some(self.ids.get(number as usize).cloned().ok_or_else(damaged)?),
        };
        Ok(Some(Run { id, bytes: self.varint()? }))
    }

    fn name(&mut self) -> Result<CourseId> {
        let length = self.varint()?;
        let mut text = String::new();
        if length > ID_LIMIT || self.order.by_ref().take(length).read_to_string(&mut text)? as u64 != length {
            return Err(damaged());
        }
        let id = CourseId::parse(&text).ok_or_else(damaged)?;
        self.ids.push(id.clone());
        Ok(id)
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let mut byte = [0];
            self.order.read_exact(&mut byte)?;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        Err(damaged())
    }
}

fn damaged() -> Error {
    Error::corrupt("the order of a day's unattributed lines is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of the example that the format was designed on: whoever changes them empties caches.
    #[test]
    fn the_format_stands() {
        let (a, b) = (CourseId::parse("A/B/C").expect("valid"), CourseId::parse("D/E/F").expect("valid"));
        let mut order = OrderWriter::new(Slot(0));
        order.note(None, 100);
        order.note(None, 200);
        order.note(Some((7, &b)), 5);
        order.note(None, 1);
        order.note(Some((2, &a)), 6);
        order.note(Some((7, &b)), 1 << 40);
        order.end();
        let mut expected = b"\x00\xac\x02\x01\x05D/E/F\x05\x00\x01\x02\x05A/B/C\x06\x01".to_vec();
        expected.extend([0x80, 0x80, 0x80, 0x80, 0x80, 0x20]);
        assert_eq!(order.written(), expected);

        let mut reader = OrderReader::new(order.written());
        let mut runs = Vec::new();
        while let Some(run) = reader.next_run().expect("a good order") {
            runs.push((run.id.map_or("-".to_owned(), |id| id.to_string()), run.bytes));
        }
        let expected = [("-", 300), ("D/E/F", 5), ("-", 1), ("A/B/C", 6), ("D/E/F", 1 << 40)];
        assert_eq!(runs, expected.map(|(id, bytes)| (id.to_owned(), bytes)));
    }

    #[test]
    fn damage_is_an_error() {
        for bytes in [
            &b"\x00"[..],
            b"\x02\x01",
            b"\x01\x05A/B",
            b"\x01\x03A/B\x01",
            b"\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            let error = OrderReader::new(bytes).next_run().expect_err("damaged");
            assert_eq!(error.kind(), crate::error::ErrorKind::Corrupt, "{bytes:?}");
        }
    }
}
