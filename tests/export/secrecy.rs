//! While an archive is written, nothing plain comes to lie on a disk.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::Stdio;

use crate::common::{folder_options, small_package, wait_for};
use crate::owner::Owner;
use crate::watch::Watch;
use crate::{COURSE, command, export, names_below};

/// Texts that stand in every day of events, in tables, and in the course's structure.
const MARKS: [&str; 4] = ["\"event_type\"", "problem_check", "date_joined", "display_name"];

#[test]
fn no_file_is_ever_plain_while_an_archive_is_written() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let [cache, temporary, target] = ["cache", "tmp", "target"].map(|name| scratch.path().join(name));
    for folder in [&cache, &temporary, &target] {
        DirBuilder::new().mode(0o700).create(folder).expect("a folder can be made");
    }
    let owner = Owner::with_key("one@example.org");
    let certificate = owner.certificate(scratch.path(), "one.asc");
    let mut watch = Watch::over(&[&cache, &temporary, &target], &MARKS);
    let mut command = command(&folder_options(&small_package()), scratch.path());
    command.env("TMPDIR", &temporary).arg("--recipient").arg(&certificate).arg(COURSE).arg(target.join("x.tar.gpg"));
    let mut child = command.current_dir(&temporary).stderr(Stdio::null()).spawn().expect("the program is built");
    wait_for("the end of the export", || {
        watch.look();
        child.try_wait().expect("it is our child").is_some()
    });
    watch.look();
    assert_eq!(watch.plain, Default::default());
    let beside: Vec<&PathBuf> = watch.written.iter().filter(|path| !path.starts_with(&cache)).collect();
    assert_eq!(beside, [&target.join("x.tar.gpg"), &target.join("x.tar.gpg.part")], "nowhere else is anything written");
    assert!(watch.written.len() > 50, "the watch sees what the cache does: {:?}", watch.written);
    assert_eq!(names_below(&target), ["x.tar.gpg"]);

    // The same marks are there to be found in a plain export, with the same watch.
    let out = scratch.path().join("out");
    fs::create_dir(&out).expect("it is ours");
    let mut watch = Watch::over(&[&out], &MARKS);
    export(&folder_options(&small_package()), scratch.path(), &[&COURSE, &out]);
    watch.look();
    let found = |part: &str| watch.plain.iter().any(|path| path.to_string_lossy().contains(part));
    assert!(found("events/") && found("tables/") && found("course_structure.json"), "{:?}", watch.plain);
    let (unpacked, _) = owner.unpack(&target.join("x.tar.gpg"), &scratch.path().join("unpacked"));
    assert_eq!(names_below(&unpacked.join(COURSE)), names_below(&out.join(COURSE)));
}
