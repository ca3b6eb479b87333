//! What to generate, and what came of it.

use std::path::PathBuf;

use jiff::civil::{Date, Weekday};
use jiff::{Span, Timestamp, tz::TimeZone};

/// How hard day logs are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Level 9, as the producer does.
    Producer,
    /// Level 1.
    Fast,
}

/// What stays on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Encrypted,
    /// Also every plaintext, below `plain/`, under its key without `.gz.gpg` or `.gpg` (a zip is a folder
    /// there). An object of 0 bytes has none.
    PlainToo,
}

/// One of the two sites of edX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Site {
    Prod,
    Edge,
}

impl Site {
    pub const ALL: [Site; 2] = [Site::Prod, Site::Edge];

    /// The site in keys of day logs.
    pub fn in_event_keys(self) -> &'static str {
        match self {
            Site::Prod => "edx",
            Site::Edge => "edge",
        }
    }

    /// The site in names of forum files.
    pub fn in_forum_names(self) -> &'static str {
        match self {
            Site::Prod => "prod",
            Site::Edge => "edge",
        }
    }

    /// The site in names of tables.
    pub fn in_table_names(self) -> &'static str {
        match self {
            Site::Prod => "prod-analytics",
            Site::Edge => "prod-edge-analytics",
        }
    }

    pub fn host(self) -> &'static str {
        match self {
            Site::Prod => "courses.edx.org",
            Site::Edge => "edge.edx.org",
        }
    }
}

/// Which data package to make. Equal plans give equal plaintexts.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// The organisation as course ids spell it; ASCII letters and digits.
    pub org: String,
    pub first_day: Date,
    pub days: u32,
    /// Lines in a production day; edge has a twentieth, at least 40.
    pub events_per_day: u32,
    /// Course runs, at least 1; from 7 on also one with a name that is easily misread.
    pub courses: u32,
    /// Weekly zips, each dated on a Sunday.
    pub packages: u32,
    pub compression: Compression,
    pub keep: Keep,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            seed: 1,
            org: "UniX".into(),
            first_day: jiff::civil::date(2015, 3, 2),
            days: 14,
            events_per_day: 2000,
            courses: 6,
            packages: 2,
            compression: Compression::Producer,
            keep: Keep::Encrypted,
        }
    }
}

impl Plan {
    /// The organisation as keys spell it.
    pub fn lower_org(&self) -> String {
        self.org.to_lowercase()
    }

    /// The days of the event logs.
    pub fn dates(&self) -> Vec<Date> {
        (0..self.days).map(|day| later(self.first_day, i64::from(day))).collect()
    }

    /// The dates of the weekly zips: Sundays, the first at the end of the first week.
    pub fn package_dates(&self) -> Vec<Date> {
        let mut sunday = later(self.first_day, 6);
        while sunday.weekday() != Weekday::Sunday {
            sunday = later(sunday, 1);
        }
        (0..self.packages).map(|week| later(sunday, 7 * i64::from(week))).collect()
    }

    /// The production day whose object is 0 bytes long, as failed encryption leaves it; None for less than 3 days.
    pub fn zero_byte_day(&self) -> Option<Date> {
        (self.days >= 3).then(|| later(self.first_day, 1))
    }

    /// The day without an object on edge; None for less than 3 days.
    pub fn edge_gap(&self) -> Option<Date> {
        (self.days >= 3).then(|| later(self.first_day, 2))
    }

    /// Lines of one day of a site.
    pub fn events(&self, site: Site) -> u32 {
        match site {
            Site::Prod => self.events_per_day,
            Site::Edge => (self.events_per_day / 20).max(40),
        }
    }
}

/// `days` after `date`; the same date where the calendar ends.
pub fn later(date: Date, days: i64) -> Date {
    date.checked_add(Span::new().days(days)).unwrap_or(date)
}

/// The instant at which an object of that day is last modified: early next morning.
pub fn modified(date: Date) -> Timestamp {
    let morning = later(date, 1).at(3, 30, 0, 0);
    morning.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A data package on disk.
#[derive(Clone, Debug)]
pub struct Made {
    /// The folder with `edx-course-data` and `course-data`.
    pub data: PathBuf,
    /// ASCII-armoured export of the secret key of the organisation's data czar.
    pub secret_key: PathBuf,
    pub passphrase_file: PathBuf,
    /// Every plaintext, if they were to be kept.
    pub plain: Option<PathBuf>,
    pub org: String,
    /// The course ids, the largest course first.
    pub courses: Vec<String>,
}
