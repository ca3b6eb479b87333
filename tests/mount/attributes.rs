//! What `stat` and its kin say, and that nothing can be changed.

use std::ffi::CString;
use std::fs::{self, File, FileTimes, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{self as unix, MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::SystemTime;

use crate::common::{Mount, folder_options, small_package, xattr};
use crate::mounted;
use crate::truth::Truth;

const DAY: &str = "courses/UniX-CHEM-R1/events/2015-03-04.log";
const SAME_DAY: &str = "events/UniX-CHEM-R1/2015-03-04.log";
const TABLE: &str = "courses/UniX-CHEM-R1/tables/auth_user.tsv";

fn stat(mount: &Mount, path: &str) -> Metadata {
    fs::symlink_metadata(mount.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn files_and_folders_are_ours_alone_and_as_old_as_what_they_are_made_from() {
    let made = small_package();
    let mount = mounted(&[]);
    let us = fs::metadata(mount.scratch.path()).expect("it is ours");
    let log = "edx-course-data/unix/edx/events/2015/unix-edx-events-2015-03-04.log.gz.gpg";
    let newest = "course-data/unix-2015-03-15.zip";
    for (path, mode, source) in [
        ("", 0o40500, newest),
        ("courses/UniX-CHEM-R1", 0o40500, newest),
        ("README.txt", 0o100400, newest),
        ("courses.tsv", 0o100400, newest),
        (DAY, 0o100400, log),
        ("events/all/2015-03-04.log", 0o100400, log),
        ("events/unattributed/2015-03-04.log", 0o100400, log),
        ("edx-course-data/edx/events/2015/unix-edx-events-2015-03-04.log.gz", 0o100400, log),
        (TABLE, 0o100400, newest),
        ("courses/UniX-CHEM-R1/snapshots/2015-03-08/forum.mongo", 0o100400, "course-data/unix-2015-03-08.zip"),
        ("tables/auth_user.tsv", 0o100400, newest),
    ] {
        let shown = stat(&mount, path);
        let right = fs::metadata(made.data.join(source)).expect("the package has it").mtime();
        assert_eq!(format!("{:o}", shown.mode()), format!("{mode:o}"), "{path}");
        assert_eq!((shown.uid(), shown.gid()), (us.uid(), us.gid()), "{path}");
        assert_eq!((shown.mtime(), shown.ctime()), (right, right), "{path}");
        assert_eq!(shown.nlink(), if shown.is_dir() { 2 } else { 1 }, "{path}");
    }
}

#[test]
fn an_unknown_size_is_an_upper_bound_without_blocks_until_somebody_opens_the_file() {
    let made = small_package();
    let truth = Truth::of(&made, "recall");
    let right = truth.lines("prod", "2015-03-04", "course-v1:UniX+CHEM+R1");
    let mount = mounted(&[]);
    let log = made.data.join("edx-course-data/unix/edx/events/2015/unix-edx-events-2015-03-04.log.gz.gpg");
    let before = stat(&mount, DAY);
    assert_eq!((before.len(), before.blocks()), (fs::metadata(log).expect("the package has it").len() * 64, 0));
    assert!(stat(&mount, TABLE).len() >= 4096);
    assert_eq!(stat(&mount, "courses/UniX-CHEM-R1/events/2015-03-03.log").len(), 4096, "never 0");
    let joined = ["tables/auth_user.tsv", "reports/email_opt_in.csv", "samced.db"];
    for path in joined.into_iter().chain(["events/all/2015-03-04.log", "events/unattributed/2015-03-04.log"]) {
        assert!(stat(&mount, path).len() > 4096 && stat(&mount, path).blocks() == 0, "{path}");
    }

    let open = File::open(mount.path(DAY)).expect("it can be opened");
    let exact = open.metadata().expect("it is open");
    assert_eq!((exact.len(), exact.blocks()), (right.len() as u64, (right.len() as u64).div_ceil(512)));
    drop(open);
    assert_eq!(stat(&mount, DAY).len(), right.len() as u64);
    // One pass has told the size of every course's file of that day.
    let other = stat(&mount, "events/UniX-BIO-1.2x-2014_T1/2015-03-04.log");
    assert_eq!(other.len(), truth.lines("prod", "2015-03-04", "UniX/BIO-1.2x/2014_T1").len() as u64);
}

#[test]
fn an_inode_stands_for_content_under_every_path_and_in_every_mount() {
    let made = small_package();
    let first = mounted(&[]);
    let folder = stat(&first, "courses/UniX-CHEM-R1").ino();
    for path in [DAY, TABLE, "events/all/2015-03-04.log", "tables/auth_user.tsv"] {
        first.read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let pairs = [(DAY, SAME_DAY), (TABLE, "courses/UniX-CHEM-R1/snapshots/2015-03-15/tables/auth_user.tsv")];
    let window = "courses/UniX-CHEM-R1/between/2015-03-04_/events/2015-03-04.log";
    let sizes = |mount: &Mount| pairs.map(|(path, _)| (stat(mount, path).ino(), stat(mount, path).len()));
    for (path, same) in pairs.into_iter().chain([(DAY, window)]) {
        assert_eq!(stat(&first, path).ino(), stat(&first, same).ino(), "{path}");
    }
    assert_ne!(stat(&first, DAY).ino(), stat(&first, TABLE).ino());
    assert_ne!(folder, stat(&first, "events/UniX-CHEM-R1").ino(), "a folder is its path");
    let before = sizes(&first);

    let mut options = folder_options(&made);
    options.extend(["--index".to_owned(), "off".to_owned()]);
    let again = Mount::start_in(first.stop(), &options, &[]);
    assert_eq!(sizes(&again), before);
    assert_eq!(stat(&again, "courses/UniX-CHEM-R1").ino(), folder);
    assert_eq!(xattr(&again.path(DAY), "user.edxfs.size").as_deref(), Some("exact"));
    let status = again.status();
    assert_eq!((status["decoded_objects"].as_u64(), status["fetched_objects"].as_u64().is_some()), (Some(0), true));
    again.read(DAY).expect("it is cached");
    assert_eq!(again.status()["decoded_objects"], 0, "the cache survives a remount");
}

#[test]
fn extended_attributes_say_where_a_file_comes_from() {
    let mount = mounted(&[]);
    let ask = |path: &str, name: &str| xattr(&mount.path(path), &format!("user.edxfs.{name}"));
    let log = "edx-course-data/unix/edx/events/2015/unix-edx-events-2015-03-04.log.gz.gpg";
    let entry = "course-data/unix-2015-03-15.zip/unix-2015-03-15/UniX-CHEM-R1-auth_user-prod-analytics.sql.gpg";
    for (path, source) in [(DAY, log), ("events/all/2015-03-04.log", log), (TABLE, entry)] {
        assert_eq!(ask(path, "source").as_deref(), Some(source), "{path}");
        assert!(ask(path, "etag").is_some_and(|etag| !etag.is_empty()), "{path}");
        assert_eq!([ask(path, "size"), ask(path, "state")].map(Option::unwrap), ["stand-in", "remote"], "{path}");
        mount.read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!([ask(path, "size"), ask(path, "state")].map(Option::unwrap), ["exact", "cached"], "{path}");
        let mut names = listxattr(&mount.path(path));
        names.sort();
        assert_eq!(
            names,
            ["user.edxfs.etag", "user.edxfs.needs", "user.edxfs.size", "user.edxfs.source", "user.edxfs.state"]
        );
    }
    // The day has been decoded for all courses, but a course that nobody has read is known, too.
    assert_eq!(ask("courses/UniX-BIO-1.2x-2014_T1/events/2015-03-04.log", "size").as_deref(), Some("exact"));
    assert_eq!(xattr(&mount.path(DAY), "user.other"), None);
    assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::ENODATA));
}

fn text(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no NUL in a path")
}

fn listxattr(path: &Path) -> Vec<String> {
    let mut names = vec![0_u8; 4096];
    // SAFETY: the path ends in NUL, and the buffer is as long as is said.
    let length = unsafe { libc::listxattr(text(path).as_ptr(), names.as_mut_ptr().cast(), names.len()) };
    names.truncate(usize::try_from(length).expect("it can be asked"));
    String::from_utf8_lossy(&names).split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn statfs_tells_of_the_cache() {
    let mount = mounted(&["--cache-size", "1GiB"]);
    // SAFETY: all zero is a valid statvfs, the path ends in NUL.
    let mut fs: libc::statvfs = unsafe { std::mem::zeroed() };
    assert_eq!(unsafe { libc::statvfs(text(&mount.point).as_ptr(), &raw mut fs) }, 0);
    assert_eq!((fs.f_blocks * fs.f_frsize, fs.f_namemax), (1 << 30, 255));
    assert!(fs.f_bavail <= fs.f_blocks && fs.f_bavail > 0);
    assert_ne!(fs.f_flag & libc::ST_RDONLY, 0);
}

#[test]
fn every_change_is_refused_with_erofs() {
    let mount = mounted(&[]);
    let (file, folder) = (mount.path(DAY), mount.path("courses/UniX-CHEM-R1"));
    let new = mount.path("new");
    let inside = folder.join("new");
    let path = |path: &Path| text(path);
    let libc_result = |result: libc::c_int| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    let user = CString::new("user.x").expect("no NUL in it");
    let attempts: Vec<(&str, io::Result<()>)> = vec![
        ("open for writing", OpenOptions::new().write(true).open(&file).map(drop)),
        ("open for both", OpenOptions::new().read(true).write(true).open(&file).map(drop)),
        ("append", OpenOptions::new().append(true).open(&file).map(drop)),
        ("truncate by opening", OpenOptions::new().write(true).truncate(true).open(&file).map(drop)),
        ("create", File::create(&inside).map(drop)),
        ("create at the root", File::create_new(&new).map(drop)),
        ("unlink", fs::remove_file(&file)),
        ("mkdir", fs::create_dir(&new)),
        ("rmdir", fs::remove_dir(mount.path("courses/UniX-CHEM-R1/between"))),
        ("rename", fs::rename(&file, &new)),
        ("rename a folder", fs::rename(&folder, &new)),
        ("link", fs::hard_link(&file, &new)),
        ("symlink", unix::symlink("x", &new)),
        ("chmod", fs::set_permissions(&file, Permissions::from_mode(0o600))),
        ("chown", unix::chown(&file, Some(1), Some(1))),
        // SAFETY: all paths and names end in NUL, and the values are as long as is said.
        ("truncate", libc_result(unsafe { libc::truncate(path(&file).as_ptr(), 0) })),
        ("mkfifo", libc_result(unsafe { libc::mkfifo(path(&new).as_ptr(), 0o600) })),
        (
            "setxattr",
            libc_result(unsafe { libc::setxattr(path(&file).as_ptr(), user.as_ptr(), c"1".as_ptr().cast(), 1, 0) }),
        ),
        ("removexattr", libc_result(unsafe { libc::removexattr(path(&file).as_ptr(), user.as_ptr()) })),
        ("utimes", set_times(&file)),
    ];
    for (what, result) in attempts {
        let error = result.expect_err(what);
        assert_eq!(error.raw_os_error(), Some(libc::EROFS), "{what}: {error}");
    }
    assert_eq!(mount.status()["decoded_objects"], 0, "refusing costs nothing");
}

fn set_times(path: &Path) -> io::Result<()> {
    let now = SystemTime::now();
    // A handle that can only read is enough for the owner.
    File::open(path.parent().expect("it has a folder"))?.set_times(FileTimes::new().set_modified(now))
}
