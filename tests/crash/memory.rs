//! A tree of many names, found again and again: nothing is fetched for it, and the server does not grow.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::common::{Mount, folder_options, run, small_package};

/// Day logs on each of two sites.
const DAYS: u32 = 3000;

/// What the server may take at most, and may grow by once it has seen the tree.
const MOST_KIB: u64 = 120 << 10;
const GROWTH_KIB: u64 = 8 << 10;

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the server is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Makes the kernel forget every name and inode that nobody uses.
fn drop_caches() {
    fs::write("/proc/sys/vm/drop_caches", "2").expect("the tests run as root");
}

/// Links to one real object under the names of many days before it.
fn many_days(events: &Path, site: &str) {
    let folder = events.join(site).join("events");
    let object = folder.join("2015").join(format!("unix-{site}-events-2015-03-02.log.gz.gpg"));
    for day in 0..DAYS {
        let date = format!("{}-{:02}-{:02}", 2002 + day / 336, day / 28 % 12 + 1, day % 28 + 1);
        let year = folder.join(&date[..4]);
        fs::create_dir_all(&year).expect("a folder can be made");
        symlink(&object, year.join(format!("unix-{site}-events-{date}.log.gz.gpg"))).expect("a link can be made");
    }
}

#[test]
fn finding_a_tree_of_many_names_fetches_nothing_and_the_server_does_not_grow() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let made = crate::common::copy_of(&small_package(), scratch.path());
    for site in ["edx", "edge"] {
        many_days(&made.data.join("edx-course-data/unix"), site);
    }
    let mount = Mount::start(&[folder_options(&made), vec!["--index".to_owned(), "off".to_owned()]].concat());
    let fetched = mount.status()["fetched_objects"].clone();
    let find = || {
        let found = run(Command::new("find").arg(mount.path("courses")).args(["-name", "*.log", "-size", "+0"]));
        drop_caches();
        (found.stdout.iter().filter(|byte| **byte == b'\n').count(), resident_kib(mount.server.id()))
    };
    find();
    // By now every buffer has its size.
    let (names, first) = find();
    assert!(names > 6 * DAYS as usize, "{names} names");
    let later: Vec<u64> = (0..2).map(|_| find().1).collect();
    let last = *later.iter().max().expect("two of them");
    assert!(last <= MOST_KIB && last <= first + GROWTH_KIB, "{first} KiB, then {later:?}");
    assert_eq!(mount.status()["fetched_objects"], fetched);
}
