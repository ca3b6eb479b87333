//! Every byte of the package is under its name, and an event's in one place only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Mount, folder_options, run, small_package};
use crate::mounted;
use crate::truth::{Named, Truth};

/// Course id and site of each folder, as courses.tsv says.
fn folders(mount: &Mount) -> BTreeMap<String, (String, String)> {
    let table = String::from_utf8(mount.read("courses.tsv").expect("it is always there")).expect("UTF-8");
    let row = |line: &str| {
        let cells: Vec<_> = line.split('\t').map(str::to_owned).collect();
        (cells[0].clone(), (cells[1].clone(), cells[2].clone()))
    };
    table.lines().skip(1).map(row).collect()
}

fn suffix(site: &str) -> &'static str {
    if site == "edge" { "@edge" } else { "" }
}

/// Reads every day once, so that every course id has been met.
pub fn decode_all(mount: &Mount, truth: &Truth) {
    for site in ["edge", "prod"] {
        for date in truth.dates(site) {
            mount.read(&format!("events/unattributed{}/{date}.log", suffix(site))).expect("the day is whole");
        }
    }
}

/// The folder's name is the id's prefix, with a hash where another id of the site has the same.
fn assert_named_after(folder: &str, named: &Named) {
    let name = folder.strip_suffix(suffix(&named.site)).expect("the site stands behind the name");
    let rest = name.strip_prefix(named.prefix.as_str()).unwrap_or_else(|| panic!("{folder} for {}", named.id));
    let is_hash = |hash: &str| hash.len() == 6 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(rest.is_empty() || rest.strip_prefix('~').is_some_and(is_hash), "{folder} for {}", named.id);
}

#[test]
fn every_line_of_every_day_is_in_one_course_file_or_unattributed() {
    let truth = Truth::of(&small_package(), "recall");
    let mount = mounted(&[]);
    decode_all(&mount, &truth);
    let folders = folders(&mount);
    assert_eq!(folders.keys().cloned().collect::<Vec<_>>(), mount.list("courses"));
    let named = truth.named();
    assert_eq!(folders.values().filter(|(id, _)| !id.is_empty()).count(), named.len());
    for named in &named {
        let owner = |(_, (id, site)): &(&String, &(String, String))| *id == named.id && *site == named.site;
        let (folder, _) = folders.iter().find(owner).unwrap_or_else(|| panic!("{} has no folder", named.id));
        assert_named_after(folder, named);
    }
    for site in ["prod", "edge"] {
        for date in truth.dates(site) {
            let mut bytes = 0;
            let check = |path: String, right: &[u8]| {
                let served = mount.read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
                assert!(served == right, "{path}: {} bytes instead of {}", served.len(), right.len());
                served.len()
            };
            for (folder, (id, _)) in folders.iter().filter(|(_, (id, of))| of == site && !id.is_empty()) {
                bytes += check(format!("courses/{folder}/events/{date}.log"), &truth.lines(site, &date, id));
                check(format!("events/{folder}/{date}.log"), &truth.lines(site, &date, id));
            }
            let suffix = suffix(site);
            bytes += check(format!("events/unattributed{suffix}/{date}.log"), &truth.lines(site, &date, ""));
            let day = truth.day(site, &date).expect("it is one of the days");
            assert_eq!(bytes, day.len(), "{site} {date}");
            check(format!("events/all{suffix}/{date}.log"), &day);
        }
    }
}

#[test]
fn a_day_of_0_bytes_is_an_error_of_its_own_and_named_in_problems() {
    let mount = mounted(&[]);
    let day = "2015-03-03.log";
    for path in ["courses/UniX-CHEM-R1/events", "events/all", "events/unattributed", "events/UniX-PHY-101-T1"] {
        let error = mount.read(&format!("{path}/{day}")).expect_err("nothing is in it");
        assert_eq!(error.raw_os_error(), Some(libc::EIO), "{path}");
    }
    assert!(!mount.read("events/all/2015-03-02.log").expect("another day is another file").is_empty());
    let problems = String::from_utf8(mount.read("problems.tsv").expect("always there")).expect("UTF-8");
    let of_day: Vec<_> = problems.lines().filter(|line| line.contains("unix-edx-events-2015-03-03")).collect();
    assert_eq!(of_day.len(), 1, "one line for one cause: {of_day:?}");
}

#[test]
fn of_two_courses_with_one_prefix_the_first_met_keeps_the_plain_name_for_good() {
    let made = small_package();
    let truth = Truth::of(&made, "recall");
    let named = |folder: &str, mount: &Mount| folders(mount).get(folder).map(|(id, _)| id.clone());
    let first = mounted(&[]);
    // Both occur in this day, the one of lesser weight alone in no other.
    let holds = |date: &&String, id: &str| !truth.lines("prod", date, id).is_empty();
    let dates = truth.dates("prod");
    let [one, other] = ["UniX/PHY/101-T1", "UniX/PHY-101/T1"];
    let alone = dates.iter().find(|date| holds(date, one) && !holds(date, other)).expect("such a day");
    first.read(&format!("events/unattributed/{alone}.log")).expect("it is whole");
    assert_eq!(named("UniX-PHY-101-T1", &first).as_deref(), Some(one));
    decode_all(&first, &truth);
    let before = folders(&first);
    assert_eq!(before["UniX-PHY-101-T1"].0, one);
    assert!(before.iter().any(|(folder, (id, _))| folder.starts_with("UniX-PHY-101-T1~") && id == other));
    let mut options = folder_options(&made);
    options.extend(["--index".to_owned(), "off".to_owned()]);
    let again = Mount::start_in(first.stop(), &options, &[]);
    assert_eq!(folders(&again), before);
    assert_eq!(again.status()["decoded_objects"], 0);
}

/// Files below a folder by their path in it.
pub fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).expect("it lies below").to_owned());
            }
        }
    }
    found
}

/// Of a 0-byte entry there is no plaintext, and nothing that could be shown.
const EMPTY: &str = "UniX-CHEM-R1-credit_crediteligibility-prod-analytics.sql";

#[test]
fn the_packages_lie_as_a_sync_and_gpg_would_leave_them() {
    let plain = small_package().plain.expect("it was kept");
    let mount = mounted(&[]);
    for folder in ["course-data/unix-2015-03-15", "course-data/2014-05-04-unix-tracking"] {
        let names = files(&plain.join(folder));
        let shown: BTreeSet<_> = files(&mount.path(folder)).into_iter().filter(|path| !path.ends_with(EMPTY)).collect();
        assert_eq!(shown, names, "{folder}");
        for name in names {
            let served = fs::read(mount.path(folder).join(&name)).unwrap_or_else(|e| panic!("{}: {e}", name.display()));
            assert!(served == fs::read(plain.join(folder).join(&name)).expect("it was kept"), "{}", name.display());
        }
    }
    let inner = "unix-2015-03-15/unix-2015-03-15";
    let error = mount.read(&format!("course-data/{inner}/{EMPTY}")).expect_err("nothing is in it");
    assert_eq!(error.raw_os_error(), Some(libc::EIO));
    let note = format!("course-data/{inner}/UniX-CHEM-R1-teams_membership-prod-analytics.sql.failed");
    assert!(mount.read(&note).expect("the note is shown").starts_with(b"Traceback"));
    let opt_in = "email-opt-in/unix-2015-03-15/unix-email_opt_in-prod-analytics.csv";
    let list = plain.join("course-data/email-opt-in/unix-2015-03-15/unix-2015-03-15");
    let list = fs::read(list.join("unix-email_opt_in-prod-analytics.csv")).expect("it was kept");
    assert!(mount.read(opt_in).expect("it is there") == list);
}

#[test]
fn a_course_has_its_tables_and_files_of_the_newest_week_and_of_each() {
    let plain = small_package().plain.expect("it was kept").join("course-data");
    let mount = mounted(&[]);
    let course = mount.path("courses/UniX-CHEM-R1@edge");
    let week = |date: &str| plain.join(format!("unix-{date}/unix-{date}"));
    for (shown, date) in [
        (course.clone(), "2015-03-15"),
        (course.join("snapshots/2015-03-08"), "2015-03-08"),
        (course.join("between/_2015-03-04"), "2015-03-08"),
        (course.join("between/20150309_"), "2015-03-15"),
    ] {
        for (name, source) in [
            ("tables/auth_user.tsv", "UniX-CHEM-R1-auth_user-prod-edge-analytics.sql"),
            ("tables/courseware_studentmodule.tsv", "UniX-CHEM-R1-courseware_studentmodule-prod-edge-analytics.sql"),
            ("tables/submissions_score.tsv", "ora/UniX-CHEM-R1-submissions_score-prod-edge-analytics.sql"),
            ("forum.mongo", "UniX-CHEM-R1-edge.mongo"),
            ("course_structure.json", "UniX-CHEM-R1-course_structure-prod-edge-analytics.json"),
            ("course.xml.tar.gz", "UniX-CHEM-R1-course-prod-edge-analytics.xml.tar.gz"),
        ] {
            let served = fs::read(shown.join(name)).unwrap_or_else(|e| panic!("{}/{name}: {e}", shown.display()));
            let source = week(date).join(source);
            let right = fs::read(&source).unwrap_or_else(|e| panic!("{}: {e}", source.display()));
            assert!(served == right, "{}/{name}", shown.display());
        }
    }
}

#[test]
fn joined_tables_hold_every_course_with_null_where_a_column_is_missing() {
    let plain = small_package().plain.expect("it was kept");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mount/joined.py");
    let week = plain.join("course-data/unix-2015-03-15/unix-2015-03-15");
    let joined = folder.path().join("joined");
    run(Command::new("python3").arg(script).arg(week).arg(&joined));
    let mount = mounted(&[]);
    let names: Vec<_> = files(&joined).into_iter().map(|name| name.to_string_lossy().into_owned()).collect();
    assert_eq!(mount.list("tables"), names);
    for name in names {
        let served = mount.read(&format!("tables/{name}")).unwrap_or_else(|error| panic!("{name}: {error}"));
        let right = fs::read(joined.join(&name)).expect("the script made it");
        assert!(served == right, "{name}: {} bytes instead of {}", served.len(), right.len());
    }
}

#[test]
fn exchanged_packages_are_unpacked() {
    let plain = small_package().plain.expect("it was kept");
    let archive = plain.join("edx-course-data/unix/rdx/REQ-7/OtherX_DemoX_R1.tar.gz");
    let mount = mounted(&[]);
    let folder = mount.path("rdx/REQ-7/OtherX_DemoX_R1");
    let listed = run(Command::new("tar").arg("-tzf").arg(&archive));
    let listed = String::from_utf8(listed.stdout).expect("ASCII");
    let names: BTreeSet<PathBuf> = listed.lines().filter(|name| !name.ends_with('/')).map(PathBuf::from).collect();
    assert_eq!(files(&folder), names);
    for name in names {
        let right = run(Command::new("tar").arg("-xzOf").arg(&archive).arg(&name)).stdout;
        assert!(fs::read(folder.join(&name)).expect("it is there") == right, "{}", name.display());
    }
}
