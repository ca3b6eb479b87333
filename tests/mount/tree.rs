//! Which names there are, and which are understood without being listed.

use std::fs;
use std::process::Command;

use crate::common::{Mount, small_package};
use crate::content::decode_all;
use crate::mounted;
use crate::truth::Truth;

fn text(mount: &Mount, path: &str) -> String {
    let bytes = mount.read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    String::from_utf8(bytes).expect("our own texts are UTF-8")
}

/// Dates of the package as names of event files: `days("02 04-06")`.
fn days(which: &str) -> Vec<String> {
    let name = |day: u32| format!("2015-03-{day:02}.log");
    let number = |text: &str| text.parse::<u32>().expect("a number");
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        number(first)..=number(last)
    };
    which.split(' ').flat_map(range).map(name).collect()
}

/// What a course folder has, cut to a window.
const WINDOW: [&str; 10] = [
    "course-run-data",
    "course.xml.tar.gz",
    "course_structure.json",
    "events",
    "forum.mongo",
    "info.txt",
    "learners",
    "samced",
    "samced.db",
    "tables",
];

#[test]
fn folders_list_what_the_contract_says() {
    let mount = mounted(&[]);
    let course = [&WINDOW[..], &["between", "snapshots"]].concat();
    let courses = ["UniX-BIO-1.2x-2014_T1", "UniX-BIO-1.2x-2014_T1@edge", "UniX-CHEM-R1", "UniX-CHEM-R1-ccx-82"];
    let courses = [&courses[..], &["UniX-CHEM-R1@edge", "UniX-PHY-101-T1", "UniX-_ko-1x-2T2015"]].concat();
    let sites = ["all", "all@edge", "unattributed", "unattributed@edge"];
    let root = "README.txt course-data courses courses.tsv edx-course-data email-opt-in events learners problems.tsv rdx \
        reports samced.db tables";
    let weeks = ["unix-2015-03-08", "unix-2015-03-15"];
    for (folder, names) in [
        ("", root.split_whitespace().collect()),
        ("courses", courses.clone()),
        ("courses/UniX-CHEM-R1", course),
        ("courses/UniX-CHEM-R1/snapshots", vec!["2015-03-08", "2015-03-15"]),
        (
            "courses/UniX-CHEM-R1/snapshots/2015-03-08",
            vec!["course.xml.tar.gz", "course_structure.json", "forum.mongo", "tables"],
        ),
        ("courses/UniX-CHEM-R1/between", vec![]),
        ("courses/UniX-CHEM-R1/learners", vec![]),
        ("learners", vec![]),
        ("reports", vec!["email_opt_in.csv"]),
        ("events", [&courses[..], &sites].concat()),
        ("course-data", [&["2014-05-04-unix-tracking"][..], &weeks].concat()),
        ("course-data/unix-2015-03-15", vec!["unix-2015-03-15"]),
        ("edx-course-data", vec!["edge", "edx"]),
        ("edx-course-data/edx", vec!["events"]),
        ("edx-course-data/edx/events", vec!["2015"]),
        ("email-opt-in", weeks.to_vec()),
        ("email-opt-in/unix-2015-03-15", vec!["unix-email_opt_in-prod-analytics.csv"]),
        ("rdx", vec!["REQ-7"]),
        ("rdx/REQ-7", vec!["OtherX_DemoX_R1"]),
    ] {
        let mut names = names;
        names.sort_unstable();
        assert_eq!(mount.list(folder), names, "{folder}");
    }
    let gzip: Vec<_> = mount.list("edx-course-data/edge/events/2015");
    assert_eq!((gzip.len(), &*gzip[0]), (13, "unix-edge-events-2015-03-02.log.gz"));
    assert_eq!(mount.status()["decoded_objects"], 0, "a listing decodes nothing but a package to unpack");
}

#[test]
fn a_failed_or_missing_table_is_absent_in_its_week_only() {
    let mount = mounted(&[]);
    for (course, table) in
        [("UniX-CHEM-R1", "teams_membership.tsv"), ("UniX-BIO-1.2x-2014_T1", "student_languageproficiency.tsv")]
    {
        let has = |folder: &str| mount.list(&format!("courses/{course}/{folder}")).iter().any(|name| name == table);
        assert_eq!(
            [has("tables"), has("snapshots/2015-03-15/tables"), has("snapshots/2015-03-08/tables")],
            [false, false, true]
        );
    }
    assert!(!mount.path("courses/UniX-_ko-1x-2T2015/tables/courseware_studentmodule.tsv").exists());
}

#[test]
fn a_window_takes_both_spellings_of_dates_and_refuses_nonsense() {
    let mount = mounted(&[]);
    let chem = "courses/UniX-CHEM-R1/between";
    for (window, listed, snapshot) in [
        ("2015-03-04_2015-03-06", days("4-6"), "2015-03-08"),
        ("20150304_20150306", days("4-6"), "2015-03-08"),
        ("20150304_2015-03-06", days("4-6"), "2015-03-08"),
        ("2015-03-14_", days("14-15"), "2015-03-15"),
        ("_2015-03-03", days("2-3"), "2015-03-08"),
        ("_20150308", days("2-8"), "2015-03-08"),
        ("2015-03-09_2015-03-09", days("9"), "2015-03-15"),
        ("2014-01-01_2020-12-31", days("2-15"), "2015-03-15"),
        ("2016-01-01_", vec![], "2015-03-15"),
    ] {
        let folder = format!("{chem}/{window}");
        assert_eq!(mount.list(&folder), WINDOW);
        assert_eq!(mount.list(&format!("{folder}/events")), listed, "{window}");
        let info = text(&mount, &format!("{folder}/info.txt"));
        assert!(info.contains(&format!("\nsnapshot: {snapshot}\n")), "{window}: {info}");
    }
    let nonsense = "_ x 2015-03-04 2015-03-06_2015-03-04 2015-02-30_ 2015-3-4_2015-03-06 2015-03-04_2015-03-06_ \
        2015-03-04_x -_- 0150304_ 2015-03-04__ +2015-03-04_ 201503-04_";
    for window in nonsense.split_whitespace() {
        let error = fs::metadata(mount.path(&format!("{chem}/{window}"))).expect_err(window);
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{window}");
    }
    for outside in ["2015-03-04_2015-03-06/events/2015-03-07.log", "2015-03-04_/snapshots", "2015-03-04_/between"] {
        assert!(!mount.path(&format!("{chem}/{outside}")).exists(), "{outside}");
    }
}

#[test]
fn what_is_not_there_is_enoent() {
    let mount = mounted(&[]);
    for path in [
        ".Trash",
        ".hidden/x",
        "courses/UniX-CHEM",
        "courses/unix-chem-r1",
        "courses/UniX-CHEM-R1/csv",
        "courses/UniX-CHEM-R1/events/2015-03-01.log",
        "courses/UniX-CHEM-R1/events/2015-03-02",
        "courses/UniX-CHEM-R1/events/20150302.log",
        "courses/UniX-CHEM-R1@edge/events/2015-03-04.log",
        "courses/UniX-CHEM-R1/tables/nosuch.tsv",
        "courses/UniX-CHEM-R1/snapshots/2015-03-09",
        "courses/UniX-CHEM-R1/snapshots/20150308",
        "events/all/2015-03-16.log",
        "events/nobody",
        "courses/UniX-CHEM-R1/samced/SAMCED-nosuch.csv",
        "courses/UniX-CHEM-R1/samced/SAMCED-about",
        "courses/UniX-CHEM-R1/course-run-data/UniX-CHEM-R1-auth_user-prod-analytics.sql",
        "courses/UniX-CHEM-R1/course-run-data/events/2015-03-02.log",
        "courses/UniX-CHEM-R1/learners/.Trash",
        "learners/.Trash",
        "samced",
        "course-run-data",
        "tables/x.tsv",
        "course-data/unix-2015-03-08.zip",
        "course-data/unixpro-2015-01-04",
        "edx-course-data/prod",
        "edx-course-data/edx/events/2014",
        "edx-course-data/edx/events/2015/unix-edge-events-2015-03-02.log.gz",
        "rdx/REQ-7/OtherX_DemoX_R1/nothing",
    ] {
        let error = fs::metadata(mount.path(path)).expect_err(path);
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{path}");
    }
    let error = fs::metadata(mount.path("README.txt/x")).expect_err("it is a file");
    assert_eq!(error.raw_os_error(), Some(libc::ENOTDIR));
}

#[test]
fn nothing_vanishes_under_somebody_who_has_listed() {
    let truth = Truth::of(&small_package(), "recall");
    let mount = mounted(&[]);
    let folder = "courses/UniX-CHEM-R1-ccx-82/events";
    let id = "ccx-v1:UniX+CHEM+R1+ccx@82";
    let before = mount.list(folder);
    assert_eq!(before, days("2-15"));
    let open = fs::read_dir(mount.path(folder)).expect("it is a folder");
    decode_all(&mount, &truth);
    let late = open.map(|entry| entry.expect("an entry").file_name().into_string().expect("ASCII"));
    let mut late: Vec<_> = late.collect();
    late.sort();
    assert_eq!(late, before, "an open folder keeps its listing");

    // The day of 0 bytes cannot be decoded, so that nothing is known of it.
    let holds = |name: &&String| {
        let date = name.trim_end_matches(".log");
        date == "2015-03-03" || !truth.lines("prod", date, id).is_empty()
    };
    let (held, empty): (Vec<_>, Vec<_>) = before.iter().partition(holds);
    assert!(!empty.is_empty(), "no day without this course");
    assert_eq!(mount.list(folder).iter().collect::<Vec<_>>(), held);
    for name in empty {
        let path = format!("{folder}/{name}");
        assert_eq!(fs::metadata(mount.path(&path)).expect("it still resolves").len(), 0, "{path}");
        assert_eq!(mount.read(&path).expect("it still opens"), b"", "{path}");
    }
}

#[test]
fn the_readme_can_be_pasted() {
    let mount = mounted(&[]);
    let readme = text(&mount, "README.txt");
    assert!(readme.lines().count() <= 40, "{} lines", readme.lines().count());
    let (_, pasted) = readme.split_once("Commands to paste").expect("the README has commands");
    let commands: Vec<_> = pasted.lines().skip(1).map_while(|line| line.strip_prefix("  ")).collect();
    assert!(commands.len() >= 8, "{commands:?}");
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let has_pandas = Command::new("python3").args(["-c", "import pandas"]).output().is_ok_and(|o| o.status.success());
    for command in commands.into_iter().filter(|command| has_pandas || !command.contains("pandas")) {
        let copied = command.ends_with("/tmp/");
        let command = command.replace("/tmp/", &format!("{}/", scratch.path().display()));
        let output = Command::new("bash").args(["-c", &command]).current_dir(&mount.point).output().expect("bash");
        let errors = String::from_utf8_lossy(&output.stderr);
        // The package has a day of 0 bytes.
        let errors: Vec<_> = errors.lines().filter(|line| !line.contains("2015-03-03.log: Input/output")).collect();
        assert!(errors.is_empty(), "{command}: {errors:?}");
        assert!(copied || !output.stdout.is_empty(), "{command}: nothing");
    }
    let copy = scratch.path().join("2015-03-09_2015-03-15/events/2015-03-10.log");
    assert!(fs::metadata(copy).expect("cp has copied it").len() > 0);
}

#[test]
fn the_pages_say_what_is_known() {
    let truth = Truth::of(&small_package(), "recall");
    let mount = mounted(&[]);
    let line = |page: &str, start: &str| text(&mount, page).lines().find(|l| l.starts_with(start)).map(str::to_owned);
    let header = "folder\tcourse_id\tsite\ttitle\tfirst_day\tlast_day\tsnapshot";
    assert_eq!(text(&mount, "courses.tsv").lines().next(), Some(header));
    assert_eq!(line("courses.tsv", "UniX-CHEM-R1\t").as_deref(), Some("UniX-CHEM-R1\t\tprod\t\t\t\t2015-03-15"));
    decode_all(&mount, &truth);
    let known = "UniX-CHEM-R1\tcourse-v1:UniX+CHEM+R1\tprod\t\t2015-03-02\t2015-03-15\t2015-03-15";
    assert_eq!(line("courses.tsv", "UniX-CHEM-R1\t").as_deref(), Some(known));
    let info = "courses/UniX-CHEM-R1/info.txt";
    assert_eq!(line(info, "course id: ").as_deref(), Some("course id: course-v1:UniX+CHEM+R1"));
    assert_eq!(line(info, "days with events: ").as_deref(), Some("days with events: 13"));
    assert_eq!(line(info, "days not decoded yet: ").as_deref(), Some("days not decoded yet: 1"));

    let problems = text(&mount, "problems.tsv");
    let rows: Vec<Vec<_>> = problems.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows[0], ["object", "entry", "what", "count", "errno", "what_to_do"]);
    assert!(rows.iter().all(|row| row.len() == 6), "{problems}");
    let malformed = rows.iter().find(|row| row[0].ends_with("unix-edx-events-2015-03-02.log.gz.gpg")).expect("a row");
    assert!(malformed[2].contains("no events") && malformed[3].parse::<u32>().is_ok_and(|n| n > 0), "{malformed:?}");
    for what in ["credit_crediteligibility", "teams_membership", "student_languageproficiency", "events-2015-03-03"] {
        assert!(problems.contains(what), "{what} is not in\n{problems}");
    }
    let problems = mount.status()["problems"].as_u64();
    assert_eq!(problems, Some(rows.len() as u64 - 1), "the status counts them");
}
