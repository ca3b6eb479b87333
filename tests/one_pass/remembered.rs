//! What stays known: sizes across restarts and evictions, contents after an eviction, what an index run has done.

use std::cell::Cell;

use edxfs::engine::size::Size;
use edxfs::engine::wait::Wait;
use edxfs::error::ErrorKind;

use super::{courses, fresh, keys_of_days};
use crate::truth::{DAYS, Truth, courses_of, many_courses};
use crate::volume::{FOREVER, ROOMY, Recording};

/// Holds one of the days, not two and a whole log.
const TIGHT: u64 = 2 << 20;

#[test]
fn sizes_outlive_restarts_and_evictions_and_a_remade_file_has_equal_bytes() {
    let (made, scratch) = (many_courses(), tempfile::tempdir().expect("a temporary folder"));
    let cache = scratch.path().join("cache");
    let truths = DAYS.map(|date| Truth::of(&made, date));
    let site = Recording::start(&made, &cache, TIGHT);
    for date in DAYS {
        site.read(&format!("courses/{}/events/{date}.log", courses_of(&made)[0].0));
        site.read(&format!("events/all/{date}.log"));
        assert!(site.volume.cache_bytes().0 <= TIGHT, "{} bytes", site.volume.cache_bytes().0);
    }
    drop(site);
    let site = Recording::start(&made, &cache, TIGHT);
    let fetched = site.fetches();
    for (folder, id) in courses(&site) {
        for (date, truth) in DAYS.iter().zip(&truths) {
            let size = site.size(&format!("courses/{folder}/events/{date}.log"));
            assert_eq!(size, Some(Size::Exact(truth.course(&id).len() as u64)), "{folder} {date}");
        }
    }
    assert_eq!(site.fetches(), fetched, "sizes are remembered");
    for (folder, id) in &courses_of(&made)[..3] {
        for (date, truth) in DAYS.iter().zip(&truths) {
            assert!(site.read(&format!("courses/{folder}/events/{date}.log")) == truth.course(id), "{folder} {date}");
        }
    }
    assert!(site.fetches().len() > fetched.len(), "nothing had been evicted");
}

#[test]
fn an_interrupted_index_run_goes_on_where_it_was_and_a_finished_one_fetches_nothing() {
    let (made, scratch) = (many_courses(), tempfile::tempdir().expect("a temporary folder"));
    let cache = scratch.path().join("cache");
    let site = fresh(&scratch, &made);
    let begun = Cell::new(0);
    let done = std::sync::atomic::AtomicU64::new(0);
    let enough = || done.load(std::sync::atomic::Ordering::Relaxed) >= 20;
    let count = |progress: edxfs::control::Progress| {
        begun.set(progress.total_objects);
        done.store(progress.done_objects, std::sync::atomic::Ordering::Relaxed);
    };
    let stopped = site.volume.index(&[], &count, Wait::Until(&enough)).expect_err("it was interrupted");
    assert_eq!(stopped.kind(), ErrorKind::Interrupted);
    assert!(begun.get() > 40, "{} recipes", begun.get());
    let mut fetched = site.fetches();
    drop(site);

    let site = Recording::start(&made, &cache, ROOMY);
    let indexed = site.volume.index(&[], &|_| {}, FOREVER).expect("it ends");
    let empty = |(_, error): &(String, edxfs::error::Error)| error.to_string().contains("is empty (0 bytes)");
    assert!(indexed.failed.iter().all(empty), "{:?}", indexed.failed);
    fetched.extend(site.fetches());
    for date in DAYS {
        assert_eq!(keys_of_days(&fetched, date), 1, "{date}");
    }
    drop(site);

    let site = Recording::start(&made, &cache, ROOMY);
    site.volume.index(&[], &|_| {}, FOREVER).expect("it ends");
    assert_eq!(site.fetches(), Vec::<String>::new());
    let mut files = Vec::new();
    site.walk("courses", &mut files);
    site.walk("events", &mut files);
    let guessed = |(path, size): &&(String, Option<Size>)| {
        matches!(size, Some(Size::StandIn(_)))
            // Each of these is made by a pass of its own, or its object is empty.
            && !["events/all", "events/unattributed", "/snapshots/", "credit_crediteligibility", "/2015-03-03.log"]
                .iter()
                .any(|own| path.contains(own))
            // These when somebody wants them.
            && !["/samced", ".csv", "errors.txt", ".log.gz"].iter().any(|own| path.contains(own))
    };
    assert_eq!(files.iter().find(guessed), None);
    assert_eq!(site.fetches(), Vec::<String>::new());
}
