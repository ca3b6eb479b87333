//! What reading and listing cost, counted at the source: each object once, and only what is needed of it.

mod common;
#[path = "one_pass/mounted.rs"]
mod mounted;
#[path = "one_pass/remembered.rs"]
mod remembered;

#[path = "common/bucket.rs"]
mod bucket;
#[path = "common/servers/mod.rs"]
mod servers;
#[path = "common/truth.rs"]
mod truth;
#[path = "common/volume.rs"]
mod volume;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Barrier;
use std::thread;

use common::run;
use edxfs::demo::Made;
use edxfs::engine::size::Size;
use truth::{DAYS, Truth, courses_of, day_key, many_courses, plain_day, production_courses};
use volume::{ROOMY, Recording};

const DAY: &str = DAYS[1];

/// Folder and id of the courses that the site knows by now.
fn courses(site: &Recording) -> Vec<(String, String)> {
    production_courses(&String::from_utf8(site.read("courses.tsv")).expect("courses.tsv is text"))
}

fn keys_of_days(fetches: &[String], date: &str) -> usize {
    fetches.iter().filter(|key| key.ends_with(&day_key(date))).count()
}

/// A volume over the package with many courses and an empty cache.
fn fresh(scratch: &tempfile::TempDir, made: &Made) -> Recording {
    Recording::start(made, &scratch.path().join("cache"), ROOMY)
}

#[test]
fn ten_readers_of_ten_courses_of_one_day_cost_one_fetch() {
    let (made, scratch) = (many_courses(), tempfile::tempdir().expect("a temporary folder"));
    let site = fresh(&scratch, &made);
    let (courses, truth) = (courses_of(&made), Truth::of(&made, DAY));
    assert!(courses.len() >= 10, "{courses:?}");
    let before = site.fetches().len();
    let barrier = Barrier::new(10);
    thread::scope(|scope| {
        for (folder, id) in &courses[..10] {
            let (site, truth, barrier) = (&site, &truth, &barrier);
            scope.spawn(move || {
                barrier.wait();
                let read = site.read(&format!("courses/{folder}/events/{DAY}.log"));
                assert!(read == truth.course(id), "{folder}");
            });
        }
    });
    let fetches = site.fetches();
    assert_eq!((fetches.len() - before, keys_of_days(&fetches, DAY)), (1, 1), "{fetches:?}");
    let object = made.data.join("edx-course-data").join(day_key(DAY));
    assert_eq!(site.fetched_bytes(&day_key(DAY)), fs::metadata(object).expect("the object is there").len());
}

#[test]
fn one_course_read_makes_every_courses_file_of_the_day_known() {
    let (made, scratch) = (many_courses(), tempfile::tempdir().expect("a temporary folder"));
    let site = fresh(&scratch, &made);
    let truth = Truth::of(&made, DAY);
    site.read(&format!("courses/{}/events/{DAY}.log", courses_of(&made)[0].0));
    let fetched = site.fetches();
    // The pass may have met courses that no snapshot has.
    for (folder, id) in courses(&site) {
        let path = format!("courses/{folder}/events/{DAY}.log");
        let lines = truth.course(&id);
        assert_eq!(site.size(&path), Some(Size::Exact(lines.len() as u64)), "{path}");
        let listed = site.list(&format!("courses/{folder}/events")).contains(&format!("{DAY}.log"));
        assert_eq!(listed, !lines.is_empty(), "{path}");
        assert!(site.read(&path) == lines, "{path}");
        assert!(site.read(&format!("events/{folder}/{DAY}.log")) == lines, "{path}");
    }
    assert_eq!(site.fetches(), fetched);
}

#[test]
fn every_line_of_a_day_is_in_one_course_or_in_unattributed() {
    let (made, scratch) = (many_courses(), tempfile::tempdir().expect("a temporary folder"));
    let site = fresh(&scratch, &made);
    let unattributed = site.read(&format!("events/unattributed/{DAY}.log"));
    let mut lines: Vec<Vec<u8>> = split(&unattributed);
    for (folder, _) in courses(&site) {
        lines.extend(split(&site.read(&format!("courses/{folder}/events/{DAY}.log"))));
    }
    let mut expected = split(&fs::read(plain_day(&made, DAY)).expect("the plain day is there"));
    lines.sort();
    expected.sort();
    assert!(lines == expected, "{} lines instead of {}", lines.len(), expected.len());
    assert_eq!(keys_of_days(&site.fetches(), DAY), 1);
}

fn split(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

#[test]
fn the_whole_day_and_its_gzip_cost_one_more_pass_each() {
    let (made, scratch) = (many_courses(), tempfile::tempdir().expect("a temporary folder"));
    let site = fresh(&scratch, &made);
    let plain = fs::read(plain_day(&made, DAY)).expect("the plain day is there");
    let folder = &courses_of(&made)[0].0;
    site.read(&format!("courses/{folder}/events/{DAY}.log"));
    let all = format!("events/all/{DAY}.log");
    let packed = format!("edx-course-data/edx/events/2015/unix-edx-events-{DAY}.log.gz");
    for fetches in [2, 2] {
        assert!(site.read(&all) == plain);
        assert_eq!(keys_of_days(&site.fetches(), DAY), fetches);
    }
    for fetches in [3, 3] {
        let gzip = scratch.path().join("day.gz");
        fs::write(&gzip, site.read(&packed)).expect("a file can be made");
        assert!(run(Command::new("zcat").arg(&gzip)).stdout == plain);
        assert_eq!(keys_of_days(&site.fetches(), DAY), fetches);
    }
}

#[test]
fn a_walk_over_the_whole_tree_reads_each_archives_directory_once_and_nothing_else() {
    let (made, scratch) = (common::small_package(), tempfile::tempdir().expect("a temporary folder"));
    let site = fresh(&scratch, &made);
    let mut files = Vec::new();
    site.walk("", &mut files);
    site.walk("", &mut Vec::new());
    assert!(files.len() > 500, "{} files", files.len());
    assert!(files.iter().all(|(_, size)| size.is_none_or(|size| size.bytes() > 0)), "a size of 0 misleads");
    let fetches = site.fetches();
    let archives: BTreeSet<&String> = fetches.iter().collect();
    assert!(archives.iter().all(|key| key.ends_with(".zip") || key.ends_with(".tar")), "{archives:?}");
    for key in archives {
        let (ranges, bytes) = (fetches.iter().filter(|fetch| *fetch == key).count(), site.fetched_bytes(key));
        let most = if key.ends_with(".zip") { 128 << 10 } else { 64 << 10 };
        assert!(ranges <= 2 || key.ends_with(".tar"), "{key}: {ranges} reads");
        assert!(bytes <= most, "{key}: {bytes} bytes");
    }
    drop(site);
    let again = fresh(&scratch, &made);
    let mut same = Vec::new();
    again.walk("", &mut same);
    assert_eq!(same, files);
    assert_eq!(again.fetches(), Vec::<String>::new());
}

#[test]
fn a_table_costs_its_byte_range_and_no_more() {
    let (made, scratch) = (common::small_package(), tempfile::tempdir().expect("a temporary folder"));
    let site = fresh(&scratch, &made);
    let zip = newest_package(&made);
    let name = zip.file_name().expect("a package has a name").to_string_lossy().into_owned();
    let (before, fetches) = (site.fetched_bytes(&name), site.fetches().len());
    let folder = &courses_of(&made)[0].0;
    let table = site.read(&format!("courses/{folder}/tables/student_courseenrollment.tsv"));
    let entry = format!("{folder}-student_courseenrollment-prod-analytics.sql");
    assert!(table == plain_entry(&made, &name, &entry), "{entry}");
    let cost = site.fetched_bytes(&name) - before;
    let range = entry_bytes(&zip, &entry);
    // The local header is read too: 30 bytes, the name, the extra fields.
    assert!(cost >= range && cost <= range + 512, "{cost} bytes for an entry of {range}");
    assert!(site.fetches().len() - fetches <= 2);
}

fn newest_package(made: &Made) -> std::path::PathBuf {
    let folder = fs::read_dir(made.data.join("course-data")).expect("a folder of packages");
    let names = folder.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let newest = names.filter(|name| name.starts_with("unix-") && name.ends_with(".zip")).max();
    made.data.join("course-data").join(newest.expect("a package"))
}

fn plain_entry(made: &Made, zip: &str, entry: &str) -> Vec<u8> {
    let name = zip.trim_end_matches(".zip");
    let plain = made.plain.as_ref().expect("the package keeps its plain texts");
    fs::read(plain.join("course-data").join(name).join(name).join(entry)).expect("the plain entry is there")
}

/// Compressed bytes of an entry, by Python's zip reader.
fn entry_bytes(zip: &Path, entry: &str) -> u64 {
    let script = "import sys, zipfile\nfor info in zipfile.ZipFile(sys.argv[1]).infolist():\n\
                  \x20   if info.filename.endswith('/' + sys.argv[2] + '.gpg'): print(info.compress_size)";
    let output = run(Command::new("python3").args(["-c", script]).arg(zip).arg(entry));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("one entry has this name")
}
