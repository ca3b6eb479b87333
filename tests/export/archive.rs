//! The encrypted tar: the same as the mount shows, for whoever has gpg and tar.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use crate::common::{Mount, folder_options, run, small_package};
use crate::owner::Owner;
use crate::{COURSE, errors, export, manifest, names_below};

/// Of a mount that decodes only what is asked for.
fn unindexed() -> Vec<String> {
    [folder_options(&small_package()), ["--index", "off"].map(str::to_owned).to_vec()].concat()
}

/// Lines that `tar` prints.
fn listed(tar: &Path, options: &[&str]) -> Vec<String> {
    let output = run(Command::new("tar").args(options).arg("-f").arg(tar).env("TZ", "UTC"));
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

/// Fails unless each file that the mount shows is there with its content and time, or in the manifest with an error.
fn assert_same(mount: &Mount, course: &str, unpacked: &Path) {
    let (lines, shown) = (manifest::read(unpacked), names_below(&mount.path(course)));
    let mut there = BTreeSet::new();
    for name in &shown {
        let path = format!("{course}/{name}");
        let copy = unpacked.join(&path);
        let file = mount.path(&path);
        let line = lines.get(&path);
        match name.ends_with('/') {
            true => assert!(copy.is_dir(), "{path}"),
            false => match fs::read(&file) {
                Ok(content) => {
                    assert!(fs::read(&copy).unwrap_or_else(|e| panic!("{path}: {e}")) == content, "{path}");
                    let line = line.unwrap_or_else(|| panic!("{path}"));
                    assert_eq!((&*line.bytes, &*line.error), (&*content.len().to_string(), ""), "{path}");
                }
                Err(_) => {
                    assert!(!copy.exists() && line.is_some_and(|line| !line.error.is_empty()), "{path}");
                    continue;
                }
            },
        }
        let times = [&file, &copy].map(|path| fs::metadata(path).map(|m| (m.mtime(), m.mtime_nsec())).expect("there"));
        assert_eq!(times[0], times[1], "{path}");
        there.insert(name.clone());
    }
    let copied: BTreeSet<String> = names_below(&unpacked.join(course)).into_iter().collect();
    assert_eq!(copied, there);
    assert!(there.len() > 100, "{there:?}");
}

#[test]
fn a_course_decrypted_and_unpacked_is_the_course_on_the_mount() {
    let mount = Mount::start(&unindexed());
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let owners = ["one@example.org", "two@example.org"].map(Owner::with_key);
    let certificates = [0, 1].map(|i| owners[i].certificate(scratch.path(), &format!("{i}.asc")));
    let archive = scratch.path().join("course.tar.gpg");
    let [one, two] = &certificates;
    let (course, to) = (COURSE, "--recipient");
    let output =
        export(&folder_options(&small_package()), mount.scratch.path(), &[&course, &to, one, &to, two, &archive]);
    // The package has a day and a table that are empty at the source.
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert_eq!(fs::metadata(&archive).expect("it is there").mode() & 0o777, 0o600);
    assert_eq!(names_below(scratch.path()), ["0.asc", "1.asc", "course.tar.gpg"]);
    let decoded = mount.status()["decoded_objects"].clone();
    for (i, owner) in owners.iter().enumerate() {
        let (unpacked, tar) = owner.unpack(&archive, &scratch.path().join(i.to_string()));
        assert_same(&mount, COURSE, &unpacked);
        manifest::assert_sums(&unpacked);
        let names = listed(&tar, &["-t"]);
        let (last, sorted) = names.split_last().expect("it holds something");
        assert_eq!(last, "MANIFEST.tsv");
        assert!(sorted.is_sorted_by(|a, b| a < b), "{sorted:?}");
        let long = listed(&tar, &["-tv", "--numeric-owner"]);
        assert!(long.iter().all(|line| line.starts_with("-rw------- 0/0 ") || line.starts_with("drwx------ 0/0 ")));
        assert!(listed(&tar, &["-tv"]).iter().all(|line| line.contains(" root/root ")));
    }
    assert_eq!(mount.status()["decoded_objects"], decoded, "the archive and all that was compared: decoded once");
}

#[test]
fn paths_that_overlap_are_there_once_and_what_is_not_listed_too_where_it_is_named() {
    let mount = Mount::start(&unindexed());
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let owner = Owner::with_key("one@example.org");
    let certificate = owner.certificate(scratch.path(), "one.asc");
    let archive = scratch.path().join("some.tar.gpg");
    let window = "/courses/UniX-CHEM-R1/between/2015-03-04_2015-03-05/events/";
    let paths = ["courses/UniX-CHEM-R1/events", "./courses//UniX-CHEM-R1/events/2015-03-04.log", window, "courses.tsv"];
    let learner = "courses/UniX-CHEM-R1/learners/7/events.log";
    let [a, b, c, d] = &paths;
    let output = export(
        &folder_options(&small_package()),
        mount.scratch.path(),
        &[d, c, b, a, &learner, &"--recipient", &certificate, &archive],
    );
    assert_eq!(output.status.code(), Some(1), "one day is empty at the source: {}", errors(&output));
    let (_, tar) = owner.unpack(&archive, &scratch.path().join("unpacked"));
    let names = listed(&tar, &["-t"]);
    assert!(names[..names.len() - 1].is_sorted_by(|a, b| a < b), "{names:?}");
    let days = mount.list("courses/UniX-CHEM-R1/events");
    for day in days.iter().filter(|day| *day != "2015-03-03.log") {
        assert!(names.contains(&format!("courses/UniX-CHEM-R1/events/{day}")), "{day}");
    }
    for name in [&window[1..], learner, "courses.tsv", "courses/UniX-CHEM-R1/learners/7/"] {
        assert!(names.iter().any(|found| found == name), "{name}");
    }
    let of_window = names.iter().filter(|name| name.starts_with(&window[1..]) && name.ends_with(".log"));
    assert_eq!(of_window.count(), 2);
    assert_eq!(names.len(), 8 + days.len() - 1 + 2 + 1 + 1 + 1, "nothing else: {names:?}");
}

#[test]
fn courses_that_become_known_while_it_is_written_are_in_it_and_in_order() {
    let mount = Mount::start(&unindexed());
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let owner = Owner::with_key("one@example.org");
    let certificate = owner.certificate(scratch.path(), "one.asc");
    let archive = scratch.path().join("events.tar.gpg");
    // Before its first day is decoded, a course that only visits is not listed, and its name comes before others.
    let late = "OtherX-Guest-2014";
    assert!(!mount.list("events").iter().any(|name| name == late));
    let options = folder_options(&small_package());
    let output = export(&options, mount.scratch.path(), &[&"events", &"--recipient", &certificate, &archive]);
    assert_eq!(output.status.code(), Some(1), "one day is empty at the source: {}", errors(&output));
    let (unpacked, tar) = owner.unpack(&archive, &scratch.path().join("unpacked"));
    let lines = manifest::read(&unpacked);
    let is_there = |path: &String| lines.get(&format!("events/{path}")).is_none_or(|line| line.error.is_empty());
    let shown: Vec<String> = names_below(&mount.path("events")).into_iter().filter(is_there).collect();
    assert_eq!(names_below(&unpacked.join("events")), shown);
    assert!(shown.iter().any(|name| name.starts_with(late)));
    let names = listed(&tar, &["-t"]);
    assert!(names[..names.len() - 1].is_sorted_by(|a, b| a < b), "{names:?}");
    manifest::assert_sums(&unpacked);
}

#[test]
fn an_archive_can_go_to_standard_output_and_is_the_same_again() {
    let mount = Mount::start(&unindexed());
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let owner = Owner::with_key("one@example.org");
    let certificate = owner.certificate(scratch.path(), "one.asc");
    let tars = [1, 2].map(|run| {
        let path = "courses/UniX-CHEM-R1/tables";
        let output = export(
            &folder_options(&small_package()),
            mount.scratch.path(),
            &[&path, &"--recipient", &certificate, &"-"],
        );
        let archive = scratch.path().join(format!("{run}.gpg"));
        fs::write(&archive, &output.stdout).expect("it is ours");
        let (_, tar) = owner.unpack(&archive, &scratch.path().join(format!("{run}")));
        fs::read(tar).expect("it is there")
    });
    assert!(tars[0] == tars[1]);
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let owner = Owner::with_key("one@example.org");
    let certificate = owner.certificate(scratch.path(), "one.asc");
    let before = fs::read(&certificate).expect("it is there");
    for target in [certificate.as_path(), scratch.path()] {
        let output = export(
            &folder_options(&small_package()),
            scratch.path(),
            &[&"courses.tsv", &"--recipient", &certificate, &target],
        );
        assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
        assert!(errors(&output).contains(&target.display().to_string()), "{}", errors(&output));
    }
    assert_eq!(fs::read(&certificate).expect("it is there"), before);
    let output = export(
        &folder_options(&small_package()),
        scratch.path(),
        &[&"courses.tsv", &scratch.path().join("plain.tar.gpg")],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("--recipient"), "{}", errors(&output));
}
