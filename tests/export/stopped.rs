//! Exports that do not come to their end at once: killed, interrupted, without room, with something in the way.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use edxfs::demo::bucket::{Reply, Server};

use crate::bucket::{Bucket, ENVIRONMENT};
use crate::common::{EDXFS, copy_of, folder_options, run, small_package, wait_for};
use crate::{command, counts, errors, export, manifest, names_below};

const EVENTS: &str = "courses/UniX-CHEM-R1/events";
/// The day that an export waits for.
const LATE: &str = "2015-03-09";

/// An export of event days from a bucket in which one day never comes; it waits for that one, the earlier ones done.
fn waiting(bucket: &Bucket, scratch: &Path, out: &Path) -> Child {
    bucket.delay(&[format!("{LATE}.log.gz.gpg")], Duration::from_secs(600));
    bucket.fetches();
    let mut command = command(&bucket.options(), scratch);
    command.envs(ENVIRONMENT.iter().copied()).arg(EVENTS).arg(out).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().expect("the program is built");
    wait_for("the late day", || bucket.fetches().iter().any(|key| key.contains(LATE)));
    child
}

/// Inodes of the files copied so far, by path.
fn copied(out: &Path) -> Vec<(PathBuf, u64)> {
    let folder = out.join(EVENTS);
    let inode = |name: &String| (folder.join(name), fs::metadata(folder.join(name)).expect("it is there").ino());
    names_below(&folder).iter().map(inode).collect()
}

fn assert_goes_on(bucket: &Bucket, scratch: &Path, out: &Path, before: &[(PathBuf, u64)]) {
    bucket.server.set_hook(|_| Reply::Pass);
    let mut command = command(&bucket.options(), scratch);
    let output = command.envs(ENVIRONMENT.iter().copied()).arg(EVENTS).arg(out).output().expect("the program is built");
    assert_eq!(counts(&output).1, before.len() as u64, "{}", errors(&output));
    for (path, inode) in before {
        assert_eq!(fs::metadata(path).expect("it stays").ino(), *inode, "{}", path.display());
    }
    assert!(out.join(EVENTS).join(format!("{LATE}.log")).exists());
    assert!(names_below(out).iter().all(|name| !name.ends_with(".part")));
    manifest::assert_sums(out);
}

#[test]
fn a_killed_export_goes_on_where_it_was() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let out = scratch.path().join("out");
    let bucket = Bucket::<Server>::serve(&small_package());
    let mut child = waiting(&bucket, scratch.path(), &out);
    child.kill().and_then(|()| child.wait()).expect("it is our child");
    let before = copied(&out);
    assert!(before.len() >= 4, "{before:?}");
    // As if it had been killed in the middle of a file, and of a line.
    fs::write(out.join(EVENTS).join(".edxfs-export.part"), "half").expect("it is ours");
    let manifest = out.join("MANIFEST.tsv");
    let mut text = fs::read_to_string(&manifest).expect("it is kept as files are done");
    text.push_str("courses/UniX-CHEM-R1/events/2015-03-09.log\t12");
    fs::write(&manifest, text).expect("it is ours");
    assert_goes_on(&bucket, scratch.path(), &out, &before);
}

#[test]
fn an_interrupted_export_says_so_leaves_nothing_half_and_goes_on() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let out = scratch.path().join("out");
    let bucket = Bucket::<Server>::serve(&small_package());
    for signal in ["-INT", "-TERM"] {
        let mut child = waiting(&bucket, scratch.path(), &out);
        run(Command::new("kill").args([signal, &child.id().to_string()]));
        let mut ended = None;
        wait_for("its end", || {
            ended = child.try_wait().expect("it is our child");
            ended.is_some()
        });
        assert_eq!(ended.and_then(|status| status.code()), Some(130));
        assert!(names_below(&out).iter().all(|name| !name.ends_with(".part")));
        manifest::assert_sums(&out);
    }
    assert_goes_on(&bucket, scratch.path(), &out, &copied(&out));
}

#[test]
fn an_archive_that_is_stopped_is_not_there() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let owner = crate::owner::Owner::with_key("one@example.org");
    let certificate = owner.certificate(scratch.path(), "one.asc");
    let bucket = Bucket::<Server>::serve(&small_package());
    bucket.delay(&[format!("{LATE}.log.gz.gpg")], Duration::from_secs(600));
    let archive = scratch.path().join("archive.gpg");
    let mut command = command(&bucket.options(), scratch.path());
    command.envs(ENVIRONMENT.iter().copied()).arg("--recipient").arg(certificate).arg(EVENTS).arg(&archive);
    let mut child = command.stderr(Stdio::null()).spawn().expect("the program is built");
    wait_for("the late day", || bucket.fetches().iter().any(|key| key.contains(LATE)));
    assert!(!archive.exists() && archive.with_extension("gpg.part").exists());
    run(Command::new("kill").args(["-INT", &child.id().to_string()]));
    assert_eq!(child.wait().expect("it is our child").code(), Some(130));
    assert!(!archive.exists() && !archive.with_extension("gpg.part").exists());
}

#[test]
fn a_full_disk_ends_it_with_words_and_leaves_nothing_half() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let small = scratch.path().join("small");
    fs::create_dir(&small).expect("it is ours");
    fs::create_dir(scratch.path().join("kept")).expect("it is ours");
    // A disk of 300 KB that only this export sees; what is on it is looked at before it is gone.
    let script = "mount -t tmpfs -o size=300k none \"$1\" || exit 99; at=$1; kept=$2; shift 2; \"$@\"; code=$?; \
                  cp -r \"$at\"/. \"$kept\"; exit $code";
    let mut limited = Command::new("unshare");
    limited.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
    limited.arg(&small).arg(scratch.path().join("kept")).arg(EDXFS).arg("export");
    limited.args(folder_options(&small_package())).arg("--cache-dir").arg(scratch.path().join("cache"));
    limited.arg("courses/UniX-CHEM-R1/tables").arg("courses/UniX-CHEM-R1/samced.db").arg(&small).stdin(Stdio::null());
    let output = limited.output().expect("unshare is there");
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).contains("make room and run it again"), "{}", errors(&output));
    assert!(names_below(&scratch.path().join("kept")).iter().all(|name| !name.ends_with(".part")));
}

#[test]
fn what_is_in_the_way_is_named_and_neither_removed_nor_followed() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let (options, out) = (folder_options(&small_package()), scratch.path().join("out"));
    let elsewhere = scratch.path().join("elsewhere");
    let course = out.join("courses/UniX-CHEM-R1");
    for folder in [&course.join("forum.mongo"), &elsewhere] {
        fs::create_dir_all(folder).expect("it is ours");
    }
    fs::write(course.join("tables"), "mine").expect("it is ours");
    symlink(&elsewhere, course.join("events")).expect("it is ours");
    symlink(elsewhere.join("x"), course.join("course_structure.json")).expect("it is ours");
    let paths = ["tables", "events", "forum.mongo", "course_structure.json", "course.xml.tar.gz"]
        .map(|name| format!("courses/UniX-CHEM-R1/{name}"));
    let [a, b, c, d, e] = &paths;
    let output = export(&options, scratch.path(), &[a, b, c, d, e, &out]);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert_eq!(counts(&output), (1, 0), "{}", errors(&output));
    for path in &paths[..4] {
        assert!(errors(&output).contains(&out.join(path).display().to_string()), "{path}: {}", errors(&output));
    }
    assert_eq!(names_below(&elsewhere), Vec::<String>::new());
    assert_eq!(fs::read_to_string(course.join("tables")).expect("it stays"), "mine");
}

#[test]
fn a_folder_that_cannot_be_exported_into_is_refused() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let made = copy_of(&small_package(), scratch.path());
    let (options, out) = (folder_options(&made), scratch.path().join("out"));
    let refused = |to: &Path, expected: &str| {
        let output = export(&options, scratch.path(), &[&"courses.tsv", &to]);
        assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
        assert!(errors(&output).contains(expected), "{}", errors(&output));
    };
    refused(&scratch.path().join("no/such/place"), "No such file or directory");
    fs::write(scratch.path().join("file"), "").expect("it is ours");
    refused(&scratch.path().join("file"), "Not a directory");
    fs::create_dir(&out).expect("it is ours");
    let other = File::open(&out).expect("it is there");
    other.lock().expect("nobody else has it");
    refused(&out, "another export is writing into this folder");
    drop(other);
    fs::write(out.join("MANIFEST.tsv"), "name\tsize\n").expect("it is ours");
    refused(&out, "is not a manifest of edxfs");
    assert_eq!(fs::read_to_string(out.join("MANIFEST.tsv")).expect("it stays"), "name\tsize\n");
}
