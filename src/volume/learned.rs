//! What runs have taught about days and courses, held in memory: a listing of years asks the ledger once for each day.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::edx::course_run::CourseId;
use crate::recipe::make::Tallied;
use crate::source::ObjectId;

#[derive(Default)]
pub struct Learned {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Course ids are held once; days name them by number.
    numbers: HashMap<CourseId, u32>,
    /// The ids of each decoded day, as sorted numbers.
    held: Days<Box<[u32]>>,
    /// What each tallied day has of its courses, in order of number.
    tallied: Days<Box<[(u32, Slice)]>>,
    /// By the identity of the structure's artifact.
    titles: HashMap<Vec<u8>, Arc<str>>,
}

/// What is known of days, and which of them were not known when the engine had made `as_of` runs.
struct Days<V> {
    known: HashMap<ObjectId, V>,
    unknown: HashSet<ObjectId>,
    as_of: u64,
}

impl<V> Default for Days<V> {
    fn default() -> Self {
        Days { known: HashMap::new(), unknown: HashSet::new(), as_of: 0 }
    }
}

/// Whether a day has to be asked for.
enum Found {
    Known,
    /// Nothing has been run since it was not known.
    StillUnknown,
    ToAsk,
}

impl<V> Days<V> {
    fn find(&mut self, log: &ObjectId, runs: u64) -> Found {
        if self.as_of != runs {
            self.as_of = runs;
            self.unknown.clear();
        }
        match (self.unknown.contains(log), self.known.contains_key(log)) {
            (true, _) => Found::StillUnknown,
            (false, true) => Found::Known,
            (false, false) => Found::ToAsk,
        }
    }

    /// `runs` at the time before it was asked for.
    fn learn(&mut self, log: &ObjectId, runs: u64, found: Option<V>) {
        match found {
            Some(value) => drop(self.known.insert(log.clone(), value)),
            // Else a run may have made it known since.
            None if self.as_of == runs => drop(self.unknown.insert(log.clone())),
            None => {}
        }
    }
}

/// One course's slice of a day's tallies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub digest: [u8; 32],
    pub bytes: u64,
}

impl Learned {
    /// The answer for a day, as `holds` of its ids; None: not decoded. `runs` counts the runs so far: as long as it
    /// stands still, no undecoded day has been decoded. `look_up` gives a decoded day's ids.
    pub fn day<T>(
        &self,
        log: &ObjectId,
        runs: u64,
        look_up: impl FnOnce() -> Option<Vec<CourseId>>,
        answer: impl FnOnce(&dyn Fn(&CourseId) -> bool) -> T,
    ) -> Option<T> {
        let mut state = self.state();
        if let Found::ToAsk = state.held.find(log, runs) {
            drop(state);
            let found = look_up();
            state = self.state();
            let ids = found.map(|ids| state.numbers_of(ids));
            state.held.learn(log, runs, ids);
        }
        let day = state.held.known.get(log)?;
        let holds = |id: &CourseId| state.numbers.get(id).is_some_and(|number| day.binary_search(number).is_ok());
        Some(answer(&holds))
    }

    /// A course's slice of a day's tallies, None where it has no lines in it; None outside: not tallied. As `day`.
    pub fn slice(
        &self,
        log: &ObjectId,
        course: &CourseId,
        runs: u64,
        look_up: impl FnOnce() -> Option<Vec<Tallied>>,
    ) -> Option<Option<Slice>> {
        self.tallied(log, runs, look_up, |state, day| {
            let at = state.numbers.get(course).map(|number| day.binary_search_by_key(number, |(number, _)| *number));
            at.and_then(Result::ok).map(|at| day[at].1)
        })
    }

    /// Whether a day is tallied, whatever it has. As `slice`.
    pub fn is_tallied(&self, log: &ObjectId, runs: u64, look_up: impl FnOnce() -> Option<Vec<Tallied>>) -> bool {
        self.tallied(log, runs, look_up, |_, _| ()).is_some()
    }

    fn tallied<T>(
        &self,
        log: &ObjectId,
        runs: u64,
        look_up: impl FnOnce() -> Option<Vec<Tallied>>,
        answer: impl FnOnce(&State, &[(u32, Slice)]) -> T,
    ) -> Option<T> {
        let mut state = self.state();
        if let Found::ToAsk = state.tallied.find(log, runs) {
            drop(state);
            let found = look_up();
            state = self.state();
            let slices = found.map(|tallied| state.slices_of(tallied));
            state.tallied.learn(log, runs, slices);
        }
        let day = state.tallied.known.get(log)?;
        Some(answer(&state, day))
    }

    pub fn title(&self, structure: &[u8]) -> Option<Arc<str>> {
        self.state().titles.get(structure).cloned()
    }

    pub fn note_title(&self, structure: Vec<u8>, title: &Arc<str>) {
        self.state().titles.insert(structure, title.clone());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn number_of(&mut self, id: CourseId) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(id).or_insert(next)
    }

    fn numbers_of(&mut self, ids: Vec<CourseId>) -> Box<[u32]> {
        let mut numbers: Vec<u32> = ids.into_iter().map(|id| self.number_of(id)).collect();
        numbers.sort_unstable();
        numbers.into()
    }

    fn slices_of(&mut self, tallied: Vec<Tallied>) -> Box<[(u32, Slice)]> {
        let mut slices = Vec::with_capacity(tallied.len());
        for course in tallied {
            let Some(id) = CourseId::parse(&course.course) else { continue };
            slices.push((self.number_of(id), Slice { digest: course.digest, bytes: course.bytes }));
        }
        slices.sort_unstable_by_key(|(number, _)| *number);
        slices.into()
    }
}
