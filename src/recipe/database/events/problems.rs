//! Names of problem tables: `problem_` and what of the block id SQL takes without quotes.

use std::collections::{HashMap, HashSet};

/// Gives each problem of a course a table name of its own. SQLite ignores case, and keeps tables and indexes in one
/// list: so a table's name is free where that of its index is, too.
pub(super) struct Namer {
    /// In lower case.
    taken: HashSet<String>,
    /// By a name in lower case: the number to be tried next behind it.
    next: HashMap<String, u64>,
}

impl Namer {
    /// `taken`: names of other tables, in lower case.
    pub fn new<'a>(taken: impl IntoIterator<Item = &'a str>) -> Self {
        let mut namer = Namer { taken: HashSet::new(), next: HashMap::new() };
        for name in taken {
            namer.taken.extend([name.to_owned(), index_name(name)]);
        }
        namer
    }

    /// The next problem's table; problems are to come in order of their full ids.
    pub fn name(&mut self, problem: &str) -> String {
        let name = format!("problem_{}", cleaned(block(problem)));
        if self.take(&name) {
            return name;
        }
        let key = name.to_ascii_lowercase();
        let mut number = self.next.get(&key).copied().unwrap_or(2);
        let numbered = loop {
            let numbered = format!("{name}_{number}");
            number += 1;
            if self.take(&numbered) {
                break numbered;
            }
        };
        self.next.insert(key, number);
        numbered
    }

    fn take(&mut self, name: &str) -> bool {
        let table = name.to_ascii_lowercase();
        let index = index_name(&table);
        let is_free = !self.taken.contains(&table) && !self.taken.contains(&index);
        if is_free {
            self.taken.extend([table, index]);
        }
        is_free
    }
}

/// The index on `user_id` of a table.
pub(super) fn index_name(table: &str) -> String {
    format!("{table}_user_id")
}

/// The block id: behind the last `+block@` of the newer forms, `/problem/` of the older one; anything else whole.
fn block(problem: &str) -> &str {
    let is_newer = problem.starts_with("block-v1:") || problem.starts_with("ccx-block-v1:");
    let separator = if is_newer { "+block@" } else { "/problem/" };
    problem.rsplit_once(separator).map_or(problem, |(_, block)| block)
}

fn cleaned(block: &str) -> String {
    block.chars().filter(|&letter| letter.is_ascii_alphanumeric() || letter == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(taken: &[&str], problems: &[&str]) -> Vec<String> {
        let mut namer = Namer::new(taken.iter().copied());
        problems.iter().map(|problem| namer.name(problem)).collect()
    }

    #[test]
    fn a_table_is_named_after_the_block() {
        let problems = [
            "block-v1:O+C+R+type@problem+block@a-1_B",
            "block-v1:O+C+R+type@problem+block@é.\"'",
            "i4x://O/C/problem/Week 1: x",
            "plain/id",
        ];
        assert_eq!(names(&[], &problems), ["problem_a1_B", "problem_", "problem_Week1x", "problem_plainid"]);
    }

    #[test]
    fn names_that_collide_are_numbered_in_order() {
        let problems = ["block-v1:O+C+R+type@problem+block@x-y", "i4x://O/C/problem/XY", "i4x://O/C/problem/xy"];
        assert_eq!(names(&[], &problems), ["problem_xy", "problem_XY_2", "problem_xy_3"]);
        assert_eq!(names(&[], &["a", "a-", "a_2"]), ["problem_a", "problem_a_2", "problem_a_2_2"]);
        assert_eq!(names(&[], &["A_2", "a", "a-"]), ["problem_A_2", "problem_a", "problem_a_3"]);
    }

    #[test]
    fn no_other_table_or_index_is_hit() {
        let taken = ["problem_activity", "problem_index"];
        let problems = ["ACTIVITY", "activity_user_id", "index", "x", "x_user_id"];
        let expected =
            ["problem_ACTIVITY_2", "problem_activity_user_id_2", "problem_index_2", "problem_x", "problem_x_user_id_2"];
        assert_eq!(names(&taken, &problems), expected);
        assert_eq!(names(&[], &["x_user_id", "x"]), ["problem_x_user_id", "problem_x_2"]);
    }

    #[test]
    fn many_of_one_name_stay_quick() {
        let mut namer = Namer::new([]);
        let last = (0..50_000).map(|_| namer.name("a")).last();
        assert_eq!(last.as_deref(), Some("problem_a_50000"));
    }
}
