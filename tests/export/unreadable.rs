//! A damaged object: its files are in the manifest with their error, and all others are there.

use std::fs;
use std::path::Path;

use crate::common::{copy_of, folder_options, small_package};
use crate::injury::{Injury, replace};
use crate::owner::Owner;
use crate::{counts, errors, export, manifest};

const EVENTS: &str = "courses/UniX-CHEM-R1/events";
const OBJECT: &str = "edx-course-data/unix/edx/events/2015/unix-edx-events-2015-03-05.log.gz.gpg";

fn assert_named(folder: &Path) -> usize {
    let lines = manifest::read(folder);
    let path = format!("{EVENTS}/2015-03-05.log");
    let line = &lines[&path];
    assert!(!line.error.is_empty() && line.error.contains(OBJECT), "{line:?}");
    assert_eq!((&*line.bytes, &*line.sha256), ("", ""));
    assert!(!folder.join(path).exists());
    manifest::assert_sums(folder);
    lines.values().filter(|line| line.error.is_empty()).count()
}

#[test]
fn a_damaged_day_is_named_in_both_forms_and_the_others_are_there() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let made = copy_of(&small_package(), scratch.path());
    Injury::Flip(500).inflict_on(&made.data.join(OBJECT));
    let options = folder_options(&made);
    let out = scratch.path().join("out");
    let output = export(&options, scratch.path(), &[&EVENTS, &out]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains(&format!("{EVENTS}/2015-03-05.log: {OBJECT}")), "{}", errors(&output));
    let there = assert_named(&out);
    assert!(there > 8, "{there}");

    let owner = Owner::with_key("one@example.org");
    let certificate = owner.certificate(scratch.path(), "one.asc");
    let archive = scratch.path().join("archive.gpg");
    let output = export(&options, scratch.path(), &[&EVENTS, &"--recipient", &certificate, &archive]);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    let (unpacked, _) = owner.unpack(&archive, &scratch.path().join("archive"));
    assert_eq!(assert_named(&unpacked), there);
}

#[test]
fn a_copy_that_can_no_longer_be_renewed_stays_and_the_manifest_says_why() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let made = copy_of(&small_package(), scratch.path());
    let (options, out) = (folder_options(&made), scratch.path().join("out"));
    export(&options, scratch.path(), &[&EVENTS, &out]);
    let path = format!("{EVENTS}/2015-03-05.log");
    let before = manifest::read(&out)[&path].clone();
    Injury::Flip(500).inflict_on(&made.data.join(OBJECT));
    for _ in 0..2 {
        let output = export(&options, scratch.path(), &[&EVENTS, &out]);
        assert_eq!(output.status.code(), Some(1));
        let line = manifest::read(&out)[&path].clone();
        assert!(line.error.contains(OBJECT), "{line:?}");
        assert_eq!(manifest::Line { error: String::new(), ..line }, before);
        assert!(out.join(&path).exists());
    }
}

#[test]
fn an_object_that_was_mended_leaves_no_error_behind() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let made = copy_of(&small_package(), scratch.path());
    let (options, out) = (folder_options(&made), scratch.path().join("out"));
    let (object, path) = (made.data.join(OBJECT), format!("{EVENTS}/2015-03-05.log"));
    let whole = fs::read(&object).expect("it is there");
    Injury::Cut(500).inflict_on(&object);
    let first = export(&options, scratch.path(), &[&EVENTS, &out]);
    assert!(!manifest::read(&out)[&path].error.is_empty());
    replace(&object, &whole);
    let second = export(&options, scratch.path(), &[&EVENTS, &out]);
    assert_eq!(counts(&second), (1, counts(&first).0), "{}", errors(&second));
    assert_eq!(manifest::read(&out)[&path].error, "");
    // Gone from the tree, it stays in the folder.
    fs::remove_file(&object).expect("it is ours");
    export(&options, scratch.path(), &[&EVENTS, &out]);
    assert_eq!(manifest::read(&out)[&path].error, "");
    manifest::assert_sums(&out);
}
