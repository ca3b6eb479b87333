//! A span of days, as window folders and the filter write it.

use std::fmt;
use std::ops::RangeInclusive;

use jiff::civil::Date;

/// Days from `from` to `to`, both included; an open side is None.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    pub from: Option<Date>,
    pub to: Option<Date>,
}

impl Window {
    /// Every day.
    pub const ALL: Window = Window { from: None, to: None };

    /// Parses `<from>_<to>`, each `YYYY-MM-DD`, `YYYYMMDD` or empty.
    /// None if a date does not parse, both are empty, or the window ends before it begins.
    pub fn parse(name: &str) -> Option<Window> {
        let (from, to) = name.split_once('_')?;
        let side = |text: &str| if text.is_empty() { Some(None) } else { any_date(text).map(Some) };
        let window = Window { from: side(from)?, to: side(to)? };
        (window != Window::ALL && window.range().is_some()).then_some(window)
    }

    pub fn contains(self, date: Date) -> bool {
        self.range().is_some_and(|range| range.contains(&date))
    }

    /// The days of both.
    pub fn intersect(self, other: Window) -> Window {
        let to = match (self.to, other.to) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Window { from: self.from.max(other.from), to }
    }

    /// None if there is no such day.
    pub fn range(self) -> Option<RangeInclusive<Date>> {
        let (from, to) = (self.from.unwrap_or(Date::MIN), self.to.unwrap_or(Date::MAX));
        (from <= to).then_some(from..=to)
    }
}

impl fmt::Display for Window {
    /// As a window's folder is called; `_` for every day.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
        write!(f, "{}_{}", side(self.from), side(self.to))
    }
}

fn any_date(text: &str) -> Option<Date> {
    if text.len() != 8 {
        return date(text);
    }
    digits(text)?;
    Date::new(text[..4].parse().ok()?, text[4..6].parse().ok()?, text[6..].parse().ok()?).ok()
}

/// Parses exactly `YYYY-MM-DD`, as dates stand in file names.
pub fn date(text: &str) -> Option<Date> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    Date::new(digits(year)?.parse().ok()?, digits(month)?.parse().ok()?, digits(day)?.parse().ok()?).ok()
}

fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_takes_both_spellings_and_one_open_side() {
        let window = Window::parse("2015-01-19_20150401").expect("valid");
        assert_eq!(window, Window::parse("20150119_2015-04-01").expect("valid"));
        assert!(
            window.contains(date("2015-01-19").expect("valid")) && window.contains(date("2015-04-01").expect("valid"))
        );
        assert!(!window.contains(date("2015-04-02").expect("valid")));
        assert_eq!(Window::parse("_2015-04-01").expect("valid").from, None);
        assert_eq!(Window::parse("2015-04-01_").expect("valid").to, None);
    }

    #[test]
    fn what_is_no_window_does_not_parse() {
        for name in [
            "_",
            "",
            "2015-01-19",
            "2015-04-02_2015-04-01",
            "2015-02-30_",
            "2015-1-1_",
            "a_b",
            "+015-01-01_",
            "2015-01-19_2015-04-01_",
            "２０１５0101_",
            "2015é01_",
            "201501011_",
        ] {
            assert_eq!(Window::parse(name), None, "{name}");
        }
    }

    #[test]
    fn an_open_side_leaves_the_other_windows_side() {
        let a = Window::parse("2015-01-01_").expect("valid");
        let b = Window::parse("_2015-02-01").expect("valid");
        assert_eq!(a.intersect(b), Window { from: a.from, to: b.to });
        assert_eq!(b.intersect(a), a.intersect(b));
    }
}
