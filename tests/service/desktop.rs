//! A desktop asks for the type of every file in a mount: with the types' file it reads none of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{Mount, folder_options, run, small_package};

/// A folder with the types of everybody and, if asked for, ours: what update-mime-database makes of an installed package.
fn types(scratch: &Path, name: &str, packages: &[&str]) -> String {
    let folder = scratch.join(name);
    fs::create_dir_all(folder.join("mime/packages")).expect("it is ours");
    for package in packages {
        let file = Path::new(package).file_name().expect("it has a name");
        fs::copy(package, folder.join("mime/packages").join(file)).expect("shared-mime-info is installed");
    }
    run(Command::new("update-mime-database").arg(folder.join("mime")));
    folder.display().to_string()
}

/// Asks GIO for the types of the files; what it tried to open to find them out, as strace saw it.
fn opened(files: &[String], data: &str, scratch: &Path) -> Vec<String> {
    let trace = scratch.join("trace");
    let mut gio = Command::new("strace");
    gio.args(["-f", "-qq", "-e", "trace=openat", "-o"]).arg(&trace);
    gio.args(["gio", "info", "-a", "standard::content-type"]).args(files).stdin(Stdio::null());
    run(gio.env("XDG_DATA_HOME", scratch.join("none")).env("XDG_DATA_DIRS", data).env("HOME", scratch));
    let trace = fs::read_to_string(trace).expect("strace writes it");
    let sniffed = trace.lines().filter(|line| line.contains("O_NOATIME"));
    sniffed.map(|line| line.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn no_name_in_a_mount_makes_a_desktop_read_the_file() {
    const EVERYBODY: &str = "/usr/share/mime/packages/freedesktop.org.xml";
    const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/package/edxfs.xml");
    let mut options = folder_options(&small_package());
    options.extend(["--index", "off"].map(str::to_owned));
    let mount = Mount::start(&options);
    let found = run(Command::new("find").arg(&mount.point).args(["-type", "f"])).stdout;
    // A type is guessed from a file's own name, so that one file of each name does.
    let found = String::from_utf8(found).expect("names are UTF-8");
    let named: BTreeMap<&str, &str> = found.lines().filter_map(|path| Some((path.rsplit('/').next()?, path))).collect();
    let files: Vec<String> = named.values().map(|path| (*path).to_owned()).collect();
    assert!(files.len() > 300, "{}", files.len());
    let scratch = mount.scratch.path();

    // To list a Research Data Exchange package it was unpacked.
    let decoded = mount.status()["decoded_objects"].clone();
    let with = opened(&files, &types(scratch, "with", &[EVERYBODY, OURS]), scratch);
    assert!(with.is_empty(), "{with:?}");
    assert_eq!(mount.status()["decoded_objects"], decoded);

    let without = opened(&files, &types(scratch, "without", &[EVERYBODY]), scratch);
    for name in ["samced.db", "forum.mongo", "course_structure.json"] {
        assert!(without.iter().any(|line| line.starts_with(name)), "{name} is why the file is there: {without:?}");
    }
}
