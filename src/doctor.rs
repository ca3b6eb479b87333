//! What keeps a data package from being mounted, and the command that mends it: one finding a check, in the order in
//! which the checks lean on each other. Reads; changes nothing, and takes no cache folder from whoever has it.
//!
//! No check ends another: what cannot be looked at, because something before it failed, says so in a note. Findings
//! hold names of objects, keys and folders; no secret, nothing of learners.
//!
//! ```text
//! settings ─► fuse ─► source ─► clock ─► passphrase, keys ─► cache, disk, tallies, room ─► swap, mounts, locate
//! ```

mod buckets;
mod cache;
mod clock;
mod contents;
mod credentials;
mod disk;
mod fuse;
mod keys;
mod locate;
mod mounts;
mod passphrase;
mod profile;
mod recipients;
mod room;
mod settings;
mod source;
mod swap;
mod tallies;
#[cfg(test)]
mod testing;

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::config::{Environment, Settings, Typed};
use crate::decode::openpgp::{KeyHint, Passphrase};
use crate::error::{Error, ErrorKind, Result};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    /// Worth knowing; nothing to mend.
    Note,
    /// It works, but not as well or as safely as it could.
    Warn,
    /// It does not work.
    Wrong,
}

/// What one check has to say: one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    pub check: &'static str,
    /// What is so, and what to do about it where something is to be done.
    pub text: String,
}

/// Columns of the longest name of a check.
const CHECK_COLUMNS: usize = "configuration".len();

/// `wrong  cache folder   …`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Warn => "warn",
            Level::Wrong => "wrong",
        };
        write!(f, "{level:<5}  {:<CHECK_COLUMNS$}  {}", self.check, self.text)
    }
}

/// Where a check looks for what the system says; a test gives folders of its own.
#[derive(Clone, Debug)]
pub struct Machine {
    pub dev: PathBuf,
    pub etc: PathBuf,
    pub proc: PathBuf,
    pub sys: PathBuf,
}

impl Machine {
    pub fn this() -> Machine {
        Machine { dev: "/dev".into(), etc: "/etc".into(), proc: "/proc".into(), sys: "/sys".into() }
    }
}

/// What is examined.
pub struct Case<'a> {
    pub settings: &'a Settings,
    pub typed: &'a Typed,
    /// Why the configuration file does not count, although there is one.
    pub file_error: Option<&'a Error>,
    pub environment: &'a Environment,
    pub machine: &'a Machine,
}

/// Gives the passphrase of a locked key; None where there is nobody to ask.
pub type Ask<'a> = &'a mut dyn FnMut(&KeyHint) -> Result<Option<Passphrase>>;

/// Takes the findings as they come, and remembers what was wrong.
pub struct Report<'a> {
    tell: &'a mut dyn FnMut(&Finding),
    wrong: Vec<ErrorKind>,
}

impl<'a> Report<'a> {
    pub fn new(tell: &'a mut dyn FnMut(&Finding)) -> Self {
        Report { tell, wrong: Vec::new() }
    }

    /// What was wrong, in the order told.
    pub fn wrongs(&self) -> &[ErrorKind] {
        &self.wrong
    }

    fn ok(&mut self, check: &'static str, text: impl Into<String>) {
        self.say(Level::Ok, check, text.into());
    }

    fn note(&mut self, check: &'static str, text: impl Into<String>) {
        self.say(Level::Note, check, text.into());
    }

    fn warn(&mut self, check: &'static str, text: impl Into<String>) {
        self.say(Level::Warn, check, text.into());
    }

    fn wrong(&mut self, check: &'static str, error: &Error) {
        self.wrong.push(error.kind());
        self.say(Level::Wrong, check, error.to_string());
    }

    fn say(&mut self, level: Level, check: &'static str, text: String) {
        // Other programs' messages may have line ends in them; a path may have several spaces.
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let text = lines.collect::<Vec<_>>().join(" ");
        (self.tell)(&Finding { level, check, text });
    }
}

/// Runs every check.
pub fn examine(case: &Case<'_>, ask: Ask<'_>, report: &mut Report<'_>) {
    settings::check(case, report);
    fuse::check(case, report);
    let stocks: Vec<_> = case.settings.orgs.iter().map(|org| source::check(case, org, report)).collect();
    clock::check(&stocks, report);
    let keys = keys::check(case, ask, report);
    for stock in &stocks {
        recipients::check(stock, &keys, report);
    }
    let (mut rooms, mut points) = (Vec::new(), Vec::new());
    for stock in &stocks {
        if let Some(cache) = cache::check(case, &stock.org, &keys, report) {
            rooms.push(cache.room);
            points.extend(cache.mounted_on);
        }
        disk::check(case, &case.settings.cache_dir(&stock.org), report);
        tallies::check(case, stock, report);
    }
    room::check(case.settings.cache_bytes, &rooms, report);
    swap::check(case, report);
    mounts::check(case, report);
    locate::check(case, &points, report);
}
