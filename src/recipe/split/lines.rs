//! Cuts a stream into runs of whole lines, copying only the line that a read has cut in two.

use std::io::{ErrorKind, Read};
use std::ops::Range;

use crate::error::Result;

/// The longest line that is looked into, without its line end, in bytes.
pub(super) const LINE_LIMIT: usize = 64 << 20;

/// What is asked of the log at once, at least.
const READ_BYTES: usize = 1 << 20;

/// The next part of the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Lines with their line ends, the log's last line perhaps without. Now and then one is over the limit.
    Lines(&'a [u8]),
    /// Part of a line over the limit.
    TooLong(&'a [u8]),
    /// That line is over.
    TooLongEnds,
}

/// Where the reading stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Lines,
    TooLong,
    TooLongEnds,
}

pub(super) struct Lines<'r> {
    log: &'r mut dyn Read,
    buffer: Vec<u8>,
    /// The bytes read and not yet handed out.
    unread: Range<usize>,
    /// No line ends before this, from the start of `unread` on.
    searched: usize,
    log_has_ended: bool,
    state: State,
}

impl<'r> Lines<'r> {
    pub(super) fn new(log: &'r mut dyn Read) -> Self {
        Lines {
            log,
            buffer: vec![0; 2 * READ_BYTES],
            unread: 0..0,
            searched: 0,
            log_has_ended: false,
            state: State::Lines,
        }
    }

    /// The next piece; None at the log's end. Errors: the log's.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'_>>> {
        loop {
            match self.state {
                State::TooLongEnds => {
                    self.state = State::Lines;
                    return Ok(Some(Piece::TooLongEnds));
                }
                State::Lines => {
                    if let Some(end) = self.end_of_lines() {
                        let piece = self.take(end);
                        return Ok(Some(Piece::Lines(&self.buffer[piece])));
                    }
                    if self.log_has_ended {
                        return Ok(None);
                    }
                    if self.unread.len() > LINE_LIMIT {
                        self.state = State::TooLong;
                        continue;
                    }
                }
                State::TooLong => {
                    if !self.unread.is_empty() {
                        let end = memchr::memchr(b'\n', &self.buffer[self.unread.clone()]);
                        self.state = if end.is_some() { State::TooLongEnds } else { State::TooLong };
                        let piece = self.take(end.map_or(self.unread.end, |end| self.unread.start + end + 1));
                        return Ok(Some(Piece::TooLong(&self.buffer[piece])));
                    }
                    if self.log_has_ended {
                        self.state = State::TooLongEnds;
                        continue;
                    }
                }
            }
            self.read_more()?;
        }
    }

    /// Where the last whole line ends; at the log's end, where the log does.
    fn end_of_lines(&mut self) -> Option<usize> {
        let new = &self.buffer[self.searched.max(self.unread.start)..self.unread.end];
        let end = self.unread.end - new.len() + memchr::memrchr(b'\n', new).map_or(0, |at| at + 1);
        let found = end > self.unread.end - new.len();
        self.searched = self.unread.end;
        if found {
            return Some(end);
        }
        (self.log_has_ended && !self.unread.is_empty()).then_some(self.unread.end)
    }

    fn take(&mut self, end: usize) -> Range<usize> {
        let taken = self.unread.start..end;
        self.unread.start = end;
        taken
    }

    fn read_more(&mut self) -> Result<()> {
        if self.buffer.len() - self.unread.end < READ_BYTES {
            self.make_room();
        }
        loop {
            match self.log.read(&mut self.buffer[self.unread.end..]) {
                Ok(count) => {
                    self.log_has_ended = count == 0;
                    self.unread.end += count;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Moves what is unread to the front, and grows the buffer where that is not enough, never beyond the limit.
    fn make_room(&mut self) {
        self.buffer.copy_within(self.unread.clone(), 0);
        self.searched = self.searched.saturating_sub(self.unread.start);
        self.unread = 0..self.unread.len();
        if self.buffer.len() - self.unread.end < READ_BYTES {
            let most = LINE_LIMIT + READ_BYTES;
            // The last step is a large one: growing from near the limit would hold the line twice for a moment.
            let length = if self.buffer.len() < most / 4 { 2 * self.buffer.len() } else { most };
            self.buffer.reserve_exact(length - self.buffer.len());
            self.buffer.resize(length, 0);
        }
    }
}
