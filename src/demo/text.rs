//! How text is written into JSON and into the package's two TSV dialects.

use std::fmt::{self, Display, Write};

/// Text inside a JSON string, as Python's `json.dumps` writes it: ASCII only.
pub struct Json<'a>(pub &'a str);

impl Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0;
        let mut done = 0;
        for (at, c) in text.char_indices() {
            if matches!(c, ' '..='~') && c != '"' && c != '\\' {
                continue;
            }
            f.write_str(&text[done..at])?;
            escape(f, c)?;
            done = at + c.len_utf8();
        }
        f.write_str(&text[done..])
    }
}

fn escape(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    match c {
        '"' => f.write_str("\\\""),
        '\\' => f.write_str("\\\\"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        other => {
            let mut units = [0; 2];
            other.encode_utf16(&mut units).iter().try_for_each(|unit| write!(f, "\\u{unit:04x}"))
        }
    }
}

/// SQL's NULL, as all tables write it.
pub const NULL: &str = "NULL";

/// How a table escapes its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// mysql-connector writer: `\\`, `\r`, `\t`, `\n`.
    T1,
    /// Hadoop re-writer: `\\`, and a backslash before the real tab or line end.
    S,
}

/// A table in the making: a header line, then records.
pub struct Rows {
    text: String,
    dialect: Dialect,
    cell: String,
}

impl Rows {
    /// `header`: column names separated by blanks.
    pub fn new(dialect: Dialect, header: &str) -> Self {
        Rows { text: header.replace(' ', "\t") + "\n", dialect, cell: String::new() }
    }

    pub fn row(&mut self, cells: &[&dyn Display]) {
        for (i, cell) in cells.iter().enumerate() {
            if i > 0 {
                self.text.push('\t');
            }
            self.cell.clear();
            write!(self.cell, "{cell}").expect("writing to a string cannot fail");
            self.push_cell();
        }
        self.text.push('\n');
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    fn push_cell(&mut self) {
        for c in self.cell.chars() {
            match (self.dialect, c) {
                (_, '\\') => self.text.push_str("\\\\"),
                (Dialect::T1, '\r') => self.text.push_str("\\r"),
                (Dialect::T1, '\t') => self.text.push_str("\\t"),
                (Dialect::T1, '\n') => self.text.push_str("\\n"),
                (Dialect::S, '\t' | '\n') => {
                    self.text.push('\\');
                    self.text.push(c);
                }
                (_, other) => self.text.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_text_is_ascii_as_python_writes_it() {
        assert_eq!(Json("a\"b\\c\nd\u{1}Ö😀").to_string(), "a\\\"b\\\\c\\nd\\u0001\\u00d6\\ud83d\\ude00");
    }

    #[test]
    fn the_dialects_escape_as_the_package_does() {
        let mut rows = Rows::new(Dialect::T1, "a b");
        rows.row(&[&"C:\\new", &"a\r\nb\tc"]);
        assert_eq!(rows.into_bytes(), b"a\tb\nC:\\\\new\ta\\r\\nb\\tc\n");
        let mut rows = Rows::new(Dialect::S, "a b");
        rows.row(&[&"x\ty", &"{\"a\": \"x\\ny\"}"]);
        assert_eq!(rows.into_bytes(), b"a\tb\nx\\\ty\t{\"a\": \"x\\\\ny\"}\n");
    }
}
