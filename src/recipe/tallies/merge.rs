//! Sorted runs joined into one, record by record, in bounded memory.
//!
//! A tree of losers finds the next record in as many comparisons as the number of runs has binary digits. Each run is
//! read through a buffer of 48 KiB.

use std::io::Read;
use std::sync::Arc;

use crate::error::Result;
use crate::recipe::derived::Fold;
use crate::recipe::make::Inputs;
use crate::recipe::tallies::record::{Record, Records, merge_values};
use crate::recipe::tallies::run::RunReader;
use crate::recipe::{Artifact, Output, Recipe};

/// Bytes of a run.
pub type RunBytes = Box<dyn Read + Send>;

/// Runs as one: keys ascend strictly, values of one key are merged.
pub struct Merged {
    runs: Vec<Source>,
    /// At 0 the run whose record comes next. Below, the nodes of a tree whose leaves are the runs: each holds the run
    /// that lost there; node `n` has the children `2n` and `2n + 1`, and run `r` is leaf `runs + r`.
    tree: Vec<usize>,
    key: Vec<u8>,
    value: Vec<u8>,
}

struct Source {
    reader: RunReader<RunBytes>,
    is_over: bool,
}

impl Merged {
    /// `runs` are in order of time: of values that only time tells apart, the later run's wins.
    pub fn of_runs(runs: Vec<RunBytes>) -> Result<Self> {
        let mut sources = Vec::with_capacity(runs.len());
        for run in runs {
            let mut reader = RunReader::new(run);
            let is_over = !reader.advance()?;
            sources.push(Source { reader, is_over });
        }
        let mut merged = Merged { tree: vec![0; sources.len()], runs: sources, key: Vec::new(), value: Vec::new() };
        if !merged.runs.is_empty() {
            merged.tree[0] = merged.play(1);
        }
        Ok(merged)
    }

    /// `folds` are in order of time, of one course.
    pub fn of_folds(inputs: &dyn Inputs, folds: &[Arc<Fold>]) -> Result<Self> {
        let mut runs: Vec<RunBytes> = Vec::with_capacity(folds.len());
        for fold in folds {
            let artifact = Artifact { recipe: Recipe::Fold(fold.clone()), output: Output::Whole };
            runs.push(inputs.artifact(&artifact)?);
        }
        Merged::of_runs(runs)
    }

    /// The bytes of the next record; None behind the last. Errors: `Corrupt`, and those of the runs.
    pub fn next_bytes(&mut self) -> Result<Option<(&[u8], &[u8])>> {
        let Some(&first) = self.tree.first() else { return Ok(None) };
        if self.runs[first].is_over {
            return Ok(None);
        }
        let reader = &self.runs[first].reader;
        self.key.clear();
        self.key.extend_from_slice(reader.key());
        self.value.clear();
        self.value.extend_from_slice(reader.value());
        self.advance(first)?;
        loop {
            let next = &self.runs[self.tree[0]];
            if next.is_over || next.reader.key() != self.key {
                return Ok(Some((&self.key, &self.value)));
            }
            merge_values(&self.key, &mut self.value, next.reader.value())?;
            self.advance(self.tree[0])?;
        }
    }

    /// Takes the run that has won to its next record, and finds who wins now.
    fn advance(&mut self, winner: usize) -> Result<()> {
        let source = &mut self.runs[winner];
        source.is_over = !source.reader.advance()?;
        let mut best = winner;
        let mut node = (winner + self.runs.len()) / 2;
        while node > 0 {
            if self.is_before(self.tree[node], best) {
                std::mem::swap(&mut self.tree[node], &mut best);
            }
            node /= 2;
        }
        self.tree[0] = best;
        Ok(())
    }

    /// Who wins below `node`; notes who loses in there.
    fn play(&mut self, node: usize) -> usize {
        let Some(leaf) = node.checked_sub(self.runs.len()) else {
            let (left, right) = (self.play(2 * node), self.play(2 * node + 1));
            let (winner, loser) = if self.is_before(right, left) { (right, left) } else { (left, right) };
            self.tree[node] = loser;
            return winner;
        };
        leaf
    }

    /// Of equal keys the earlier run's is first; what is over is last.
    fn is_before(&self, one: usize, other: usize) -> bool {
        let (left, right) = (&self.runs[one], &self.runs[other]);
        if left.is_over || right.is_over {
            return !left.is_over;
        }
        left.reader.key().cmp(right.reader.key()).then(one.cmp(&other)).is_lt()
    }
}

impl Records for Merged {
    fn next(&mut self) -> Result<Option<Record<'_>>> {
        self.next_bytes()?.map(|(key, value)| Record::decode(key, value)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;
    use crate::recipe::tallies::run::RunWriter;

    type Tallies = BTreeMap<Vec<u8>, Vec<u8>>;

    /// Counts and checks of a few users and problems.
    fn tallies() -> impl Strategy<Value = Tallies> {
        let record = (0u8..30, 1u64..300, prop::option::of(-3i64..3)).prop_map(|(which, count, time)| {
            let (mut key, mut value) = (Vec::new(), Vec::new());
            let user = ["7", "10", "x"][usize::from(which) % 3];
            let problem = ["a", "b"][usize::from(which) % 2];
            let record = match which % 5 {
                0 => Record::Events { count },
                1 => Record::Video { user, video: None, name: problem, count },
                2 => Record::MetProblem { problem, time, display_name: (count > 99).then_some("n") },
                _ => {
                    let latest = Default::default();
                    Record::Check { problem, user, checks: count, first_time: time, time, latest }
                }
            };
            record.encode(&mut key, &mut value);
            (key, value)
        });
        prop::collection::vec(record, 0..12).prop_map(|records| records.into_iter().collect())
    }

    fn run(tallies: &Tallies) -> RunBytes {
        let mut writer = RunWriter::new();
        tallies.iter().for_each(|(key, value)| writer.push(key, value).expect("in order"));
        Box::new(Cursor::new(writer.finish()))
    }

    fn merge(runs: Vec<RunBytes>) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut merged = Merged::of_runs(runs)?;
        let mut records = Vec::new();
        while let Some((key, value)) = merged.next_bytes()? {
            records.push((key.to_vec(), value.to_vec()));
        }
        assert!(merged.next_bytes()?.is_none(), "the end stays the end");
        Ok(records)
    }

    proptest! {
        #[test]
        fn runs_merge_as_a_map_does(days in prop::collection::vec(tallies(), 0..9)) {
            let mut expected = Tallies::new();
            for (key, value) in days.iter().flatten() {
                match expected.get_mut(key) {
                    Some(into) => merge_values(key, into, value).expect("good values"),
                    None => drop(expected.insert(key.clone(), value.clone())),
                }
            }
            let found = merge(days.iter().map(run).collect()).expect("good runs");
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn any_grouping_of_days_gives_the_same(
            days in prop::collection::vec(tallies(), 1..7),
            at: prop::sample::Index,
        ) {
            let at = at.index(days.len());
            let fold = |days: &[Tallies]| -> RunBytes {
                let records = merge(days.iter().map(run).collect()).expect("good runs");
                run(&records.into_iter().collect())
            };
            let grouped = merge(vec![fold(&days[..at]), fold(&days[at..])]).expect("good runs");
            prop_assert_eq!(grouped, merge(days.iter().map(run).collect()).expect("good runs"));
        }

        #[test]
        fn damage_is_an_error(runs in prop::collection::vec(any::<Vec<u8>>(), 0..4)) {
            let runs = runs.into_iter().map(|run| Box::new(Cursor::new(run)) as RunBytes).collect();
            if let Err(error) = merge(runs) {
                prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
            }
        }
    }
}
