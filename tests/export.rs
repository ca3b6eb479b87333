//! `edxfs export`, with GnuPG, tar, sha256sum and diff on the other side.
//!
//! - `plain`:        copies with their times, done once, made anew where the tree has changed
//! - `stopped`:      killed, interrupted, out of room, in somebody's way
//! - `archive`:      what gpg and tar find in the encrypted tar, beside what the mount shows
//! - `certificates`: who is encrypted to, and who is not
//! - `unreadable`:   a damaged object is named, and the rest is there
//! - `secrecy`:      what comes to lie on the disk while an archive is written

mod common;

#[path = "export/archive.rs"]
mod archive;
#[path = "common/bucket.rs"]
mod bucket;
#[path = "export/certificates.rs"]
mod certificates;
#[path = "common/gnupg.rs"]
mod gnupg;
#[path = "common/injury.rs"]
mod injury;
#[path = "export/manifest.rs"]
mod manifest;
#[path = "export/owner.rs"]
mod owner;
#[path = "export/plain.rs"]
mod plain;
#[path = "export/secrecy.rs"]
mod secrecy;
#[path = "common/servers/mod.rs"]
mod servers;
#[path = "export/stopped.rs"]
mod stopped;
#[path = "export/unreadable.rs"]
mod unreadable;
#[path = "export/watch.rs"]
mod watch;

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::EDXFS;

const COURSE: &str = "courses/UniX-CHEM-R1";

/// `edxfs export` with these options, and the cache in `scratch`.
fn command(options: &[String], scratch: &Path) -> Command {
    let cache = scratch.join("cache");
    if !cache.exists() {
        DirBuilder::new().mode(0o700).create(&cache).expect("a folder can be made");
    }
    let mut command = Command::new(EDXFS);
    command.arg("export").args(options).arg("--cache-dir").arg(cache).stdin(Stdio::null());
    command
}

/// Runs it with these arguments.
fn export(options: &[String], scratch: &Path, arguments: &[&dyn AsRef<OsStr>]) -> Output {
    let mut command = command(options, scratch);
    command.args(arguments.iter().map(AsRef::as_ref)).output().expect("the program is built")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How many files an export says it has copied, and how many were right already.
fn counts(output: &Output) -> (u64, u64) {
    let errors = errors(output);
    let summary = errors.lines().last().and_then(|line| line.strip_prefix("edxfs: ")).expect("a summary");
    let number = |text: &str| text.split(' ').next().and_then(|number| number.parse().ok());
    let copied = number(summary).unwrap_or_else(|| panic!("{errors}"));
    let right = summary.split(", ").find(|part| part.contains("already right")).and_then(number);
    (copied, right.unwrap_or(0))
}

/// Every file and folder below one, by path, sorted; a folder's ends in `/`.
fn names_below(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root.join(&folder)).expect("a folder").flatten() {
            let path = folder.join(entry.file_name());
            let is_folder = entry.file_type().expect("a type").is_dir();
            names.push(format!("{}{}", path.display(), if is_folder { "/" } else { "" }));
            if is_folder {
                folders.push(path);
            }
        }
    }
    names.sort();
    names
}
