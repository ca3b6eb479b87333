//! What a source was found to hold: its objects, and what their keys mean, counted.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;

use crate::edx::object_key::{ObjectRole, object_role};
use crate::source::s3::Clocks;
use crate::source::{ObjectMeta, Source};

/// A source and its objects: what later checks compare with.
pub struct Stock {
    pub org: String,
    /// None where it could not be reached.
    pub source: Option<Arc<dyn Source>>,
    pub objects: Vec<ObjectMeta>,
    pub clocks: Option<Clocks>,
}

impl Stock {
    pub fn unreachable(org: &str) -> Stock {
        Stock { org: org.to_owned(), source: None, objects: Vec::new(), clocks: None }
    }
}

/// How many objects mean what.
#[derive(Default)]
pub struct Contents {
    days: usize,
    packages: usize,
    opt_ins: usize,
    exchanges: usize,
    tars: usize,
    loose: usize,
    /// Keys that mean nothing to us.
    pub others: usize,
    newest_day: Option<Date>,
    newest_package: Option<Date>,
}

impl Contents {
    pub fn of(org: &str, objects: &[ObjectMeta]) -> Contents {
        let mut contents = Contents::default();
        for object in objects {
            match object_role(org, object.id.key.as_str()) {
                ObjectRole::DayLog { date, .. } => {
                    contents.days += 1;
                    contents.newest_day = contents.newest_day.max(Some(date));
                }
                ObjectRole::Package { date } => {
                    contents.packages += 1;
                    contents.newest_package = contents.newest_package.max(Some(date));
                }
                ObjectRole::OptIn { .. } => contents.opt_ins += 1,
                ObjectRole::Rdx { .. } => contents.exchanges += 1,
                ObjectRole::TrackingTar { .. } => contents.tars += 1,
                ObjectRole::Loose { .. } => contents.loose += 1,
                ObjectRole::Unknown => contents.others += 1,
            }
        }
        contents
    }
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let newest = |date: Option<Date>| date.map(|date| format!(", newest of {date}")).unwrap_or_default();
        let counted = [
            (self.days, "day log", newest(self.newest_day)),
            (self.packages, "weekly package", newest(self.newest_package)),
            (self.opt_ins, "opt-in list", String::new()),
            (self.exchanges, "RDX package", String::new()),
            (self.tars, "weekly tar", String::new()),
            (self.loose, "unpacked file", String::new()),
            (self.others, "other object", String::new()),
        ];
        let words: Vec<String> = counted
            .iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, what, newest)| format!("{count} {what}{}{newest}", if *count == 1 { "" } else { "s" }))
            .collect();
        let text = words.join("; ");
        f.write_str(if words.is_empty() { "holds nothing" } else { &text })
    }
}
