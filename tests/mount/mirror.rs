//! A package that somebody has synced, decrypted and unzipped: read without a key, and the same.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::common::{Mount, run, small_package};
use crate::truth::Truth;

/// The layout of `data-package.md` 2.3, first row: the folder of a package doubled, the organisation's level dropped.
fn decrypted_mirror(plain: &Path, into: &Path) {
    for week in ["unix-2015-03-08", "unix-2015-03-15"] {
        fs::create_dir_all(into.join("course-data")).expect("it is ours");
        run(Command::new("cp").arg("-a").arg(plain.join("course-data").join(week)).arg(into.join("course-data")));
    }
    symlink("unix-2015-03-15", into.join("course-data/latest")).expect("it is ours");
    for site in ["edx", "edge"] {
        let folder = into.join("edx-course-data").join(site);
        fs::create_dir_all(&folder).expect("it is ours");
        let events = plain.join("edx-course-data/unix").join(site).join("events");
        run(Command::new("cp").arg("-a").arg(events).arg(&folder));
        run(Command::new("gzip").arg("-r").arg(&folder));
    }
}

#[test]
fn an_already_decrypted_mirror_needs_no_key_and_shows_the_same() {
    let made = small_package();
    let truth = Truth::of(&made, "recall");
    let plain = made.plain.clone().expect("it was kept");
    let mirror = tempfile::tempdir().expect("a temporary folder");
    decrypted_mirror(&plain, mirror.path());
    let options = ["--folder", &mirror.path().display().to_string(), "--org", "unix"].map(str::to_owned);
    let mount = Mount::start(&options);
    let courses = ["UniX-BIO-1.2x-2014_T1", "UniX-BIO-1.2x-2014_T1@edge", "UniX-CHEM-R1", "UniX-CHEM-R1-ccx-82"];
    let courses = [&courses[..], &["UniX-CHEM-R1@edge", "UniX-PHY-101-T1", "UniX-_ko-1x-2T2015"]].concat();
    let listed = mount.list("courses");
    assert!(courses.iter().all(|course| listed.iter().any(|name| name == course)), "{listed:?}");
    for (site, suffix) in [("prod", ""), ("edge", "@edge")] {
        for date in truth.dates(site) {
            let path = format!("courses/UniX-CHEM-R1{suffix}/events/{date}.log");
            let served = mount.read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(served == truth.lines(site, &date, "course-v1:UniX+CHEM+R1"), "{path}");
            let path = format!("events/all{suffix}/{date}.log");
            assert!(Some(mount.read(&path).expect("it is there")) == truth.day(site, &date), "{path}");
        }
    }
    let week = plain.join("course-data/unix-2015-03-15/unix-2015-03-15");
    for (path, source) in [
        ("tables/auth_user.tsv", "UniX-CHEM-R1-auth_user-prod-analytics.sql"),
        ("tables/submissions_score.tsv", "ora/UniX-CHEM-R1-submissions_score-prod-analytics.sql"),
        ("forum.mongo", "UniX-CHEM-R1-prod.mongo"),
        ("course.xml.tar.gz", "UniX-CHEM-R1-course-prod-analytics.xml.tar.gz"),
    ] {
        let served = mount.read(&format!("courses/UniX-CHEM-R1/{path}")).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert!(served == fs::read(week.join(source)).expect("it was kept"), "{path}");
    }
    assert_eq!(mount.list("courses/UniX-CHEM-R1/snapshots"), ["2015-03-08", "2015-03-15"]);
}
