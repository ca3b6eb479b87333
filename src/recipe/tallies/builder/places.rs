//! Where whose lines are, noted line by line.

use crate::recipe::tallies::lines::Place;

/// Every line since the last runs.
#[derive(Default)]
pub(super) struct Places(Vec<Noted>);

/// A line of a course.
#[derive(Clone, Copy)]
struct Noted {
    offset: u64,
    course: u32,
    person: u32,
    /// Its bytes, and in the highest bit whether it is a video event: no line is over 64 MiB.
    bytes: u32,
}

const VIDEO: u32 = 1 << 31;

/// Bits of a line's number among those noted, and of a person's: they and a course's make one word.
pub(super) const LINE_BITS: u32 = 20;
pub(super) const PERSON_BITS: u32 = 21;

impl Places {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn add(&mut self, course: u32, person: u32, offset: u64, bytes: usize, is_video: bool) {
        let video = if is_video { VIDEO } else { 0 };
        self.0.push(Noted { offset, course, person, bytes: bytes as u32 & !VIDEO | video });
    }

    /// The lines in order of their course's rank, then of their person's, then of themselves.
    pub(super) fn sorted(&self, course_ranks: &[u32], person_rank: impl Fn(u32) -> u32) -> Sorted<'_> {
        let mut words: Vec<u64> = self
            .0
            .iter()
            .enumerate()
            .map(|(number, line)| {
                let course = u64::from(course_ranks[line.course as usize]);
                let person = u64::from(person_rank(line.person));
                (course << PERSON_BITS | person) << LINE_BITS | number as u64
            })
            .collect();
        words.sort_unstable();
        Sorted { places: self, words }
    }
}

pub(super) struct Sorted<'p> {
    places: &'p Places,
    words: Vec<u64>,
}

impl Sorted<'_> {
    /// The lines of one course and person after the other: the ranks of both, and the lines' places.
    pub(super) fn people(&self) -> impl Iterator<Item = (usize, u32, impl Iterator<Item = Place>)> {
        self.words.chunk_by(|one, other| one >> LINE_BITS == other >> LINE_BITS).map(|words| {
            let of = words[0] >> LINE_BITS;
            let places = words.iter().map(|word| self.places.place(*word));
            ((of >> PERSON_BITS) as usize, (of & ((1 << PERSON_BITS) - 1)) as u32, places)
        })
    }
}

impl Places {
    fn place(&self, word: u64) -> Place {
        let line = self.0[(word & ((1 << LINE_BITS) - 1)) as usize];
        Place { offset: line.offset, bytes: u64::from(line.bytes & !VIDEO), is_video: line.bytes & VIDEO != 0 }
    }
}
