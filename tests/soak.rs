//! Years in minutes: days are replaced, taken away and put back, a weekly zip changes, credentials end by themselves and
//! before their time, the server goes away, the cache is too small for what is read, and every few seconds comes a
//! SIGHUP; meanwhile sixteen readers compare what they read with what was there.
//!
//! Two minutes, or `EDXFS_SOAK_SECONDS`, of which there must be some 60.
//!
//! | file | what is in it |
//! |---|---|
//! | `soak/versions.rs` | the objects that change, and what is in each version |
//! | `soak/site.rs` | the server, and what happens to it |
//! | `soak/model.rs` | what a reader may meet, and when |
//! | `soak/readers.rs` | how they read, and what they hold against it |
//! | `soak/vitals.rs` | memory, threads and descriptors of the mount |

mod common;
#[path = "common/gnupg.rs"]
mod gnupg;
#[path = "common/reading.rs"]
mod reading;
#[path = "common/servers/mod.rs"]
mod servers;
#[path = "common/truth.rs"]
mod truth;

#[path = "soak/map.rs"]
mod map;
#[path = "soak/model.rs"]
mod model;
#[path = "soak/random.rs"]
mod random;
#[path = "soak/readers.rs"]
mod readers;
#[path = "soak/site.rs"]
mod site;
#[path = "soak/versions.rs"]
mod versions;
#[path = "soak/vitals.rs"]
mod vitals;

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use common::{Mount, PATIENCE, wait_for};
use model::{File, ObjectNumber};
use random::Random;
use readers::{Reader, Tally};
use reading::read_tree;
use site::{Site, hang_up};
use truth::courses_of;
use vitals::Vitals;

const READERS: u64 = 16;
/// Much less than what is read, so that something is evicted all the time.
const BUDGET: u64 = 2 << 20;

#[test]
fn sixteen_readers_meet_only_what_was_there_while_everything_changes() {
    let seconds = std::env::var("EDXFS_SOAK_SECONDS").map_or(120, |text| text.parse().expect("a number of seconds"));
    let length = Duration::from_secs(seconds);
    let site = Site::start();
    let course = courses_of(&site.made).pop().expect("a course").0;
    let budget = BUDGET.to_string();
    let mount = site.mount(&["--cache-size", &budget, "--refresh", "7s", "--index", "background"]);
    let begun = Instant::now();
    let (tally, samples) = soak(&site, &mount, &course, length);

    let (credentials, late) = site.credentials_used();
    eprintln!("{tally:#?}\n{credentials} credentials\n{}", mount.status());
    assert_eq!(late, 0, "requests came with credentials that had ended");
    assert!(credentials as u64 > seconds / 15, "credentials were renewed");
    for version in 0..4 {
        assert!(tally.contains_key(&format!("version {version}")), "version {version} was never read");
    }
    assert!(mount.status()["decoded_objects"].as_u64() > Some(500), "much is evicted and made again");
    vitals::assert_steady(&samples, begun, length);
    assert_all_is_well_in_the_end(&site, &mount, &course);
    for word in ["ERROR", "panicked"] {
        assert!(!mount.log().contains(word), "{}", mount.log());
    }
}

/// What the readers met in all that time, and what the mount held; fails with what they should not have met.
fn soak(site: &Site, mount: &Mount, course: &str, length: Duration) -> (Tally, Vec<Vitals>) {
    let stop = AtomicBool::new(false);
    let (mut tally, mut wrong) = (Tally::new(), Vec::new());
    let samples = thread::scope(|scope| {
        let (here, gone) = mpsc::channel::<()>();
        let readers: Vec<_> = (0..READERS)
            .map(|number| {
                let (here, stop) = (here.clone(), &stop);
                let reader = Reader::new(&site.model, &mount.point, course, Random::new(number));
                scope.spawn(move || {
                    let _here = here;
                    reader.read_until(stop)
                })
            })
            .collect();
        drop(here);
        scope.spawn(move || end_if_somebody_hangs(mount, &gone, length + 2 * PATIENCE));
        // Also if what follows fails.
        let stopper = Stopper(&stop);
        let samples = unsettle(site, mount, length);
        drop(stopper);
        for reader in readers {
            let (met, not_right) = reader.join().expect("a reader panicked");
            met.into_iter().for_each(|(what, count)| *tally.entry(what).or_default() += count);
            wrong.extend(not_right);
        }
        samples
    });
    let shown = wrong[..wrong.len().min(20)].join("\n");
    assert!(wrong.is_empty(), "{} of {tally:#?}:\n{shown}\n{}", wrong.len(), mount.log());
    (tally, samples)
}

struct Stopper<'a>(&'a AtomicBool);

impl Drop for Stopper<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Nobody is to hang; if somebody does, the mount goes, and the test fails.
fn end_if_somebody_hangs(mount: &Mount, gone: &Receiver<()>, limit: Duration) {
    if gone.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
        let _ = Command::new("kill").args(["-KILL", &mount.server.id().to_string()]).status();
    }
}

/// One thing after the other happens; what the mount held at each, for as long as it lasts.
fn unsettle(site: &Site, mount: &Mount, length: Duration) -> Vec<Vitals> {
    let begun = Instant::now();
    let mut random = Random::new(4711);
    let mut samples = Vec::new();
    let mut turn = 0;
    while begun.elapsed() < length {
        let number = ObjectNumber(random.below(site.objects.len()));
        let versions = site.objects[number.0].versions.len();
        let now = site.model.version(number);
        let other = now.map_or(0, |now| (now + 1 + random.below(versions - 1)) % versions);
        match turn % 6 {
            0 | 2 => site.change(mount, number, Some(other)),
            1 => {
                site.change(mount, number, None);
                site.change(mount, number, Some(other));
            }
            3 => hang_up(mount),
            4 => site.part(Duration::from_secs(1)),
            _ => site.revoke(),
        }
        turn += 1;
        samples.push(Vitals::of(mount.server.id()));
        assert_within_budget(mount, site);
        thread::sleep(random.time(500, 2000));
    }
    samples
}

/// Never more than the budget and the file being written.
fn assert_within_budget(mount: &Mount, site: &Site) {
    let status = mount.status();
    let largest = site.model.files.iter().flat_map(|file| &file.contents).map(|content| content.len()).max();
    let held = status["cache_bytes"].as_u64().expect("a number");
    assert!(held <= BUDGET + largest.expect("there are files") as u64, "{status}");
}

/// When it is calm, everything is as it is now, and as another mount makes it.
fn assert_all_is_well_in_the_end(site: &Site, mount: &Mount, course: &str) {
    let shows_newest = |file: &File| {
        let version = site.model.version(file.object).expect("what was taken away is back");
        readers::shows(&mount.point, file, version)
    };
    wait_for("the newest of every file", || site.model.files.iter().all(shows_newest));
    let fresh = site.mount(&["--index", "off"]);
    let folder = format!("courses/{course}");
    let expected = read_tree(&fresh, &folder);
    assert!(expected.len() > 100, "{} paths", expected.len());
    let found = read_tree(mount, &folder);
    let differ: Vec<_> = expected.iter().filter(|(path, met)| found.get(*path) != Some(met)).collect();
    assert!(differ.is_empty(), "{differ:?}");
}
