//! Plain copies: as on the mount, done once, and made anew where the tree has changed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::common::{Mount, copy_of, folder_options, small_package};
use crate::gnupg::{Keyring, Reader, gzipped};
use crate::injury::replace;
use crate::{COURSE, counts, errors, export, manifest, names_below};

/// What changes when somebody writes a file, or only touches it.
fn marks(folder: &Path) -> BTreeMap<String, (u64, i64, i64)> {
    let files = names_below(folder).into_iter().filter(|name| !name.ends_with('/'));
    let mark = |name: String| {
        let meta = fs::metadata(folder.join(&name)).expect("it was just listed");
        (name, (meta.ino(), meta.ctime(), meta.ctime_nsec()))
    };
    files.map(mark).collect()
}

/// Names of the files that are not as they were, the manifest left out.
fn changed(before: &BTreeMap<String, (u64, i64, i64)>, folder: &Path) -> Vec<String> {
    let now = marks(folder);
    assert!(before.keys().all(|name| now.contains_key(name)), "nothing is ever deleted");
    let differs = |name: &&String| *name != "MANIFEST.tsv" && before.get(*name) != now.get(*name);
    now.keys().filter(differs).cloned().collect()
}

#[test]
fn copies_are_what_the_mount_shows_with_its_times_and_a_second_run_copies_nothing() {
    let options = [folder_options(&small_package()), ["--index", "off"].map(str::to_owned).to_vec()].concat();
    let mount = Mount::start(&options);
    let out = tempfile::tempdir().expect("a temporary folder");
    let to = out.path().join("new");
    let first = export(&folder_options(&small_package()), mount.scratch.path(), &[&COURSE, &to]);
    assert_eq!(first.status.code(), Some(1), "a day and tables are empty at the source: {}", errors(&first));
    let decoded = mount.status()["decoded_objects"].clone();
    let lines = manifest::read(&to);
    let names = names_below(&mount.path(COURSE));
    for name in &names {
        let path = format!("{COURSE}/{name}");
        let (file, copy) = (mount.path(&path), to.join(&path));
        if lines.get(&path).is_some_and(|line| !line.error.is_empty()) {
            assert!(!copy.exists() && fs::read(&file).is_err(), "{path}");
            continue;
        }
        let [shown, copied] = [&file, &copy].map(|path| fs::symlink_metadata(path).expect("it is there"));
        assert_eq!(shown.modified().expect("a time"), copied.modified().expect("a time"), "{path}");
        assert_eq!(copied.mode() & 0o7777, if name.ends_with('/') { 0o700 } else { 0o600 }, "{path}");
        assert!(name.ends_with('/') || fs::read(&file).expect("shown") == fs::read(&copy).expect("copied"), "{path}");
    }
    let known = |path: &&String| lines.get(&format!("{COURSE}/{path}")).is_none_or(|line| line.error.is_empty());
    assert_eq!(names_below(&to.join(COURSE)), names.iter().filter(known).cloned().collect::<Vec<_>>());
    manifest::assert_sums(&to);

    let before = marks(&to);
    let second = export(&folder_options(&small_package()), mount.scratch.path(), &[&COURSE, &to]);
    assert_eq!(counts(&second), (0, counts(&first).0), "{}", errors(&second));
    assert_eq!(changed(&before, &to), Vec::<String>::new());
    assert_eq!(manifest::read(&to), lines);
    assert_eq!(mount.status()["decoded_objects"], decoded, "all was decoded for the first, and once");
}

#[test]
fn with_another_cache_what_is_there_is_still_right() {
    let options = folder_options(&small_package());
    let [one, two, out] = [(); 3].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let first = export(&options, one.path(), &[&COURSE, &out.path()]);
    let before = marks(out.path());
    let second = export(&options, two.path(), &[&COURSE, &out.path()]);
    // It says when the source was looked at, and that was another time.
    assert_eq!(counts(&second), (1, counts(&first).0 - 1), "{}", errors(&second));
    assert_eq!(changed(&before, out.path()), [format!("{COURSE}/info.txt")]);
}

#[test]
fn a_replaced_day_is_copied_anew_and_nothing_else() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let made = copy_of(&small_package(), scratch.path());
    let (options, out) = (folder_options(&made), scratch.path().join("out"));
    let events = "courses/UniX-CHEM-R1/events";
    let first = export(&options, scratch.path(), &[&events, &out]);
    let before = marks(&out);
    let plain = made.plain.as_ref().expect("it was kept").join("edx-course-data/unix/edx/events/2015");
    let mut day = fs::read(plain.join("unix-edx-events-2015-03-05.log")).expect("it was kept");
    day.extend(fs::read(plain.join("unix-edx-events-2015-03-06.log")).expect("it was kept"));
    let object = "edx-course-data/unix/edx/events/2015/unix-edx-events-2015-03-05.log.gz.gpg";
    replace(&made.data.join(object), &Keyring::of(&made).encrypt(Reader::Czar, &gzipped(&day)));
    let second = export(&options, scratch.path(), &[&events, &out]);
    assert_eq!(counts(&second), (1, counts(&first).0 - 1), "{}", errors(&second));
    assert_eq!(changed(&before, &out), [format!("{events}/2015-03-05.log")]);
    manifest::assert_sums(&out);
}

#[test]
fn a_copy_that_was_spoilt_is_mended_and_what_is_not_ours_stays() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let (options, out) = (folder_options(&small_package()), scratch.path().join("out"));
    let tables = "courses/UniX-CHEM-R1/tables";
    export(&options, scratch.path(), &[&tables, &out]);
    let folder = out.join(tables);
    fs::write(folder.join("notes.txt"), "mine").expect("it is ours");
    let (cut, touched) = (folder.join("auth_user.tsv"), folder.join("teams.tsv"));
    let right = fs::read(&cut).expect("it was copied");
    File::options().write(true).open(&cut).and_then(|file| file.set_len(3)).expect("it is ours");
    let later = SystemTime::now() - Duration::from_secs(3);
    File::options().write(true).open(&touched).and_then(|file| file.set_modified(later)).expect("it is ours");
    let again = export(&options, scratch.path(), &[&tables, &out]);
    assert_eq!(counts(&again).0, 2, "{}", errors(&again));
    assert!(fs::read(&cut).expect("it is there") == right);
    assert_eq!(fs::read_to_string(folder.join("notes.txt")).expect("it is there"), "mine");
    manifest::assert_sums(&out);
}

#[test]
fn the_root_is_all_that_it_lists() {
    let options = [folder_options(&small_package()), ["--index", "off"].map(str::to_owned).to_vec()].concat();
    let mount = Mount::start(&options);
    let out = tempfile::tempdir().expect("a temporary folder");
    let output = export(&folder_options(&small_package()), mount.scratch.path(), &[&"/", &out.path()]);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    let lines = manifest::read(out.path());
    let failed = |path: &str| lines.get(path).is_some_and(|line| !line.error.is_empty());
    let shown: Vec<_> = names_below(&mount.point).into_iter().filter(|path| !failed(path)).collect();
    let copied: Vec<_> = names_below(out.path()).into_iter().filter(|path| path != "MANIFEST.tsv").collect();
    let [absent, odd] = [(&shown, &copied), (&copied, &shown)]
        .map(|(these, those)| these.iter().filter(|path| !those.contains(path)).collect::<Vec<_>>());
    assert!(absent.is_empty() && odd.is_empty(), "absent: {absent:#?}; odd: {odd:#?}");
    assert!(shown.iter().any(|path| path == "courses/UniX-CHEM-R1/between/"), "{shown:?}");
    manifest::assert_sums(out.path());
}

#[test]
fn a_path_that_is_not_there_is_refused_before_anything_is_written() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let (options, out) = (folder_options(&small_package()), scratch.path().join("out"));
    for path in ["courses/nobody", "../courses", "courses.tsv/x"] {
        let output = export(&options, scratch.path(), &[&"courses.tsv", &path, &out]);
        assert_eq!(output.status.code(), Some(1), "{path}: {}", errors(&output));
        assert!(errors(&output).contains(path), "{}", errors(&output));
        assert!(!out.exists(), "{path}");
    }
    let output = export(&options, scratch.path(), &[&"courses.tsv"]);
    assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
}
