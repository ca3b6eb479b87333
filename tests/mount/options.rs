//! What each setting of the view changes.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::process::Command;

use edxfs::demo::Plan;

use crate::common::{Mount, key_options, package, run, small_package, xattr};
use crate::mounted;
use crate::truth::Truth;

const DAY: &str = "courses/UniX-CHEM-R1/events/2015-03-04.log";
const CHEM: &str = "course-v1:UniX+CHEM+R1";

#[test]
fn exact_sizes_let_stat_wait() {
    let truth = Truth::of(&small_package(), "recall");
    let mount = mounted(&["--sizes", "exact"]);
    let length = fs::metadata(mount.path(DAY)).expect("it is there").len();
    assert_eq!(length, truth.lines("prod", "2015-03-04", CHEM).len() as u64);
    // Those who store the size of a stat before they open the file.
    let script = "import sys, tarfile\nwith tarfile.open(sys.argv[1], 'w') as t: t.add(sys.argv[2], 'x')";
    let archive = mount.scratch.path().join("t.tar");
    let day = "events/UniX-CHEM-R1@edge/2015-03-05.log";
    run(Command::new("python3").args(["-c", script]).arg(&archive).arg(mount.path(day)));
    let content = run(Command::new("tar").arg("-xOf").arg(&archive).arg("x")).stdout;
    assert!(content == truth.lines("edge", "2015-03-05", CHEM));
    let folder = mount.scratch.path().join("copy");
    let source = format!("{}/", mount.path("courses/UniX-CHEM-R1@edge/events").display());
    run(Command::new("rsync").arg("-a").arg(&source).arg(&folder));
    let again = run(Command::new("rsync").args(["-ai"]).arg(&source).arg(&folder)).stdout;
    assert_eq!(String::from_utf8_lossy(&again), "", "a second rsync has nothing to do");
    // A file that cannot be made has no size, and rsync hears why.
    let error = fs::metadata(mount.path("courses/UniX-CHEM-R1/events/2015-03-03.log")).expect_err("0 bytes");
    assert_eq!(error.raw_os_error(), Some(libc::EIO));
}

#[test]
fn since_and_until_hide_all_other_days() {
    let mount = mounted(&["--since", "2015-03-05", "--until", "2015-03-06"]);
    let days = ["2015-03-05.log", "2015-03-06.log"];
    for folder in ["courses/UniX-CHEM-R1/events", "events/all", "events/unattributed@edge", "events/UniX-CHEM-R1@edge"]
    {
        assert_eq!(mount.list(folder), days, "{folder}");
    }
    assert_eq!(mount.list("courses/UniX-CHEM-R1/between/_20150305/events"), days[..1]);
    assert!(!mount.path(DAY).exists() && mount.path("events/all/2015-03-06.log").exists());
}

#[test]
fn course_globs_hide_all_other_courses() {
    let mount = mounted(&["--course", "*CHEM-R1", "--course", "UniX-PHY*"]);
    let courses = ["UniX-CHEM-R1", "UniX-PHY-101-T1"];
    assert_eq!(mount.list("courses"), courses);
    let listed: Vec<_> = mount.list("events").into_iter().filter(|name| name.starts_with("UniX")).collect();
    assert_eq!(listed, courses);
    assert!(!mount.path("courses/UniX-BIO-1.2x-2014_T1").exists());
    let table = String::from_utf8(mount.read("tables/teams.tsv").expect("it is there")).expect("UTF-8");
    let shown = |line: &str| courses.contains(&line.split('\t').next().unwrap_or_default());
    assert!(table.lines().count() > 1 && table.lines().skip(1).all(shown), "{table}");
}

#[test]
fn the_producers_rule_leaves_more_lines_without_a_course() {
    let made = small_package();
    let (recall, producer) = (Truth::of(&made, "recall"), Truth::of(&made, "producer"));
    let mount = mounted(&["--course-rule", "producer"]);
    let mut differ = false;
    for date in producer.dates("prod") {
        for (folder, id) in [("UniX-CHEM-R1", CHEM), ("UniX-BIO-1.2x-2014_T1", "UniX/BIO-1.2x/2014_T1")] {
            let right = producer.lines("prod", &date, id);
            differ |= right != recall.lines("prod", &date, id);
            let served = mount.read(&format!("courses/{folder}/events/{date}.log")).expect("the day is whole");
            assert!(served == right, "{folder} {date}: {} bytes instead of {}", served.len(), right.len());
        }
        let loose = mount.read(&format!("events/unattributed/{date}.log")).expect("the day is whole");
        assert!(loose == producer.lines("prod", &date, ""), "{date}");
    }
    assert!(differ, "the package has no line that tells the rules apart");
}

#[test]
fn each_of_several_organisations_has_a_folder_and_nothing_is_merged() {
    let unix = small_package();
    let other = package(
        "other",
        Plan { org: "OtherX".into(), seed: 7, days: 2, courses: 1, events_per_day: 40, packages: 1, ..Plan::default() },
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    for made in [&unix, &other] {
        run(Command::new("cp").arg("-a").arg(made.data.join(".")).arg(folder.path()));
    }
    let mut options = vec!["--folder".to_owned(), folder.path().display().to_string(), "--index".into(), "off".into()];
    options.extend(key_options(&unix));
    options.extend(["--org".into(), "otherx".into(), "--secret-key".into(), other.secret_key.display().to_string()]);
    let mount = Mount::start(&options);
    assert_eq!(mount.list(""), ["otherx", "unix"]);
    assert_eq!(mount.list("otherx/courses").iter().filter(|name| name.starts_with("UniX")).count(), 0);
    let truth = Truth::of(&unix, "recall");
    assert!(mount.read(&format!("unix/{DAY}")).expect("it is there") == truth.lines("prod", "2015-03-04", CHEM));
    let truth = Truth::of(&other, "recall");
    assert!(
        Some(mount.read("otherx/events/all/2015-03-02.log").expect("it is there")) == truth.day("prod", "2015-03-02")
    );
    assert!(!mount.path("README.txt").exists() && mount.path("unix/README.txt").exists());
    assert_eq!(mount.status()["orgs"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_sniffer_is_refused_unless_it_may_wait() {
    let sniff = |mount: &Mount, path: &str| {
        let open = OpenOptions::new().read(true).custom_flags(libc::O_NOATIME).open(mount.path(path));
        open.map(drop).map_err(|error| error.raw_os_error())
    };
    let mount = mounted(&[]);
    assert_eq!(sniff(&mount, DAY), Err(Some(libc::EAGAIN)));
    assert_eq!(mount.status()["decoded_objects"], 0);
    assert_eq!(sniff(&mount, "README.txt"), Ok(()));
    mount.read(DAY).expect("whoever does not sniff may wait");
    assert_eq!(sniff(&mount, DAY), Ok(()));
    assert_eq!(sniff(&mount, "courses/UniX-BIO-1.2x-2014_T1/events/2015-03-04.log"), Ok(()), "the day is decoded");
    let patient = mounted(&["--sniffers", "wait"]);
    assert_eq!(sniff(&patient, DAY), Ok(()));
}

#[test]
fn modes_and_owners_are_as_asked() {
    let mount = mounted(&["--mode", "0440", "--dir-mode", "0750", "--uid", "1234", "--gid", "4321", "--allow-other"]);
    let shown = |path: &str| {
        let stat = fs::metadata(mount.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        (format!("{:o}", stat.mode()), stat.uid(), stat.gid())
    };
    assert_eq!(shown("README.txt"), ("100440".to_owned(), 1234, 4321));
    assert_eq!(shown(DAY), ("100440".to_owned(), 1234, 4321));
    assert_eq!(shown("courses"), ("40750".to_owned(), 1234, 4321));
}

#[test]
fn the_background_learns_all_sizes_by_itself() {
    let mount = Mount::start(&crate::common::folder_options(&small_package()));
    crate::common::wait_for("indexing", || {
        let status = mount.status();
        status["indexed_objects"].as_u64() > Some(27) && status["indexed_objects"] == status["known_objects"]
    });
    for path in [DAY, "courses/UniX-CHEM-R1/tables/auth_user.tsv", "courses/UniX-PHY-101-T1/forum.mongo"] {
        assert_eq!(xattr(&mount.path(path), "user.edxfs.size").as_deref(), Some("exact"), "{path}");
    }
}
