//! What a mount says of itself: one struct, as JSON for scripts and aligned for people.

use std::fmt::{self, Write};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The state of one volume. The names of its fields are a promise to scripts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    pub orgs: Vec<String>,
    /// `s3://bucket s3://bucket`, or a folder.
    pub source: String,
    #[serde(with = "super::paths::optional")]
    pub mount_point: Option<PathBuf>,
    /// 0 for a process that cannot be seen from here.
    pub pid: u32,
    #[serde(with = "super::paths::list")]
    pub cache_dirs: Vec<PathBuf>,
    /// Bytes on disk, and the most there may be.
    pub cache_bytes: u64,
    pub cache_limit_bytes: u64,
    /// Encrypted bytes read from the source since the start.
    pub fetched_bytes: u64,
    /// Object reads begun since the start.
    pub fetched_objects: u64,
    /// Objects (days, entries) decoded since the start.
    pub decoded_objects: u64,
    /// Event days and entries of the newest snapshot whose sizes are known, of all there are.
    pub indexed_objects: u64,
    pub known_objects: u64,
    /// Lines in problems.tsv.
    pub problems: u64,
    /// Keys of the source that mean nothing to us.
    pub ignored_keys: u64,
    /// When the source was last listed with success; None before the first time.
    pub last_refresh: Option<Timestamp>,
    /// Why the newest attempt to list failed, if it did.
    pub refresh_error: Option<String>,
    /// In order of start.
    pub running: Vec<Running>,
}

/// One object that is being decoded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Running {
    /// Key of the object, and its entry where it has entries.
    pub object: String,
    /// Encrypted bytes read, of all.
    pub done_bytes: u64,
    pub total_bytes: u64,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mount_point = self.mount_point.as_ref().map_or("(not mounted)".to_string(), |p| p.display().to_string());
        let refreshed = match (&self.last_refresh, &self.refresh_error) {
            (None, None) => "not yet".to_string(),
            (None, Some(error)) => format!("not yet: {error}"),
            (Some(at), None) => format!("{at:.0}"),
            (Some(at), Some(error)) => format!("{at:.0}; since then: {error}"),
        };
        let dirs: Vec<_> = self.cache_dirs.iter().map(|dir| dir.display().to_string()).collect();
        let rows = [
            ("mount point", mount_point),
            ("process", process(self.pid)),
            ("organisation", self.orgs.join(" ")),
            ("source", self.source.clone()),
            ("last refresh", refreshed),
            ("cache folder", dirs.join(" ")),
            ("cache", format!("{} of {}", size(self.cache_bytes), size(self.cache_limit_bytes))),
            ("fetched", format!("{} in {} reads", size(self.fetched_bytes), self.fetched_objects)),
            ("decoded", format!("{} objects", self.decoded_objects)),
            ("sizes known", format!("{} of {} objects", self.indexed_objects, self.known_objects)),
            ("ignored keys", self.ignored_keys.to_string()),
            ("problems", problems(self.problems)),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<13}{value}")?;
        }
        for (i, run) in self.running.iter().enumerate() {
            let name = if i == 0 { "decoding" } else { "" };
            writeln!(f, "{name:<13}{}  {} of {}", run.object, size(run.done_bytes), size(run.total_bytes))?;
        }
        Ok(())
    }
}

fn process(pid: u32) -> String {
    match pid {
        0 => "(not to be seen from here)".to_string(),
        pid => pid.to_string(),
    }
}

fn problems(count: u64) -> String {
    match count {
        0 => "none".to_string(),
        count => format!("{count}, listed in problems.tsv"),
    }
}

/// Bytes with a binary unit and three significant digits: `4096` → `4.00 KiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    let mut text = String::new();
    let _ = write!(text, "{value:.digits$} {}", UNITS[unit]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, text) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (20 << 30, "20.0 GiB"), (u64::MAX, "16.0 EiB")]
        {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn the_names_that_scripts_rely_on_are_there() {
        let json = serde_json::to_value(Status::default()).expect("has a JSON form");
        for name in [
            "cache_bytes",
            "cache_limit_bytes",
            "fetched_bytes",
            "fetched_objects",
            "decoded_objects",
            "indexed_objects",
            "known_objects",
            "problems",
        ] {
            assert_eq!(json[name], 0, "{name}");
        }
    }

    #[test]
    fn a_person_sees_what_is_running() {
        let running = vec![Running { object: "b/day.gpg".into(), done_bytes: 1 << 20, total_bytes: 4 << 20 }];
        let text = Status { running, problems: 2, ..Status::default() }.to_string();
        assert!(text.contains("decoding     b/day.gpg  1.00 MiB of 4.00 MiB\n"), "{text}");
        assert!(text.contains("problems     2, listed in problems.tsv\n"), "{text}");
    }
}
