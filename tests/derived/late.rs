//! Before everything is known: stand-in sizes, names that resolve or not, and who is refused.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::NEW;
use crate::common::{Mount, xattr};
use crate::mounted;

/// Production days of the package that hold something.
const DAYS: u32 = 13;

fn database() -> String {
    format!("courses/{NEW}/samced.db")
}

fn needs(mount: &Mount, path: &str) -> u32 {
    let needs = xattr(&mount.path(path), "user.edxfs.needs").unwrap_or_else(|| panic!("{path} says what it needs"));
    needs.parse().expect("a number")
}

fn open_like_a_file_manager(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_NOATIME).open(path)
}

#[test]
fn a_stand_in_is_above_the_true_size_and_an_opened_file_has_it_exactly() {
    let mount = mounted(&[]);
    let paths = [database(), format!("courses/{NEW}/samced/SAMCED-video_activity.csv"), "samced.db".into()];
    for path in &paths {
        let guess = fs::metadata(mount.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(guess.blocks(), 0, "{path}");
        assert_eq!(xattr(&mount.path(path), "user.edxfs.size").as_deref(), Some("stand-in"), "{path}");
        let mut file = File::open(mount.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let exact = file.metadata().expect("an open file").len();
        let mut content = Vec::new();
        file.read_to_end(&mut content).expect("it can be read");
        assert_eq!(content.len() as u64, exact, "{path}");
        assert!(guess.len() > exact, "{path}: {} is no upper bound of {exact}", guess.len());
        assert_eq!(fs::metadata(mount.path(path)).expect("it is there").len(), exact, "{path}");
        assert_eq!(xattr(&mount.path(path), "user.edxfs.size").as_deref(), Some("exact"), "{path}");
    }
}

#[test]
fn what_it_needs_is_counted_down_day_by_day() {
    let mount = mounted(&[]);
    let path = database();
    let all = needs(&mount, &path);
    // The tables, the forum and the structure are objects as well.
    assert!((DAYS + 3..DAYS + 12).contains(&all), "{all} objects");
    mount.read(&format!("courses/{NEW}/events/2015-03-04.log")).expect("a day opens");
    assert_eq!(needs(&mount, &path), all - 1);
    mount.read(&path).expect("the database opens");
    assert_eq!(needs(&mount, &path), 0);
}

#[test]
fn a_table_of_the_snapshot_needs_its_own_file_alone() {
    let mount = mounted(&[]);
    for (path, decoded) in [
        ("samced/SAMCED-student_courseenrollment.csv", 1),
        ("samced/SAMCED-discussion_forum_activity.csv", 2),
        ("samced/SAMCED-course_axis.csv", 3),
        ("course-run-data/auth_userprofile.csv", 4),
    ] {
        let path = format!("courses/{NEW}/{path}");
        assert_eq!(needs(&mount, &path), 1, "{path}");
        mount.read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(mount.status()["decoded_objects"], decoded, "{path}");
    }
}

#[test]
fn who_only_sniffs_is_refused_until_every_day_is_known() {
    let mount = mounted(&[]);
    let path = mount.path(&database());
    let refused = open_like_a_file_manager(&path).expect_err("days are to be decoded");
    assert_eq!(refused.raw_os_error(), Some(libc::EAGAIN));
    assert!(needs(&mount, &database()) >= DAYS, "nothing was decoded for it");
    mount.read(&database()).expect("who opens it waits");
    open_like_a_file_manager(&path).expect("it is there now");
    let waiting = mounted(&["--sniffers", "wait"]);
    open_like_a_file_manager(&waiting.path(&database())).expect("it waits");
}

#[test]
fn a_problems_sheet_resolves_before_it_is_known_and_is_listed_after() {
    let mount = mounted(&[]);
    let folder = format!("courses/{NEW}/samced");
    let (good, bad) = (format!("{folder}/SAMCED-problem_Quiz1a.csv"), format!("{folder}/SAMCED-problem_nobody.csv"));
    let listed = |mount: &Mount| mount.list(&folder);
    let before = listed(&mount);
    for name in
        ["SAMCED-problem.csv", "SAMCED-problem_index.csv", "SAMCED-video_activity.csv", "errors.txt", "info.txt"]
    {
        assert!(before.iter().any(|listed| listed == name), "{name} is not in {before:?}");
    }
    assert!(!before.contains(&"SAMCED-problem_Quiz1a.csv".to_owned()));
    assert!(mount.path(&good).exists() && mount.path(&bad).exists(), "both resolve while nothing is known");
    let sheet = String::from_utf8(mount.read(&good).expect("it opens")).expect("UTF-8");
    assert!(sheet.starts_with("user_id,attempts,grade,max_grade,success,time\r\n"), "{sheet}");
    let errno = |path: &str| fs::read(mount.path(path)).expect_err(path).raw_os_error();
    assert_eq!(errno(&bad), Some(libc::ENOENT), "it is known that there is none");
    assert!(listed(&mount).contains(&"SAMCED-problem_Quiz1a.csv".to_owned()));
    for name in ["SAMCED-nothing.csv", "SAMCED-problem_.csv", "samced-problem.csv", "SAMCED-problem_a b.csv"] {
        assert_eq!(errno(&format!("{folder}/{name}")), Some(libc::ENOENT), "{name}");
    }
}
