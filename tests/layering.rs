//! Who may import whom: reads `src/` and fails on any arrow that is not drawn here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each top-level module and the others that it may name. `error` may be named by all and names none.
const ARROWS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("edx", &[]),
    ("decode", &[]),
    ("store", &[]),
    ("source", &[]),
    ("config", &["edx"]),
    ("catalog", &["source", "decode", "edx"]),
    ("sqlite", &[]),
    ("recipe", &["source", "decode", "edx", "sqlite"]),
    ("engine", &["recipe", "source", "decode", "edx", "store", "sqlite"]),
    ("tree", &["catalog", "recipe", "edx", "decode", "source"]),
    ("lock", &[]),
    ("shell", &[]),
    // Sizes are told as the engine knows them.
    ("control", &["engine", "lock", "shell"]),
    // How far a sync is, is told as everywhere.
    ("mirror", &["source", "edx", "lock", "control"]),
    ("volume", &["config", "source", "edx", "decode", "catalog", "recipe", "store", "engine", "tree", "control"]),
    // The other way round than `decode`, with keys read as there.
    ("encrypt", &["decode"]),
    // Below `command`: the tree comes to it as a trait, what it opens as the volume's own type.
    ("export", &["control", "edx", "encrypt", "engine", "volume"]),
    ("fuse", &["volume", "tree", "engine", "recipe", "store"]),
    ("demo", &[]),
    ("doctor", &["config", "source", "edx", "decode", "control", "volume", "fuse", "shell"]),
    ("command", &["*"]),
    ("main", &["command"]),
    ("lib", &[]),
];

/// Crates that some files or folders alone may name, below `src/`.
const OWNERS: &[(&str, &[&str])] = &[
    ("fuser", &["fuse"]),
    ("sequoia_openpgp", &["decode/openpgp", "encrypt"]),
    ("aws_sdk_s3", &["source/s3"]),
    ("aws_config", &["source/s3"]),
    // Sealing, and the SHA-256 of a manifest.
    ("ring", &["store/seal", "export/copy"]),
    ("rustix", &["export/folder", "control/reach", "doctor", "fuse/mounts"]),
    ("rusqlite", &["engine/ledger", "sqlite", "recipe/database", "recipe/opt_in"]),
    ("sqlite_plugin", &["sqlite"]),
    // The demonstration package is gzipped by its generator: a fixture must not be made by the code under test.
    ("flate2", &["decode", "demo"]),
    ("zip", &["decode/zip"]),
    ("s3s", &["demo/bucket"]),
    ("clap", &["config", "command"]),
];

#[test]
fn every_import_is_an_arrow_that_is_drawn() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let module = module_of(&file);
        let allowed = ARROWS.iter().find(|(name, _)| *name == module);
        let Some((_, allowed)) = allowed else {
            wrong.push(format!("{}: module {module} is not drawn", file.display()));
            continue;
        };
        for name in named(&text, "crate::") {
            let drawn = name == module || name == "error" || allowed.contains(&"*") || allowed.contains(&name.as_str());
            if !drawn {
                wrong.push(format!("{}: {module} -> {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_outside_crate_is_named_by_its_owners_alone() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let path = file.to_string_lossy().into_owned();
        for (name, owners) in OWNERS {
            let names_it = text.lines().any(|line| {
                let line = line.trim_start();
                line.starts_with(&format!("use {name}::")) || line.starts_with(&format!("use ::{name}::"))
            });
            if names_it && !owners.iter().any(|owner| path.starts_with(owner)) {
                wrong.push(format!("{path} names {name}, which only {owners:?} may"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let long: BTreeMap<PathBuf, usize> = sources()
        .into_iter()
        .map(|(file, text)| (file, text.lines().count()))
        .filter(|(_, lines)| *lines > 500)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src can be listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is UTF-8");
                found.push((path.strip_prefix(&root).expect("below src").to_owned(), text));
            }
        }
    }
    found
}

fn module_of(file: &Path) -> String {
    let first = file.iter().next().expect("a file has a name").to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// First path components behind `prefix`, one for each place, braces taken apart; comments and strings left out.
fn named(text: &str, prefix: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let list = &list[..list.find('}').unwrap_or(list.len())];
            names.extend(list.split(',').map(|name| name.trim().split("::").next().unwrap_or("").to_owned()));
        } else {
            names.push(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect());
        }
    }
    names.retain(|name| !name.is_empty() && name != "self");
    names
}
