//! course-run-data as the toolkit lays it out, each learner's lines, and the opt-in list.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{Mount, run};
use crate::judge::{Judge, ORGANISATION, assert_equal, assert_same, files, files_but};
use crate::{NEW, OLD, WINDOW, course_path, mounted};

/// A day of the edx site whose object has no bytes.
const UNREADABLE: &str = "2015-03-03";

/// The files of a mounted course-run-data, event files unpacked, without info.txt.
fn unpacked(mount: &Mount, path: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let damaged = mount.path(&format!("{path}/events/{UNREADABLE}.log.gz"));
    let expected = match (path.contains("between/"), path.contains("@edge")) {
        (true, _) => Some(libc::ENOENT),
        (false, true) => None,
        (false, false) => Some(libc::EIO),
    };
    let refusal = fs::read(&damaged).err().and_then(|error| error.raw_os_error());
    assert_eq!(refusal, expected, "{}", damaged.display());
    let refused: &[&Path] = if refusal.is_some() { &[&damaged] } else { &[] };
    for (name, content) in files_but(&mount.path(path), refused) {
        match name.strip_suffix(".gz").filter(|plain| plain.starts_with("events/")) {
            Some(plain) => {
                let lines = run(Command::new("gunzip").arg("-c").arg(mount.path(&format!("{path}/{name}")))).stdout;
                found.insert(plain.to_owned(), lines);
            }
            None => drop(found.insert(name, content)),
        }
    }
    let info = String::from_utf8(found.remove("info.txt").expect("info.txt is there")).expect("our own text");
    assert!(info.contains("UniX"), "{info}");
    found
}

#[test]
fn course_run_data_is_laid_out_and_filled_as_the_toolkit_does() {
    let mount = mounted(&[]);
    mount.read("samced.db").expect("every day is met");
    for window in ["_", WINDOW] {
        let judge = Judge::of(&mount, &["--window", window], &[OLD, NEW, "UniX-CHEM-R1@edge"]);
        for course in [OLD, NEW, "UniX-CHEM-R1@edge"] {
            let found = unpacked(&mount, &format!("{}/course-run-data", course_path(course, window)));
            let mut expected = judge.files(course, "course-run-data");
            if !course.ends_with("@edge") {
                expected.remove(&format!("events/{UNREADABLE}.log"));
            }
            assert_same(&found, &expected);
        }
    }
}

#[test]
fn gzipped_event_files_have_equal_bytes_on_two_mounts() {
    let [first, second] = [mounted(&[]), mounted(&[])].map(|mount| {
        let path = format!("courses/{NEW}/course-run-data/events/2015-03-04.log.gz");
        mount.read(&path).expect("an event file opens")
    });
    assert!(first == second && first.starts_with(&[0x1f, 0x8b]));
}

#[test]
fn a_learner_of_a_course_has_their_lines_and_nobody_else_has_any() {
    let mount = mounted(&[]);
    mount.read("samced.db").expect("every day is met");
    for window in ["_", WINDOW] {
        let judge = Judge::of(&mount, &["--window", window], &[OLD, NEW]);
        for course in [OLD, NEW] {
            let path = course_path(course, window);
            let mut lines = judge.files(course, "learners");
            for id in ["1001", "1003", "undefined", "4711", "12345678901234567890"] {
                for name in ["events.log", "video_events.log"] {
                    let expected = lines.remove(&format!("{id}/{name}")).unwrap_or_default();
                    let found = mount.read(&format!("{path}/learners/{id}/{name}"));
                    assert_equal(&format!("{path} {id} {name}"), &found.expect("any id resolves"), &expected);
                }
            }
            assert_eq!(fs::read_dir(mount.path(&format!("{path}/learners"))).expect("it lists").count(), 0);
        }
    }
}

#[test]
fn what_is_no_users_id_is_no_learner() {
    let mount = mounted(&[]);
    for name in [".Trash", "01003", "x", "-1", "123456789012345678901", "Undefined"] {
        for path in [format!("courses/{NEW}/learners/{name}"), format!("learners/{name}")] {
            let error = fs::metadata(mount.path(&path)).expect_err(&path);
            assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{path}");
        }
    }
}

#[test]
fn a_learner_at_the_root_has_the_courses_that_they_were_in() {
    let mount = mounted(&[]);
    mount.read("samced.db").expect("every day is met");
    // Whose username is whose.
    mount.read("tables/auth_user.tsv").expect("the table opens");
    let courses = mount.list("courses");
    let folders: Vec<&str> = courses.iter().map(String::as_str).collect();
    let judge = Judge::of(&mount, &[], &folders);
    for id in ["1001", "1003", "undefined", "4711"] {
        let mut expected = BTreeMap::new();
        for course in &folders {
            for name in ["events.log", "video_events.log"] {
                if let Ok(lines) = fs::read(judge.path(course, &format!("learners/{id}/{name}"))) {
                    expected.insert(format!("{course}/{name}"), lines);
                }
            }
        }
        assert_same(&files(&mount.path(&format!("learners/{id}"))), &expected);
    }
    assert!(mount.list("learners/4711").is_empty());
}

#[test]
fn the_opt_in_list_is_as_the_model_says() {
    let mount = mounted(&[]);
    mount.read("samced.db").expect("every day is met");
    let judge = Judge::of(&mount, &[], &[ORGANISATION]);
    let found = mount.read("reports/email_opt_in.csv").expect("the list opens");
    assert_equal("email_opt_in.csv", &found, &judge.read(ORGANISATION, "email_opt_in.csv"));
}
