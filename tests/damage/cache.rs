//! Damage to the cache folder between two mounts: right bytes all the same, or a refusal; and what the folder reveals.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use edxfs::demo::Made;
use tempfile::TempDir;

use crate::common::{Mount, copy_of, folder_options, small_package};
use crate::gnupg::Keyring;
use crate::injury::{Injury, noise};
use crate::reading::{Expect, FIRST_DAY, Tree, assert_joined, assert_tree, keep_days, quiet, read_tree};
use crate::refusal::refused_mount;

/// What a course and a day touch: decoded days, tables, a joined table's inputs.
const ROOTS: [&str; 3] = ["courses/UniX-PHY-101-T1", "events/all", "edx-course-data"];
/// The folders of blobs.
const BLOBS: [&str; 2] = ["blobs-v1", "lasting-v1"];
const DAYS: [&str; 3] = [FIRST_DAY, "2015-03-04", "2015-03-05"];

struct Cached {
    made: Made,
    /// Holds the package.
    _package: TempDir,
    scratch: TempDir,
    /// What was read with nothing damaged.
    right: Tree,
}

impl Cached {
    /// A cache that holds everything below the roots.
    fn new() -> Cached {
        let package = tempfile::tempdir().unwrap();
        let made = copy_of(&small_package(), package.path());
        keep_days(&made, &DAYS);
        let mount = Mount::start(&quiet(folder_options(&made)));
        assert_right(&mount);
        // By now every name is known.
        let right = assert_right(&mount);
        Cached { made, _package: package, scratch: mount.stop(), right }
    }

    /// The ledger, with everything in its main file.
    fn ledger(&self) -> PathBuf {
        let path = self.cache().join("ledger.sqlite");
        let database = rusqlite::Connection::open(&path).unwrap();
        database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        path
    }

    fn cache(&self) -> PathBuf {
        self.scratch.path().join("cache")
    }

    /// Blob files in order of folder and name.
    fn blobs(&self) -> Vec<PathBuf> {
        BLOBS.iter().flat_map(|folder| files(&self.cache().join(folder))).collect()
    }

    /// Mounts again and reads everything again.
    fn assert_right_again(self) -> Cached {
        let mount = Mount::start_in(self.scratch, &quiet(folder_options(&self.made)), &[]);
        assert_joined(&self.right, &assert_right(&mount), |_| Expect::Right);
        Cached { scratch: mount.stop(), ..self }
    }

    /// What a mount says that is refused because of this cache.
    fn refusal(&self, made: &Made) -> String {
        let mut options = quiet(folder_options(made));
        options.extend(["--cache-dir".to_owned(), self.cache().display().to_string()]);
        let point = self.scratch.path().join("mnt");
        let (code, errors) = refused_mount(&options, &[], &point);
        assert!(code.is_some_and(|code| code > 0), "{errors}");
        errors
    }
}

fn read_roots(mount: &Mount) -> Tree {
    ROOTS.iter().flat_map(|root| read_tree(mount, root)).collect()
}

/// What was found.
fn assert_right(mount: &Mount) -> Tree {
    let found = read_roots(mount);
    for root in ROOTS {
        let below: Tree =
            found.iter().filter(|(path, _)| path.starts_with(root)).map(|(p, m)| (p.clone(), *m)).collect();
        assert!(below.len() > 3, "{root}: {below:?}");
        assert_tree(&below, root, |path| {
            let name = path.rsplit('/').next().unwrap_or_default();
            let of_a_day = path.contains("events/") && name.contains(".log");
            if of_a_day && !DAYS.iter().any(|day| name.contains(day)) { Expect::Gone } else { Expect::Right }
        });
    }
    found
}

/// Every file below a folder, in order of path.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn damaged_blobs_are_made_again() {
    let cached = Cached::new();
    let blobs = cached.blobs();
    assert!(blobs.len() > 30, "{} blobs", blobs.len());
    for (number, path) in blobs.iter().enumerate() {
        match number % 9 {
            0 => Injury::Cut(500).inflict_on(path),
            1 => Injury::Flip(500).inflict_on(path),
            2 => fs::remove_file(path).unwrap(),
            // Another blob's content, which its own seal fits.
            3 => drop(fs::copy(&blobs[(number + 5) % blobs.len()], path).unwrap()),
            4 => fs::write(path, noise(10_000)).unwrap(),
            5 => Injury::Empty.inflict_on(path),
            6 => Injury::FlipLastByte.inflict_on(path),
            7 => Injury::Flip(10).inflict_on(path),
            _ => {}
        }
    }
    let cached = cached.assert_right_again();
    // Whole files in place of each other, all of them.
    let blobs = cached.blobs();
    let contents: Vec<_> = blobs.iter().map(|path| fs::read(path).unwrap()).collect();
    for (number, path) in blobs.iter().enumerate() {
        fs::write(path, &contents[(number + 1) % contents.len()]).unwrap();
    }
    cached.assert_right_again();
}

#[test]
fn blobs_of_another_cache_are_not_believed() {
    let (cached, other) = (Cached::new(), Cached::new());
    for folder in BLOBS {
        fs::remove_dir_all(cached.cache().join(folder)).unwrap();
        fs::rename(other.cache().join(folder), cached.cache().join(folder)).unwrap();
    }
    let cached = cached.assert_right_again();
    // With the same names and another key.
    let other = Cached::new();
    for (ours, theirs) in cached.blobs().iter().zip(other.blobs()) {
        fs::copy(theirs, ours).unwrap();
    }
    cached.assert_right_again();
}

#[test]
fn a_damaged_ledger_is_begun_anew() {
    let mut cached = Cached::new();
    let damages: [&dyn Fn(&Path); 7] = [
        &|ledger| Injury::Cut(500).inflict_on(ledger),
        &|ledger| Injury::Cut(950).inflict_on(ledger),
        &|ledger| Injury::Cut(30).inflict_on(ledger),
        &|ledger| fs::write(ledger, noise(50_000)).unwrap(),
        &|ledger| fs::write(ledger, b"").unwrap(),
        &|ledger| fs::write(ledger.with_extension("sqlite-wal"), noise(10_000)).unwrap(),
        &|ledger| fs::remove_file(ledger).unwrap(),
    ];
    for damage in damages {
        damage(&cached.ledger());
        cached = cached.assert_right_again();
    }
}

/// What the ledger says of contents: damage that leaves the database whole.
#[test]
fn a_ledger_that_says_something_wrong_is_not_believed() {
    let mut cached = Cached::new();
    let lies = [
        "UPDATE facts SET bytes = 0",
        "UPDATE facts SET bytes = bytes + 1",
        "UPDATE facts SET digest = (SELECT max(digest) FROM facts)",
        "UPDATE facts SET digest = x'00'",
        "DELETE FROM facts",
        "UPDATE runs SET sealed = (SELECT max(sealed) FROM runs)",
        "UPDATE records SET sealed = substr(sealed, 2)",
    ];
    for lie in lies {
        let ledger = rusqlite::Connection::open(cached.cache().join("ledger.sqlite")).unwrap();
        assert!(ledger.execute(lie, []).unwrap() > 0, "{lie}");
        drop(ledger);
        cached = cached.assert_right_again();
    }
}

/// Bits anywhere behind the first page.
#[test]
fn flipped_bits_in_the_ledger_make_no_wrong_bytes() {
    let mut cached = Cached::new();
    for number in 0..6 {
        let ledger = cached.ledger();
        let mut hurt = fs::read(&ledger).unwrap();
        let (first, rest) = (4096, hurt.len() - 4096);
        for step in 0..10 {
            hurt[first + (number * 9_973 + step * 7_919) % rest] ^= 1 << (step % 8);
        }
        fs::write(&ledger, &hurt).unwrap();
        cached = cached.assert_right_again();
    }
}

#[test]
fn leftovers_are_swept() {
    let cached = Cached::new();
    let cache = cached.cache();
    let leftovers = [cache.join("tmp/0123456789abcdef-0"), cache.join("tmp/junk"), cache.join("key.part")];
    for path in &leftovers {
        fs::write(path, noise(100_000)).unwrap();
    }
    fs::create_dir_all(cache.join("blobs-v1/zz")).unwrap();
    fs::write(cache.join("blobs-v1/zz/junk"), b"junk").unwrap();
    fs::write(cache.join("blobs-v1/junk"), b"junk").unwrap();
    let cached = cached.assert_right_again();
    let left = fs::read_dir(cached.cache().join("tmp")).unwrap().count();
    assert_eq!(left, 0, "temporary files stay");
}

#[test]
fn a_key_that_cannot_be_opened_is_refused_in_words() {
    let cached = Cached::new();
    let key = cached.cache().join("key.gpg");
    let sound = fs::read(&key).unwrap();
    for injury in [Injury::Garbage, Injury::Cut(500), Injury::Flip(900), Injury::Empty, Injury::FlipLastByte] {
        fs::write(&key, injury.inflict(&sound)).unwrap();
        let errors = cached.refusal(&cached.made);
        assert!(errors.contains("key.gpg") && errors.contains("remove the folder"), "{injury:?}: {errors}");
    }
    let other = Made { secret_key: Keyring::empty().new_secret_key(cached.scratch.path()), ..cached.made.clone() };
    fs::write(&key, &sound).unwrap();
    let errors = cached.refusal(&other);
    assert!(errors.contains("key.gpg") && errors.contains("secret key"), "{errors}");
    assert!(errors.contains("has opened this cache before"), "{errors}");
    cached.assert_right_again();
}

#[test]
fn a_cache_folder_open_to_others_is_refused() {
    let cached = Cached::new();
    fs::set_permissions(cached.cache(), fs::Permissions::from_mode(0o750)).unwrap();
    let errors = cached.refusal(&cached.made);
    assert!(errors.contains("0750") && errors.contains("chmod 700"), "{errors}");
    fs::set_permissions(cached.cache(), fs::Permissions::from_mode(0o700)).unwrap();
    cached.assert_right_again();
}

/// While it is mounted and everything has been read, with temporary folders of its own to leave something in.
#[test]
fn nothing_in_the_cache_folder_is_readable() {
    let made = small_package();
    let scratch = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let place = elsewhere.path().to_str().unwrap();
    let environment = [("TMPDIR", place), ("HOME", place), ("XDG_CACHE_HOME", place), ("XDG_STATE_HOME", place)];
    let mount = Mount::start_in(scratch, &quiet(folder_options(&made)), &environment);
    read_tree(&mount, "");
    let marks = marks(&made);
    let cache = mount.scratch.path().join("cache");
    assert_unreadable(&cache, &marks);
    let scratch = mount.stop();
    assert_unreadable(&scratch.path().join("cache"), &marks);
    assert_eq!(files(elsewhere.path()), Vec::<PathBuf>::new(), "something was written elsewhere");
}

/// Course ids and folders, object and table names, and who the learners are.
fn marks(made: &Made) -> BTreeSet<String> {
    let mut marks: BTreeSet<String> = made.courses.iter().cloned().collect();
    let words = ["UniX", "unix-edx-events", "auth_user", "tracking.tar", "edx-course-data", "course_id", "event_type"];
    marks.extend(words.map(str::to_owned));
    let plain = made.plain.as_ref().expect("plaintexts are kept");
    let users = "course-data/unix-2015-03-15/unix-2015-03-15/UniX-PHY-101-T1-auth_user-prod-analytics.sql";
    for line in fs::read_to_string(plain.join(users)).unwrap().lines().skip(1) {
        let mut cells = line.split('\t');
        marks.extend(cells.nth(1).filter(|name| name.len() > 5).map(str::to_owned));
        marks.extend(cells.find(|cell| cell.contains('@')).map(str::to_owned));
    }
    assert!(marks.len() > 30, "{marks:?}");
    marks
}

fn assert_unreadable(cache: &Path, marks: &BTreeSet<String>) {
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(cache), 0o700);
    let all = files(cache);
    assert!(all.len() > 300, "{} files", all.len());
    for path in all {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        assert_eq!(mode(path.parent().unwrap()), 0o700, "{}", path.display());
        let name = path.strip_prefix(cache).unwrap().display().to_string();
        let Ok(content) = fs::read(&path) else { continue };
        for mark in marks {
            let found = memchr::memmem::find(&content, mark.as_bytes()).is_some() || name.contains(mark.as_str());
            assert!(!found, "{name} holds {mark:?}");
        }
    }
}
