//! One run of the doctor in a home of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::common::EDXFS;
use crate::refusal::bounded;

/// Checks whose outcome is a matter of the machine that the tests run on.
const OF_THE_MACHINE: [&str; 4] = ["disk", "swap", "updatedb", "stale mount"];

/// A home folder, with what the environment says beside it.
pub struct Home {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Home {
    pub fn new() -> Home {
        Home { folder: tempfile::tempdir().expect("a temporary folder"), environment: Vec::new() }
    }

    /// With these variables too.
    pub fn with(environment: &[(&str, &str)]) -> Home {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Home { environment: environment.iter().map(own).collect(), ..Home::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it is ours");
        fs::write(&path, text).expect("it is ours");
        path
    }

    pub fn command(&self, options: &[String]) -> Command {
        let mut command = Command::new(EDXFS);
        command.arg("doctor").args(options).env_clear().env("HOME", self.folder.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn visit(&self, options: &[String]) -> Visit {
        Visit::of(&mut self.command(options))
    }
}

/// What the doctor said.
#[derive(Debug)]
pub struct Visit {
    pub code: Option<i32>,
    pub text: String,
    pub errors: String,
}

impl Visit {
    pub fn of(command: &mut Command) -> Visit {
        let output = bounded(command);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is UTF-8");
        Visit { code: output.status.code(), text: text(output.stdout), errors: text(output.stderr) }
    }

    /// The texts of one check's findings at one level.
    pub fn said(&self, level: &str, check: &str) -> Vec<&str> {
        let start = format!("{level:<5}  {check:<13}  ");
        self.text.lines().filter_map(|line| line.strip_prefix(&start)).collect()
    }

    /// The only finding of a check at a level.
    pub fn only(&self, level: &str, check: &str) -> &str {
        let said = self.said(level, check);
        assert_eq!(said.len(), 1, "{level} {check}: {self}");
        said[0]
    }

    /// Fails unless every part of what was said at this level of this check is there.
    pub fn assert_said(&self, level: &str, check: &str, parts: &[&str]) {
        let said = self.said(level, check).join("\n");
        for part in parts {
            assert!(said.contains(part), "{level} {check}: {part}: {self}");
        }
    }

    /// Fails if anything but these checks and those of the machine is not as it should be.
    pub fn assert_well_but(&self, checks: &[&str]) {
        for line in self.text.lines() {
            let check = line.get(7..20).map(str::trim).expect("a line has a level and a check");
            let fine = line.starts_with("ok") || line.starts_with("note");
            assert!(fine || checks.contains(&check) || OF_THE_MACHINE.contains(&check), "{line}: {self}");
        }
        assert_eq!(self.errors, "", "{self}");
    }
}

impl std::fmt::Display for Visit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "code {:?}\n{}{}", self.code, self.text, self.errors)
    }
}

/// `--name path`.
pub fn option(name: &str, path: &Path) -> [String; 2] {
    [name.to_owned(), path.display().to_string()]
}
