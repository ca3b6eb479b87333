//! What runs have taught about days and courses, held in memory: a listing of years asks the ledger once for each day.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::edx::course_run::CourseId;
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
    days: HashMap<ObjectId, Box<[u32]>>,
    /// Days that were not decoded when the engine had made `as_of` runs.
    undecoded: HashSet<ObjectId>,
    as_of: u64,
    /// By the identity of the structure's artifact.
    titles: HashMap<Vec<u8>, Arc<str>>,
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
        if state.as_of != runs {
            state.as_of = runs;
            state.undecoded.clear();
        }
        if state.undecoded.contains(log) {
            return None;
        }
        if !state.days.contains_key(log) {
            drop(state);
            let found = look_up();
            state = self.state();
            let Some(ids) = found else {
                state.undecoded.insert(log.clone());
                return None;
            };
            let ids = state.numbers_of(ids);
            state.days.insert(log.clone(), ids);
        }
        let day = state.days.get(log)?;
        let holds = |id: &CourseId| state.numbers.get(id).is_some_and(|number| day.binary_search(number).is_ok());
        Some(answer(&holds))
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
    fn numbers_of(&mut self, ids: Vec<CourseId>) -> Box<[u32]> {
        let mut numbers: Vec<u32> = Vec::with_capacity(ids.len());
        for id in ids {
            let next = self.numbers.len() as u32;
            numbers.push(*self.numbers.entry(id).or_insert(next));
        }
        numbers.sort_unstable();
        numbers.into()
    }
}
