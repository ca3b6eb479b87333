//! Names of columns: quoted, distinct as SQLite compares them, and which of a table's columns may be shown.

use std::collections::{HashMap, HashSet};

/// SQLite's readers allow 2,000 columns in a table.
pub const COLUMN_LIMIT: usize = 1_900;

/// `name` as an SQL identifier.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Gives out each name once: SQLite sees no difference between `a` and `A`.
#[derive(Default)]
pub struct DistinctNames {
    taken: HashSet<String>,
}

impl DistinctNames {
    /// Those of `names` are given out already.
    pub fn beside(names: &[&str]) -> Self {
        DistinctNames { taken: names.iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// `name`, or the first of `name_2`, `name_3`, … that is not given out yet.
    pub fn take(&mut self, name: &str) -> String {
        let mut distinct = name.to_owned();
        let mut count = 1;
        while !self.taken.insert(distinct.to_ascii_lowercase()) {
            count += 1;
            distinct = format!("{name}_{count}");
        }
        distinct
    }
}

/// Which columns of a standard table stay: the toolkit's minimal anonymisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    All,
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

impl Shown {
    pub fn of_table(table: &str) -> Self {
        match table {
            "auth_userprofile" => Shown::Only(&[
                "id",
                "user_id",
                "language",
                "location",
                "gender",
                "year_of_birth",
                "level_of_education",
                "allow_certificate",
                "country",
                "city",
            ]),
            "certificates_generatedcertificate" => Shown::AllBut(&["name"]),
            _ => Shown::All,
        }
    }

    /// `header`: a column's name as the file has it.
    pub fn allows(self, header: &[u8]) -> bool {
        let name = bare(header);
        let listed = |names: &[&str]| names.iter().any(|listed| name.eq_ignore_ascii_case(listed));
        match self {
            Shown::All => true,
            Shown::Only(names) => listed(names),
            Shown::AllBut(names) => !listed(names),
        }
    }
}

/// The name without white space around it and without what packages of late 2022 wrap each cell in: `b'name'`.
fn bare(header: &[u8]) -> &str {
    let name =
        std::str::from_utf8(header).unwrap_or_default().trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let inner = |quote: char| name.strip_prefix('b')?.strip_prefix(quote)?.strip_suffix(quote);
    inner('\'').or_else(|| inner('"')).unwrap_or(name)
}

/// Where the columns of one file go: for each, its place among the union's, or None where it is not shown.
pub type Layout = Vec<Option<usize>>;

/// The columns of a table over all its files, in order of first sight.
pub struct Union {
    /// What no column may be called.
    reserved: &'static [&'static str],
    pub names: Vec<String>,
    /// By name in lower case; None: beyond the limit.
    positions: HashMap<String, Option<usize>>,
    /// Columns beyond the limit.
    pub cut: u64,
}

impl Union {
    pub fn beside(reserved: &'static [&'static str]) -> Self {
        Union { reserved, names: Vec::new(), positions: HashMap::new(), cut: 0 }
    }

    /// Takes in one file's header. A name that a file repeats makes several columns; an empty one is called `column_<n>`.
    pub fn add(&mut self, header: &[Vec<u8>], shown: Shown) -> Layout {
        let mut distinct = DistinctNames::beside(self.reserved);
        let place = |(at, name): (usize, &Vec<u8>)| {
            shown.allows(name).then(|| {
                let name = if name.is_empty() { format!("column_{}", at + 1) } else { text(name) };
                self.position(distinct.take(&name))
            })?
        };
        header.iter().enumerate().map(place).collect()
    }

    fn position(&mut self, name: String) -> Option<usize> {
        let folded = name.to_ascii_lowercase();
        if let Some(position) = self.positions.get(&folded) {
            return *position;
        }
        let position = (self.names.len() < COLUMN_LIMIT).then_some(self.names.len());
        match position {
            Some(_) => self.names.push(name),
            None => self.cut += 1,
        }
        self.positions.insert(folded, position);
        position
    }
}

/// NUL would end the statement that creates the table.
fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).replace('\0', "\u{2400}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &[&str]) -> Vec<Vec<u8>> {
        names.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    #[test]
    fn repeated_and_empty_names_become_distinct_without_regard_to_case() {
        let mut union = Union::beside(&["course"]);
        let layout = union.add(&header(&["id", "ID", "", "id_2", "Course", "a\"b"]), Shown::All);
        assert_eq!(union.names, ["id", "ID_2", "column_3", "id_2_2", "Course_2", "a\"b"]);
        assert_eq!(layout, [Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)]);
        assert_eq!(quoted(&union.names[5]), "\"a\"\"b\"");
    }

    #[test]
    fn files_share_columns_of_a_name() {
        let mut union = Union::beside(&[]);
        assert_eq!(union.add(&header(&["id", "a"]), Shown::All), [Some(0), Some(1)]);
        assert_eq!(union.add(&header(&["b", "A", "id"]), Shown::All), [Some(2), Some(1), Some(0)]);
        assert_eq!(union.names, ["id", "a", "b"]);
    }

    #[test]
    fn columns_beyond_the_limit_are_cut_and_counted() {
        let names: Vec<Vec<u8>> = (0..2_500).map(|n| format!("c{n}").into_bytes()).collect();
        let mut union = Union::beside(&[]);
        let layout = union.add(&names, Shown::All);
        assert_eq!((union.names.len(), union.cut, layout[1_900]), (1_900, 600, None));
    }

    #[test]
    fn removed_columns_are_known_in_any_dress() {
        let certificates = Shown::of_table("certificates_generatedcertificate");
        for name in ["name", "Name", " name\r", "b'name'", "b\"name\"", "\u{feff}name"] {
            assert!(!certificates.allows(name.as_bytes()), "{name}");
        }
        assert!(certificates.allows(b"mode") && certificates.allows(b"names"));
        let profile = Shown::of_table("auth_userprofile");
        assert!(profile.allows(b"city") && profile.allows(b"b'city'") && !profile.allows(b"name"));
        assert!(!profile.allows(b"phone_number") && !profile.allows(b"") && !profile.allows(b"\xff"));
        assert!(Shown::of_table("wiki_article").allows(b"name"));
    }
}
