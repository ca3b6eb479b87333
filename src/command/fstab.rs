//! What stands behind `-o` in fstab: which option means what.

use clap::{Args, Command};

use crate::command::mount;

/// What every filesystem is given and a mount that is read-only, and without devices and programs, need not heed.
/// `rw` is among them: mount(8) adds it wherever nobody says `ro`.
const GENERIC: &[&str] = &[
    "_netdev",
    "async",
    "atime",
    "auto",
    "comment",
    "defaults",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "group",
    "iversion",
    "lazytime",
    "loud",
    "mand",
    "noatime",
    "noauto",
    "nodev",
    "nodiratime",
    "noexec",
    "nofail",
    "noiversion",
    "nolazytime",
    "nomand",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "nosymfollow",
    "nouser",
    "owner",
    "relatime",
    "ro",
    "rw",
    "silent",
    "strictatime",
    "suid",
    "symfollow",
    "sync",
    "uhelper",
    "user",
    "users",
];

/// Options of `edxfs mount` that say how it is called and have no place in fstab.
const NOT_IN_FSTAB: &[&str] = &["config", "foreground"];

/// What an option is to a mount.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    /// As the flag `--name`.
    Ours(String),
    /// Nothing.
    Generic,
    Unknown,
}

pub fn meaning(name: &str) -> Meaning {
    let dashed = name.replace('_', "-");
    let mount = mount::Args::augment_args(Command::new("mount"));
    let is_ours = mount.get_arguments().any(|arg| arg.get_long() == Some(&dashed));
    if is_ours && !NOT_IN_FSTAB.contains(&dashed.as_str()) {
        return Meaning::Ours(format!("--{dashed}"));
    }
    if GENERIC.contains(&name) || name.starts_with("x-") || name.starts_with("X-") {
        return Meaning::Generic;
    }
    Meaning::Unknown
}

/// Splits at commas, but not between `"`, which are taken off, and not behind a backslash: as mount(8) does.
pub fn split(options: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut quoted = false;
    let mut rest = options.chars().peekable();
    while let Some(next) = rest.next() {
        let last = found.last_mut().expect("it begins with one");
        match next {
            '"' => quoted = !quoted,
            '\\' if rest.peek() == Some(&',') => last.extend(rest.next()),
            ',' if !quoted => found.push(String::new()),
            _ => last.push(next),
        }
    }
    found.retain(|option| !option.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_behind_backslashes_are_part_of_a_value() {
        assert_eq!(
            split(r#"ro,survey-pre="^a{1,3}",course=A\,B,,x-y"#),
            ["ro", "survey-pre=^a{1,3}", "course=A,B", "x-y"]
        );
        assert_eq!(split(r"survey-pre=\w+"), [r"survey-pre=\w+"]);
        assert!(split("").is_empty());
    }

    #[test]
    fn no_option_of_ours_is_taken_for_a_generic_one() {
        let mount = mount::Args::augment_args(Command::new("mount"));
        for arg in mount.get_arguments().filter_map(|arg| arg.get_long()) {
            assert!(!GENERIC.contains(&arg), "{arg}");
        }
    }
}
