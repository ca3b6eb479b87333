//! `MANIFEST.tsv` as a script reads it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub bytes: String,
    pub sha256: String,
    pub source: String,
    pub etag: String,
    pub error: String,
}

/// The lines of the manifest in a folder; fails the test where they are not sorted, or stand there twice.
pub fn read(folder: &Path) -> BTreeMap<String, Line> {
    let text = fs::read_to_string(folder.join("MANIFEST.tsv")).expect("a manifest");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("path\tbytes\tsha256\tsource\tetag\terror"));
    let mut parsed = BTreeMap::new();
    for line in lines {
        let cells: Vec<String> = line.split('\t').map(str::to_owned).collect();
        let [path, bytes, sha256, source, etag, error] =
            <[String; 6]>::try_from(cells).unwrap_or_else(|cells| panic!("{cells:?}"));
        assert!(parsed.last_key_value().is_none_or(|(last, _)| *last < path), "{path} is not in order");
        parsed.insert(path, Line { bytes, sha256, source, etag, error });
    }
    parsed
}

/// Has sha256sum check every file that the manifest says is there.
pub fn assert_sums(folder: &Path) {
    let lines = read(folder);
    let there = lines.iter().filter(|(_, line)| line.error.is_empty());
    let sums: String = there.map(|(path, line)| format!("{}  {path}\n", line.sha256)).collect();
    let mut check = Command::new("sha256sum");
    check.args(["--check", "--strict", "--quiet"]).current_dir(folder).stdin(Stdio::piped());
    let mut check = check.spawn().expect("coreutils are there");
    check.stdin.take().expect("it is piped").write_all(sums.as_bytes()).expect("it reads");
    assert!(check.wait().expect("a child can be waited for").success());
}
