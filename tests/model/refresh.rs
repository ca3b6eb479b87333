//! Single refreshes: what changes nothing, what heals, what is reported and for how long.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use edxfs::engine::wait::Wait;
use edxfs::error::ErrorKind;
use edxfs::recipe::Artifact;
use edxfs::tree::{Body, Node};

use super::skins::{Direct, Skin};
use super::workshop::{Dice, Key};

const DAY: &str = "events/all/2016-01-01.log";
const LOG: &str = "unix-edx-events-2016-01-01.log";

/// A source that a test fills by hand.
struct Source {
    key: Key,
    root: tempfile::TempDir,
}

impl Source {
    fn new() -> Source {
        let source = Source { key: Key::make(), root: tempfile::tempdir().expect("a temporary folder") };
        for name in ["data", "cache"] {
            fs::create_dir(source.root.path().join(name)).expect("a folder");
        }
        source
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.data().join(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        let _ = fs::remove_file(&path);
        fs::write(path, bytes).expect("a file");
    }

    fn start(&self) -> Direct {
        Direct::start(&self.data(), &self.root.path().join("cache"), &self.key, 64 << 20)
    }
}

/// How often a volume says from now on that something has changed.
fn changes(volume: &Direct) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    volume.0.on_change(move || _ = counter.fetch_add(1, Ordering::Relaxed));
    count
}

/// The lines of problems.tsv, without the header.
fn problems(volume: &Direct) -> Vec<String> {
    let Ok(Node::File { body: Body::Page(page), .. }) = volume.0.lookup("problems.tsv", Wait::Never) else {
        panic!("no problems.tsv")
    };
    volume.0.render("problems.tsv", &page).lines().skip(1).map(str::to_owned).collect()
}

fn artifact(volume: &Direct, path: &str) -> Artifact {
    match volume.0.lookup(path, Wait::Never) {
        Ok(Node::File { body: Body::Artifact(artifact), .. }) => artifact,
        other => panic!("{path}: {other:?}"),
    }
}

fn open(volume: &Direct, path: &str) -> Result<u64, ErrorKind> {
    let opened = volume.0.open(&artifact(volume, path), Wait::Until(&|| false));
    opened.map(|blob| blob.len()).map_err(|error| error.kind())
}

#[test]
fn a_listing_of_the_same_objects_changes_nothing_also_beside_a_broken_zip() {
    let source = Source::new();
    source.put(LOG, b"{}\n");
    source.put("course-data/unix-2016-01-03.zip", b"this is no zip");
    let volume = source.start();
    let (changes, identity) = (changes(&volume), volume.0.identity(&artifact(&volume, DAY)));
    volume.refresh();
    volume.refresh();
    assert_eq!(changes.load(Ordering::Relaxed), 0);
    source.put("unix-edx-events-2016-01-02.log", b"");
    volume.refresh();
    assert_eq!(changes.load(Ordering::Relaxed), 1);
    assert_eq!(volume.0.identity(&artifact(&volume, DAY)), identity);
}

#[test]
fn a_source_that_is_away_takes_nothing_away() {
    let source = Source::new();
    source.put(LOG, b"{}\n");
    source.put("unix-edx-events-2016-01-02.log", b"{}\n");
    let volume = source.start();
    assert_eq!(open(&volume, DAY), Ok(3));
    fs::rename(source.data(), source.root.path().join("away")).expect("the same folder");
    assert_eq!(volume.0.refresh().expect_err("it is away").kind(), ErrorKind::Unreachable);
    assert_eq!(open(&volume, DAY), Ok(3), "cached files still open");
    assert_eq!(open(&volume, "events/all/2016-01-02.log"), Err(ErrorKind::Unreachable));
    assert_eq!(volume.list("events/all").expect("a folder").len(), 2);
    drop(volume);
    fs::rename(source.root.path().join("away"), source.data()).expect("the same folder");
    let volume = source.start();
    assert_eq!(open(&volume, "events/all/2016-01-02.log"), Ok(3));
    assert_eq!(problems(&volume), Vec::<String>::new(), "what was away is read well now");
}

#[test]
fn an_object_that_changes_under_its_reader_is_stale_once() {
    let source = Source::new();
    source.put(LOG, b"{}\n");
    let volume = source.start();
    source.put(LOG, b"{\"longer\": 1}\n");
    let changes = changes(&volume);
    assert_eq!(open(&volume, DAY), Err(ErrorKind::Changed));
    assert_eq!((open(&volume, DAY), changes.load(Ordering::Relaxed)), (Ok(14), 1));
    let held = volume.0.open(&artifact(&volume, DAY), Wait::Never).expect("cached");
    fs::remove_file(source.data().join(LOG)).expect("it was there");
    assert_eq!(
        volume.read("events/unattributed/2016-01-01.log", &mut Dice(1)).expect_err("gone"),
        super::Refused::Changed
    );
    assert!(volume.show(DAY).is_none());
    assert_eq!(held.len(), 14, "what is open lives on");
}

#[test]
fn a_fault_goes_with_the_version_that_has_it() {
    let source = Source::new();
    source.put(&format!("{LOG}.gz"), b"\x1f\x8b this is no gzip stream at all");
    source.put("unix-edx-events-2016-01-02.log.gz", b"nor is this");
    source.put("unix-edx-events-2016-01-03.log", b"no event\n{}\nno event\n");
    let volume = source.start();
    for day in 1..=3 {
        let opened = open(&volume, &format!("events/unattributed/2016-01-0{day}.log"));
        assert_eq!(opened.is_ok(), day == 3, "{opened:?}");
    }
    assert_eq!(problems(&volume).len(), 3);
    drop(volume);
    let volume = source.start();
    let whats = problems(&volume);
    assert_eq!(whats.len(), 3, "remembered: {whats:?}");
    assert!(whats.iter().any(|line| line.contains("no events\t2\t\t")), "{whats:?}");
    source.put(&format!("{LOG}.gz"), b"\x1f\x8b another, as bad and not opened yet");
    fs::remove_file(source.data().join("unix-edx-events-2016-01-02.log.gz")).expect("it was there");
    volume.refresh();
    assert_eq!(problems(&volume).len(), 1, "only the malformed lines are still known");
}

#[test]
fn an_empty_object_is_one_problem() {
    let source = Source::new();
    source.put(&format!("{LOG}.gz.gpg"), b"");
    let volume = source.start();
    assert_eq!(problems(&volume).len(), 1);
    assert_eq!(open(&volume, DAY), Err(ErrorKind::Corrupt));
    assert_eq!(open(&volume, "events/unattributed/2016-01-01.log"), Err(ErrorKind::Corrupt));
    let problems = problems(&volume);
    assert!(problems.len() == 1 && problems[0].contains("\tempty object\t1\tEIO\t"), "{problems:?}");
}

#[test]
fn what_a_joined_table_does_without_is_reported() {
    let source = Source::new();
    source.put("unix-2016-01-03/UniX-A-1-auth_user-prod-analytics.sql", b"id\n7\n");
    source.put("unix-2016-01-03/UniX-B-1-auth_user-prod-analytics.sql", b"");
    let volume = source.start();
    let joined = "tables/auth_user.tsv";
    assert_eq!(volume.read(joined, &mut Dice(1)).expect("one part is sound"), b"course\tid\nUniX-A-1\t7\n");
    let found = problems(&volume);
    assert!(found.iter().any(|line| line.contains("UniX-B-1-auth_user") && line.contains("left out of")), "{found:?}");
    // Another week joins other files; what the older join did without is no longer of interest.
    source.put("unix-2016-01-10/UniX-A-1-auth_user-prod-analytics.sql", b"id\n8\n");
    volume.refresh();
    assert_eq!(volume.read(joined, &mut Dice(1)).expect("sound"), b"course\tid\nUniX-A-1\t8\n");
    assert!(!problems(&volume).iter().any(|line| line.contains("left out of")), "{:?}", problems(&volume));
}
