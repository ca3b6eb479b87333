//! Which names the records of all courses begin with; no rows, no SQL.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::recipe::database::columns::COLUMN_LIMIT;
use crate::recipe::tallies::record::{Counted, Page, Record, Survey};

/// Names met, sorted.
#[derive(Default)]
pub(super) struct Met {
    names: BTreeMap<Counted, BTreeSet<String>>,
    dates: BTreeMap<Page, BTreeSet<Date>>,
    answers: BTreeMap<Survey, BTreeSet<String>>,
    /// Full ids.
    pub problems: BTreeSet<String>,
}

/// What a table has room for.
pub(super) struct Kept<T> {
    pub columns: Vec<T>,
    pub cut: u64,
}

impl Met {
    /// False where the record is none of those that say what was met.
    pub fn note(&mut self, record: &Record<'_>) -> bool {
        match record {
            Record::MetName { table, name } => add(self.names.entry(*table).or_default(), name),
            Record::MetDate { page, date } => {
                self.dates.entry(*page).or_default().insert(*date);
            }
            Record::MetAnswer { survey, column } => add(self.answers.entry(*survey).or_default(), column),
            Record::MetProblem { problem, .. } => add(&mut self.problems, problem),
            _ => return false,
        }
        true
    }

    pub fn names(&self, table: Counted) -> Vec<String> {
        self.names.get(&table).into_iter().flatten().cloned().collect()
    }

    /// The latest days, sorted.
    pub fn dates(&self, page: Page) -> Kept<Date> {
        let met = self.dates.get(&page);
        let cut = met.map_or(0, BTreeSet::len).saturating_sub(COLUMN_LIMIT);
        Kept { columns: met.into_iter().flatten().skip(cut).copied().collect(), cut: cut as u64 }
    }

    /// The first columns, sorted as text.
    pub fn answers(&self, survey: Survey) -> Kept<String> {
        let met = self.answers.get(&survey);
        let cut = met.map_or(0, BTreeSet::len).saturating_sub(COLUMN_LIMIT);
        Kept { columns: met.into_iter().flatten().take(COLUMN_LIMIT).cloned().collect(), cut: cut as u64 }
    }
}

fn add(names: &mut BTreeSet<String>, name: &str) {
    if !names.contains(name) {
        names.insert(name.to_owned());
    }
}
