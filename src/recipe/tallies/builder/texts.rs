//! Texts by number: each is kept once, and a number stands for it.

use std::hash::{BuildHasher, RandomState};

/// Numbers begin at 0, in the order in which texts came.
pub(super) struct Texts {
    /// One text behind the other.
    text: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// A power of two of them, at least half of them empty; a text stands behind others of its place.
    slots: Vec<Slot>,
    /// Keyed anew in every process, as learners choose texts; no order comes of it.
    hasher: RandomState,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// Part of the hash.
    tag: u32,
    /// The text's number + 1, or 0.
    number: u32,
}

impl Texts {
    const FIRST_SLOTS: usize = 1 << 10;

    pub(super) fn new() -> Self {
        let slots = vec![Slot::default(); Self::FIRST_SLOTS];
        Texts { text: String::new(), ends: Vec::new(), slots, hasher: RandomState::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// What is held, about.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.ends.len() * size_of::<usize>() + self.slots.len() * size_of::<Slot>()
    }

    pub(super) fn get(&self, number: u32) -> &str {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[number]]
    }

    /// The number of a text that has one.
    #[inline]
    pub(super) fn find(&self, text: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        self.slots[self.slot_of(hash, text)].number.checked_sub(1)
    }

    /// The number of a text; it has one from now on.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text.as_bytes());
        let at = self.slot_of(hash, text.as_bytes());
        if let Some(number) = self.slots[at].number.checked_sub(1) {
            return number;
        }
        self.text.push_str(text);
        self.ends.push(self.text.len());
        let number = self.ends.len() as u32;
        self.slots[at] = Slot { tag: tag(hash), number };
        if self.ends.len() * 2 > self.slots.len() {
            self.grow();
        }
        number - 1
    }

    /// The slot of the text, or the empty one where it would be.
    #[inline]
    fn slot_of(&self, hash: u64, text: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.number == 0 || (slot.tag == tag(hash) && self.get(slot.number - 1).as_bytes() == text) {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        self.slots = vec![Slot::default(); mask + 1];
        for number in 0..self.ends.len() as u32 {
            let hash = self.hasher.hash_one(self.get(number).as_bytes());
            let mut at = hash as usize & mask;
            while self.slots[at].number != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = Slot { tag: tag(hash), number: number + 1 };
        }
    }

    /// Every number's rank in the order of what `write` makes of its text.
    pub(super) fn order(&self, write: impl Fn(&str, &mut Vec<u8>)) -> Order {
        let mut keys = Vec::with_capacity(self.text.len() + 4 * self.len());
        let ends: Vec<usize> = (0..self.len() as u32)
            .map(|number| {
                write(self.get(number), &mut keys);
                keys.len()
            })
            .collect();
        let key = |number: u32| {
            let start = (number as usize).checked_sub(1).map_or(0, |before| ends[before]);
            &keys[start..ends[number as usize]]
        };
        let mut numbers: Vec<u32> = (0..self.len() as u32).collect();
        numbers.sort_unstable_by(|one, other| key(*one).cmp(key(*other)));
        let mut ranks = vec![0; numbers.len()];
        for (rank, number) in numbers.iter().enumerate() {
            ranks[*number as usize] = rank as u32;
        }
        Order { numbers, ranks }
    }
}

/// Texts in order.
pub(super) struct Order {
    /// By rank.
    pub(super) numbers: Vec<u32>,
    /// By number.
    pub(super) ranks: Vec<u32>,
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_its_number_and_finds_its_rank() {
        let mut texts = Texts::new();
        let all: Vec<String> = (0..5000).map(|number| (number * 7919 % 5000).to_string()).collect();
        for _ in 0..2 {
            for (number, text) in all.iter().enumerate() {
                assert_eq!(texts.number(text), number as u32);
            }
        }
        assert_eq!((texts.len(), texts.find(b"5000")), (5000, None));
        let order = texts.order(|text, key| key.extend_from_slice(text.as_bytes()));
        let sorted: Vec<_> = order.numbers.iter().map(|number| texts.get(*number)).collect();
        assert!(sorted.is_sorted() && sorted.len() == 5000);
        for (number, text) in all.iter().enumerate() {
            assert_eq!((texts.get(number as u32), texts.find(text.as_bytes())), (text.as_str(), Some(number as u32)));
            assert_eq!(sorted[order.ranks[number] as usize], text);
        }
        assert_eq!(texts.number(""), 5000);
        assert_eq!(texts.get(5000), "");
    }
}
