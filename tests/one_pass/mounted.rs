//! The same counts on a real mount, at the log of every S3 server.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use crate::bucket::Bucket;
use crate::common::wait_for;
use crate::servers::{S3Server, on_every_server};
use crate::truth::{DAYS, Truth, courses_of, day_key, many_courses};

on_every_server!(
    thirty_two_readers_on_eight_courses_of_three_days_fetch_each_day_once,
    the_indexer_begins_with_the_newest_day_goes_where_somebody_looks_and_evicts_nothing,
);

fn thirty_two_readers_on_eight_courses_of_three_days_fetch_each_day_once<S: S3Server>() {
    let made = many_courses();
    let days = &DAYS[..3];
    let truths = DAYS.map(|date| Truth::of(&made, date));
    let bucket = Bucket::<S>::serve(&made);
    let mount = bucket.mount(&["--index", "off"]);
    let courses = &courses_of(&made)[..8];
    bucket.fetches();
    // So that all of them are waiting before the first has what it wants.
    bucket.delay(&days.iter().map(|date| day_key(date)).collect::<Vec<_>>(), Duration::from_millis(700));
    let barrier = Barrier::new(32);
    thread::scope(|scope| {
        for reader in 0..32 {
            let (mount, truths, barrier) = (&mount, &truths, &barrier);
            scope.spawn(move || {
                let (folder, id) = &courses[reader % 8];
                barrier.wait();
                for turn in 0..days.len() {
                    // Four readers share a course; they begin with different days.
                    let day = (reader / 8 + turn) % days.len();
                    let read = mount.read(&format!("courses/{folder}/events/{}.log", days[day]));
                    assert!(read.expect("the file is read") == truths[day].course(id), "{folder} {}", days[day]);
                }
            });
        }
    });
    let mut fetches = BTreeMap::new();
    bucket.fetches().into_iter().for_each(|key| *fetches.entry(key).or_insert(0) += 1);
    let expected: BTreeMap<_, _> = days.iter().map(|date| (day_key(date), 1)).collect();
    assert_eq!(fetches, expected);
}

fn the_indexer_begins_with_the_newest_day_goes_where_somebody_looks_and_evicts_nothing<S: S3Server>() {
    let made = many_courses();
    let truths = DAYS.map(|date| Truth::of(&made, date));
    let bucket = Bucket::<S>::serve(&made);
    let (first, newest) = (DAYS[0], DAYS[3]);
    // The first mount leaves a listing, so that the second begins with what it knows.
    let mount = bucket.mount(&["--index", "off", "--cache-size", "2MiB"]);
    let (folder, id) = courses_of(&made)[0].clone();
    let kept = format!("courses/{folder}/events/{}.log", DAYS[2]);
    mount.read(&format!("events/all/{}.log", DAYS[2])).expect("the file is read");
    assert!(mount.read(&kept).expect("the file is read") == truths[2].course(&id));
    let scratch = mount.stop();
    bucket.fetches();

    let newest_on_edge = day_key(newest).replace("edx", "edge");
    bucket.delay(std::slice::from_ref(&newest_on_edge), Duration::from_secs(2));
    let mount = bucket.mount_in(scratch, &["--index", "background", "--cache-size", "2MiB"]);
    let mut fetched = Vec::new();
    wait_for("the first fetch", || {
        fetched.extend(bucket.fetches());
        !fetched.is_empty()
    });
    assert_eq!(fetched, [newest_on_edge], "the newest day first");
    // While it is under way, somebody looks at the oldest.
    let looked_at = fs::read_dir(mount.path(&format!("courses/{folder}/between/{first}_{first}/events")));
    assert_eq!(looked_at.expect("a window lists").count(), 1);
    wait_for("an idle indexer", || {
        let status = mount.status();
        let count = |name: &str| status[name].as_u64().expect("a number");
        count("indexed_objects") == count("known_objects")
    });
    fetched.extend(bucket.fetches());
    let days: Vec<&String> = fetched.iter().filter(|key| key.contains("-edx-events-")).collect();
    assert_eq!(days, [&day_key(first), &day_key(newest), &day_key(DAYS[1])], "each day once, in this order");
    assert!(mount.read(&kept).expect("the file is read") == truths[2].course(&id));
    assert_eq!(bucket.fetches(), Vec::<String>::new(), "what was read is still there");
}
