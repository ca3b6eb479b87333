//! What lies on the shelf, what it weighs, and what goes when room is needed. No files.
//!
//! Ordinary blobs go first, the least recently used of them first. Lasting ones may take a quarter of the limit: what
//! they have beyond it goes before anything else, what they have within it goes last.

use std::sync::Weak;

use crate::store::blob::{Digest, Keep, Opened};
use crate::store::lru::Lru;

/// How long a blob is worth its room. Says in which folder it lies, so that a restart knows it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelving {
    Ordinary,
    /// Small beside what it spares: evicted last, within a quarter of the limit.
    Lasting,
}

impl Shelving {
    pub(super) const ALL: [Shelving; 2] = [Shelving::Ordinary, Shelving::Lasting];
}

/// A blob that has left the books, its file still there.
pub(super) type Evicted = (Shelving, Digest);

#[derive(Default)]
struct Class {
    /// Every blob file known; alive where it is open.
    blobs: Lru<Digest, Weak<Opened>>,
    /// Disk bytes of files being written.
    reserved: u64,
}

impl Class {
    fn used(&self) -> u64 {
        self.blobs.bytes() + self.reserved
    }

    /// Evicts until `bytes` less are used, or nothing is left.
    fn shed(&mut self, bytes: u64, shelving: Shelving, evicted: &mut Vec<Evicted>) {
        let left = self.blobs.bytes().saturating_sub(bytes);
        // To remove an open file frees nothing yet, so those come last.
        let gone = self.blobs.shrink(left, |opened| opened.strong_count() == 0);
        evicted.extend(gone.into_iter().map(|(digest, _)| (shelving, digest)));
    }
}

/// All blobs and files being written, within a limit.
pub(super) struct Budget {
    limit: u64,
    ordinary: Class,
    lasting: Class,
}

impl Budget {
    pub fn new(limit: u64) -> Self {
        Budget { limit, ordinary: Class::default(), lasting: Class::default() }
    }

    pub fn limit(&self) -> u64 {
        self.limit
    }

    pub fn used(&self) -> u64 {
        self.ordinary.used() + self.lasting.used()
    }

    /// Whether `bytes` more need no eviction.
    pub fn has_room(&self, bytes: u64, shelving: Shelving) -> bool {
        let within = |used: u64, limit: u64| used.saturating_add(bytes) <= limit;
        within(self.used(), self.limit)
            && (shelving == Shelving::Ordinary || within(self.lasting.used(), self.lasting_limit()))
    }

    /// Adds `bytes` of a file being written, if they fit or can be made to fit; what had to go for them.
    ///
    /// A lasting file that is larger than the quarter alone is not refused for it: whoever wants it needs it now.
    pub fn reserve(&mut self, bytes: u64, keep: Keep, shelving: Shelving) -> Option<Vec<Evicted>> {
        let fixed = self.ordinary.reserved + self.lasting.reserved;
        let fits = match keep {
            Keep::Always => fixed.saturating_add(bytes) <= self.limit,
            Keep::IfRoom => self.has_room(bytes, shelving),
        };
        if !fits {
            return None;
        }
        self.class(shelving).reserved += bytes;
        let mut evicted = Vec::new();
        if shelving == Shelving::Lasting {
            self.shed_beyond_quarter(u64::MAX, &mut evicted);
        }
        self.shed_beyond_limit(&mut evicted);
        Some(evicted)
    }

    pub fn release(&mut self, bytes: u64, shelving: Shelving) {
        self.class(shelving).reserved -= bytes;
    }

    /// What has to go for the limits, which may have been others when it came.
    pub fn evict(&mut self) -> Vec<Evicted> {
        let mut evicted = Vec::new();
        self.shed_beyond_quarter(u64::MAX, &mut evicted);
        self.shed_beyond_limit(&mut evicted);
        evicted
    }

    /// The blob as the most recently used.
    pub fn insert(&mut self, digest: Digest, opened: Weak<Opened>, bytes: u64, shelving: Shelving) {
        self.class(shelving).blobs.insert(digest, opened, bytes);
    }

    /// The blob as the least recently used, unless it is known already.
    pub fn insert_oldest(&mut self, digest: Digest, bytes: u64, shelving: Shelving) {
        self.class(shelving).blobs.insert_oldest(digest, Weak::new(), bytes);
    }

    /// The blob, now the most recently used.
    pub fn touch(&mut self, digest: &Digest) -> Option<&Weak<Opened>> {
        let Budget { ordinary, lasting, .. } = self;
        ordinary.blobs.touch(digest).or_else(|| lasting.blobs.touch(digest))
    }

    pub fn peek(&self, digest: &Digest) -> Option<&Weak<Opened>> {
        self.ordinary.blobs.peek(digest).or_else(|| self.lasting.blobs.peek(digest))
    }

    pub fn remove(&mut self, digest: &Digest, shelving: Shelving) {
        self.class(shelving).blobs.remove(digest);
    }

    fn shed_beyond_limit(&mut self, evicted: &mut Vec<Evicted>) {
        self.shed_beyond_quarter(self.used().saturating_sub(self.limit), evicted);
        let excess = self.used().saturating_sub(self.limit);
        self.ordinary.shed(excess, Shelving::Ordinary, evicted);
        let excess = self.used().saturating_sub(self.limit);
        self.lasting.shed(excess, Shelving::Lasting, evicted);
    }

    /// What lasting blobs have beyond their quarter, but at most `bytes` and what the last of them has more.
    fn shed_beyond_quarter(&mut self, bytes: u64, evicted: &mut Vec<Evicted>) {
        let excess = self.lasting.used().saturating_sub(self.lasting_limit());
        self.lasting.shed(excess.min(bytes), Shelving::Lasting, evicted);
    }

    fn lasting_limit(&self) -> u64 {
        self.limit / 4
    }

    fn class(&mut self, shelving: Shelving) -> &mut Class {
        match shelving {
            Shelving::Ordinary => &mut self.ordinary,
            Shelving::Lasting => &mut self.lasting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest::from_bytes([number; 32])
    }

    /// With blobs of 10 bytes each, numbered from the oldest: ordinary from 0, lasting from 100.
    fn budget(limit: u64, ordinary: u8, lasting: u8) -> Budget {
        let mut budget = Budget::new(limit);
        for (first, count, shelving) in [(0, ordinary, Shelving::Ordinary), (100, lasting, Shelving::Lasting)] {
            for number in 0..count {
                budget.insert(digest(first + number), Weak::new(), 10, shelving);
            }
        }
        budget
    }

    fn numbers(evicted: Option<Vec<Evicted>>) -> Option<Vec<u8>> {
        evicted.map(|gone| gone.iter().map(|(_, digest)| digest.as_bytes()[0]).collect())
    }

    #[test]
    fn ordinary_blobs_go_before_lasting_ones() {
        let mut budget = budget(100, 8, 2);
        assert_eq!(numbers(budget.reserve(30, Keep::Always, Shelving::Ordinary)), Some(vec![0, 1, 2]));
        assert_eq!(numbers(budget.reserve(60, Keep::Always, Shelving::Ordinary)), Some(vec![3, 4, 5, 6, 7, 100]));
        assert_eq!(numbers(budget.reserve(11, Keep::Always, Shelving::Ordinary)), None);
        assert_eq!(budget.used(), 100);
    }

    #[test]
    fn a_lasting_blob_beyond_the_quarter_drives_out_older_ones() {
        let mut budget = budget(100, 1, 2);
        budget.touch(&digest(100));
        assert_eq!(numbers(budget.reserve(10, Keep::Always, Shelving::Lasting)), Some(vec![101]));
        assert_eq!(numbers(budget.reserve(30, Keep::Always, Shelving::Lasting)), Some(vec![100]));
        assert_eq!(numbers(budget.reserve(51, Keep::Always, Shelving::Lasting)), Some(vec![0]));
        assert_eq!(numbers(budget.reserve(10, Keep::Always, Shelving::Lasting)), None);
    }

    #[test]
    fn what_lasting_blobs_have_beyond_the_quarter_goes_first_and_only_as_far_as_needed() {
        let mut budget = budget(100, 4, 6);
        assert_eq!(numbers(budget.reserve(10, Keep::Always, Shelving::Ordinary)), Some(vec![100]));
        assert_eq!(numbers(budget.reserve(40, Keep::Always, Shelving::Ordinary)), Some(vec![101, 102, 103, 0]));
    }

    #[test]
    fn what_is_kept_only_if_there_is_room_needs_room_in_the_quarter_too() {
        let mut budget = budget(100, 2, 2);
        assert_eq!(numbers(budget.reserve(6, Keep::IfRoom, Shelving::Lasting)), None);
        assert_eq!(numbers(budget.reserve(5, Keep::IfRoom, Shelving::Lasting)), Some(vec![]));
        assert_eq!(numbers(budget.reserve(1, Keep::IfRoom, Shelving::Lasting)), None);
        assert_eq!(numbers(budget.reserve(56, Keep::IfRoom, Shelving::Ordinary)), None);
        assert_eq!(numbers(budget.reserve(55, Keep::IfRoom, Shelving::Ordinary)), Some(vec![]));
        budget.release(5, Shelving::Lasting);
        assert!(budget.has_room(5, Shelving::Lasting) && !budget.has_room(6, Shelving::Ordinary));
    }

    #[test]
    fn a_lower_limit_is_kept_by_both_classes() {
        let mut budget = budget(80, 6, 4);
        assert_eq!(numbers(Some(budget.evict())), Some(vec![100, 101]));
        assert_eq!(budget.used(), 80);
    }
}
