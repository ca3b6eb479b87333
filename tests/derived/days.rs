//! Two builds are equal, and one more day costs that day and changes the courses with events in it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use edxfs::demo::Made;

use crate::common::{Mount, copy_of, folder_options, run, small_package, wait_for};
use crate::mounted;
use crate::volume::{ROOMY, Recording};
use crate::{NEW, OLD};

const LAST: &str = "2015-03-15";
/// A course without an event on the last day.
const ENDED: &str = "UniX-_ko-1x-2T2015";

fn database(course: &str) -> String {
    format!("courses/{course}/samced.db")
}

/// The package without its last day, and where the objects of that day wait.
struct Growing {
    made: Made,
    scratch: tempfile::TempDir,
    later: Vec<(PathBuf, PathBuf)>,
}

impl Growing {
    fn new() -> Growing {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let made = copy_of(&small_package(), scratch.path());
        let mut later = Vec::new();
        for site in ["edx", "edge"] {
            let key = format!("edx-course-data/unix/{site}/events/2015/unix-{site}-events-{LAST}.log.gz.gpg");
            let (place, aside) = (made.data.join(key), scratch.path().join(site));
            fs::rename(&place, &aside).expect("the day is there");
            later.push((aside, place));
        }
        Growing { made, scratch, later }
    }

    fn arrive(&self) {
        for (aside, place) in &self.later {
            // Newer than the snapshot, as a day that has just been received is.
            run(Command::new("touch").arg(aside));
            fs::rename(aside, place).expect("one folder");
        }
    }

    fn cache(&self) -> PathBuf {
        self.scratch.path().join("cache")
    }
}

/// Dates of the day logs among fetched keys.
fn days_of(fetches: &[String]) -> Vec<String> {
    let logs = fetches.iter().filter(|key| key.contains("-events-"));
    let mut dates: Vec<String> = logs.map(|key| key.trim_end_matches(".log.gz.gpg").to_owned()).collect();
    dates.sort();
    dates
}

#[test]
fn two_builds_give_equal_bytes() {
    let [first, second] = [mounted(&[]), mounted(&[])].map(|mount| {
        // Which of two ids keeps a folder's plain name depends on which was met first.
        for date in mount.list(&format!("courses/{OLD}/events")).iter().filter(|name| !name.contains("03-03")) {
            mount.read(&format!("courses/{OLD}/events/{date}")).expect("the day opens");
        }
        // In another order, too.
        let order = if mount.list("courses").len().is_multiple_of(2) { [OLD, NEW] } else { [NEW, OLD] };
        for course in order {
            mount.read(&database(course)).expect("the database opens");
        }
        [database(OLD), database(NEW), "samced.db".into()].map(|path| mount.read(&path).expect("the database opens"))
    });
    for (at, (first, second)) in first.iter().zip(&second).enumerate() {
        assert!(first == second, "database {at}");
    }
    assert!(first.iter().all(|bytes| bytes.starts_with(b"SQLite format 3\0")));
}

#[test]
fn one_more_day_is_the_only_one_read_again() {
    let growing = Growing::new();
    let site = Recording::start(&growing.made, &growing.cache(), ROOMY);
    let before = site.read(&database(NEW));
    let ended = site.read(&database(ENDED));
    let fetched = site.fetches();
    assert!(!days_of(&fetched).iter().any(|key| key.ends_with(LAST)));
    assert_eq!(site.read(&database(NEW)), before);
    assert_eq!(site.fetches(), fetched, "what is known costs nothing");

    growing.arrive();
    site.volume.refresh().expect("the listing is there");
    assert!(site.read(&database(NEW)) != before, "the new day is in it");
    let more = site.fetches().split_off(fetched.len());
    let days = days_of(&more);
    assert!(!days.is_empty() && days.iter().all(|key| key.ends_with(LAST)), "{more:?}");
    assert_eq!(site.read(&database(ENDED)), ended);
    let again = days_of(&site.fetches().split_off(fetched.len()));
    assert!(again.len() <= 2 && again.iter().all(|key| key.ends_with(LAST)), "{again:?}");

    let whole = Recording::start(&growing.made, &growing.scratch.path().join("another"), ROOMY);
    assert!(whole.read(&database(NEW)) == site.read(&database(NEW)), "as if it had been there at once");
}

/// Inode, bytes and time.
fn attributes(path: &Path) -> (u64, u64, i64, i64) {
    let found = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (found.ino(), found.len(), found.mtime(), found.mtime_nsec())
}

#[test]
fn a_course_without_events_in_a_new_day_keeps_its_database_its_inode_and_its_time() {
    let growing = Growing::new();
    let mut options = folder_options(&growing.made);
    options.extend(["--index", "off", "--refresh", "1h"].map(str::to_owned));
    let mount = Mount::start(&options);
    let look = |course: &str| {
        mount.read(&database(course)).expect("the database opens");
        attributes(&mount.path(&database(course)))
    };
    let before = [ENDED, NEW].map(look);
    growing.arrive();
    run(Command::new("kill").args(["-HUP", &mount.server.id().to_string()]));
    let day = mount.path(&format!("courses/{NEW}/events/{LAST}.log"));
    wait_for("the new day", || day.exists());
    let after = [ENDED, NEW].map(look);
    assert_eq!(after[0], before[0], "{ENDED} ended before that day");
    assert_ne!(after[1].0, before[1].0, "another content is another inode");
    assert!(after[1].2 > before[1].2, "{NEW} is as new as that day: {after:?}");
    assert_eq!(look(ENDED), before[0]);
}

#[test]
fn tallies_alone_are_remade_from_cached_segments_without_a_fetch() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let made = small_package();
    let mut options = folder_options(&made);
    options.extend(["--index", "off"].map(str::to_owned));
    let mount = Mount::start_in(scratch, &options, &[]);
    mount.read(&database(NEW)).expect("the database opens");
    let scratch = mount.stop();
    options.extend(["--compartment", "7"].map(str::to_owned));
    let mount = Mount::start_in(scratch, &options, &[]);
    let before = mount.status()["fetched_objects"].as_u64().expect("a number");
    mount.read(&database(NEW)).expect("the database opens");
    assert_eq!(mount.status()["fetched_objects"].as_u64(), Some(before), "every segment is cached");
}
