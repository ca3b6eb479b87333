//! What derived files must hold: `tests/truth/derived` says, with Python's standard library alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Mount, run, small_package};

/// The folder of the model's files for the whole organisation.
pub const ORGANISATION: &str = "organisation";

/// What the model says of some courses.
pub struct Judge {
    scratch: tempfile::TempDir,
}

impl Judge {
    /// The model on the small package; `folders` are course folders or [`ORGANISATION`], `options` the model's.
    ///
    /// Which folders there are is said by the mount, once it has met every course; `tests/mount.rs` judges that.
    pub fn of(mount: &Mount, options: &[&str], folders: &[&str]) -> Judge {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let made = small_package();
        let courses = scratch.path().join("courses.tsv");
        fs::write(&courses, mount.read("courses.tsv").expect("courses.tsv")).expect("a file can be made");
        let mut model = python("main.py");
        model.arg(made.data.parent().expect("data/ lies in the package's folder")).arg(courses).arg(scratch.path());
        run(model.args(options).args(folders));
        Judge { scratch }
    }

    pub fn path(&self, folder: &str, file: &str) -> PathBuf {
        self.scratch.path().join(folder).join(file)
    }

    pub fn read(&self, folder: &str, file: &str) -> Vec<u8> {
        let path = self.path(folder, file);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Every file that the model wrote below one of its folders.
    pub fn files(&self, folder: &str, below: &str) -> BTreeMap<String, Vec<u8>> {
        files(&self.path(folder, below))
    }

    /// Fails unless the database at `path` is the model's, row for row.
    pub fn assert_database(&self, folder: &str, path: &Path) {
        let output = python("compare.py").arg(path).arg(self.path(folder, "tables.jsonl")).output();
        let output = output.expect("python3 is installed");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} is not as the model says:\n{told}", path.display());
    }

    /// Fails unless `samced/` on the mount holds the model's CSVs and `errors.txt`, and nothing else.
    pub fn assert_sheets(&self, folder: &str, mounted: &Path) {
        let mut expected = self.files(folder, "samced");
        let mut found = files(mounted);
        let is_page = |name: &str| name == "info.txt";
        expected.retain(|name, _| !is_page(name));
        found.retain(|name, _| !is_page(name));
        assert_same(&found, &expected);
    }
}

fn python(script: &str) -> Command {
    let mut python = Command::new("python3");
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/truth/derived").join(script));
    // Nothing is left beside the sources.
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

/// Every file below a folder by its path.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    files_but(folder, &[])
}

/// The same without some.
pub fn files_but(folder: &Path, others: &[&Path]) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let entries = fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display()));
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if !others.contains(&&*path) {
                let name = path.strip_prefix(folder).expect("it is below").to_str().expect("UTF-8").to_owned();
                found.insert(name, fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
            }
        }
    }
    found
}

/// Fails with the names that one side lacks, or with the first file and line that differ.
pub fn assert_same(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    let lacks = |a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>| -> Vec<String> {
        b.keys().filter(|name| !a.contains_key(*name)).cloned().collect()
    };
    let (missing, surplus) = (lacks(found, expected), lacks(expected, found));
    assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:?}, too many {surplus:?}");
    for (name, content) in expected {
        assert_equal(name, &found[name], content);
    }
}

/// Fails with the first line that differs.
pub fn assert_equal(name: &str, found: &[u8], expected: &[u8]) {
    if found == expected {
        return;
    }
    let (ours, theirs) = (String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
    let differs = ours.lines().zip(theirs.lines()).enumerate().find(|(_, (a, b))| a != b);
    match differs {
        Some((line, (a, b))) => panic!("{name}, line {}:\n{a}\nnot\n{b}", line + 1),
        None => panic!("{name}: {} bytes, not {}", found.len(), expected.len()),
    }
}
