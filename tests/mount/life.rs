//! Coming, going and crashing; and the other commands beside a mount and without one.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::common::{EDXFS, Mount, folder_options, run, small_package, wait_for};
use crate::mounted;
use crate::truth::Truth;

pub const DAY: &str = "courses/UniX-CHEM-R1/events/2015-03-04.log";

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The program with these options behind a verb; its cache is in `scratch`.
pub fn edxfs(verb: &str, scratch: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(EDXFS);
    command.arg(verb).args(folder_options(&small_package())).arg("--cache-dir").arg(scratch.join("cache"));
    command.args(arguments).stdin(Stdio::null());
    command.output().expect("the program is built")
}

fn is_mounted(point: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("there is /proc");
    mounts.lines().any(|line| line.split(' ').nth(1) == point.to_str())
}

/// A zombie does not run, but is there until somebody looks after it.
fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// A mount that went to the background; taken off also when a test fails.
struct Background {
    point: PathBuf,
}

impl Drop for Background {
    fn drop(&mut self) {
        let mut unmount = Command::new(EDXFS);
        let _ = unmount.arg("unmount").arg(&self.point).stderr(Stdio::null()).status();
        let _ = Command::new("umount").arg("-l").arg(&self.point).stderr(Stdio::null()).status();
    }
}

#[test]
fn a_mount_goes_to_the_background_answers_and_is_unmounted() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let point = scratch.path().join("mnt");
    fs::create_dir(&point).expect("it is ours");
    let log = scratch.path().join("edxfs.log");
    let background = Background { point: point.clone() };
    let [at, log_file] = [&point, &log].map(|path| path.display().to_string());
    let output = edxfs("mount", scratch.path(), &["--log-file", &log_file, &at]);
    assert_eq!((output.status.code(), text(&output.stdout), text(&output.stderr)), (Some(0), "".into(), "".into()));
    assert!(point.join("README.txt").exists(), "it answers at once");
    let open = File::open(point.join("courses.tsv")).expect("it can be opened");
    let pid = fs::read_to_string(scratch.path().join("cache/lock")).expect("the owner's number");
    let status = run(Command::new(EDXFS).args(["status", "--json"]).arg(&point)).stdout;
    assert!(text(&status).contains(&format!("\"pid\":{}", pid.trim())), "{}", text(&status));

    run(Command::new(EDXFS).arg("unmount").arg(&point));
    assert!(!is_mounted(&point) && !is_running(&pid), "nothing is left");
    drop(open);
    let log = fs::read_to_string(&log).expect("it logs to its file");
    assert!(log.contains("mounted"), "{log}");
    let again = Command::new(EDXFS).arg("unmount").arg(&point).output().expect("the program is built");
    assert_ne!(again.status.code(), Some(0), "nothing is mounted there");
    drop(background);
}

#[test]
fn both_signals_unmount_also_with_files_open() {
    for signal in ["-TERM", "-INT"] {
        let mut mount = mounted(&[]);
        let mut open = File::open(mount.path(DAY)).expect("it can be opened");
        let mut first = [0; 100];
        open.read_exact(&mut first).expect("it can be read");
        let mut inside = Command::new("sleep").arg("30").current_dir(mount.path("courses")).spawn().expect("sleep");
        run(Command::new("kill").args([signal, &mount.server.id().to_string()]));
        let begun = Instant::now();
        let status = mount.server.wait().expect("it ends");
        assert!(begun.elapsed() < Duration::from_secs(10) && status.success(), "{signal}: {status}");
        assert!(!is_mounted(&mount.point), "{signal}");
        inside.kill().and_then(|()| inside.wait().map(drop)).expect("it is ours");
        assert!(!mount.log().contains("ERROR") && !mount.log().contains("panicked"), "{}", mount.log());
    }
}

#[test]
fn names_that_are_no_utf8_in_the_mount_table_keep_nobody_from_mounting() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let point = scratch.path().join(OsStr::from_bytes(b"usb\xe5"));
    fs::create_dir(&point).expect("it is ours");
    let background = Background { point: point.clone() };
    let mut command = Command::new(EDXFS);
    command.arg("mount").args(folder_options(&small_package())).arg("--cache-dir").arg(scratch.path().join("cache"));
    run(command.arg(&point));
    assert!(point.join("README.txt").exists());
    // And another one beside it.
    let mount = mounted(&[]);
    assert!(mount.path("README.txt").exists());
    run(Command::new(EDXFS).arg("unmount").arg(&mount.point));
    run(Command::new(EDXFS).arg("unmount").arg(&point));
    assert!(!point.join("README.txt").exists());
    drop(background);
}

#[test]
fn a_connection_that_was_cut_leaves_no_dead_mount_and_is_no_good_end() {
    let mut mount = mounted(&[]);
    let open = File::open(mount.path("README.txt")).expect("it can be opened");
    // Cuts the connection, and then finds the mount in use.
    let _ = Command::new("umount").arg("-f").arg(&mount.point).stderr(Stdio::null()).status();
    let status = mount.server.wait().expect("it ends");
    assert_eq!(status.code(), Some(1), "{}", mount.log());
    assert!(mount.log().contains("the connection to the kernel was cut"), "{}", mount.log());
    assert!(!is_mounted(&mount.point) && fs::read_dir(&mount.point).expect("it is a folder").count() == 0);
    drop(open);
}

#[test]
fn what_a_crash_left_is_detached_by_the_next_mount() {
    let mut mount = mounted(&[]);
    let before = mount.read(DAY).expect("it is there");
    mount.server.kill().and_then(|()| mount.server.wait().map(drop)).expect("it is ours");
    let error = mount.read("problems.tsv").expect_err("nobody answers");
    assert_eq!(error.raw_os_error(), Some(libc::ENOTCONN));
    let mut options = folder_options(&small_package());
    options.extend(["--index".to_owned(), "off".to_owned()]);
    // As after a crash: nobody takes the old mount off.
    let mut crashed = std::mem::ManuallyDrop::new(mount);
    let scratch = std::mem::replace(&mut crashed.scratch, tempfile::tempdir().expect("a temporary folder"));
    let again = Mount::start_in(scratch, &options, &[]);
    assert!(again.read(DAY).expect("it is there") == before);
    assert_eq!(again.status()["decoded_objects"], 0, "what was published has survived");
    let mounts = fs::read_to_string("/proc/self/mounts").expect("there is /proc");
    assert_eq!(mounts.lines().filter(|line| line.contains(again.point.to_str().expect("ASCII"))).count(), 1);
}

#[test]
fn a_second_mount_on_one_cache_is_refused_with_the_pid() {
    let mount = mounted(&[]);
    let scratch = mount.scratch.path();
    let other = scratch.join("other");
    fs::create_dir(&other).expect("it is ours");
    for more in [&[][..], &["--foreground"]] {
        let output = edxfs("mount", scratch, &[more, &[other.to_str().expect("ASCII")]].concat());
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(&mount.server.id().to_string()), "{message}");
    }
    assert!(!is_mounted(&other) && mount.path("README.txt").exists());
}

#[test]
fn ls_cat_index_and_status_go_with_a_mount_and_without() {
    let truth = Truth::of(&small_package(), "recall");
    let right = truth.lines("prod", "2015-03-04", "course-v1:UniX+CHEM+R1");
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let commands = |scratch: &Path, decoded: &str| {
        let listed = text(&edxfs("ls", scratch, &["courses"]).stdout);
        assert!(listed.lines().any(|line| line == "UniX-CHEM-R1/"), "{decoded}: {listed}");
        assert!(edxfs("cat", scratch, &[DAY]).stdout == right, "{decoded}");
        let long = text(&edxfs("ls", scratch, &["-l", DAY]).stdout);
        assert!(long.starts_with(&format!("{} ", right.len())), "{decoded}: {long}");
        let index = edxfs("index", scratch, &["courses/UniX-CHEM-R1/between/20150305_20150306/events"]);
        assert_eq!(index.status.code(), Some(0), "{decoded}: {}", text(&index.stderr));
        let long = text(&edxfs("ls", scratch, &["-l", "events/UniX-BIO-1.2x-2014_T1/2015-03-05.log"]).stdout);
        assert!(!long.starts_with('~') && !long.is_empty(), "{decoded}: {long}");
        let missing = edxfs("cat", scratch, &["courses/nobody", DAY]);
        assert_eq!(missing.status.code(), Some(1), "{decoded}");
        assert!(missing.stdout == right && text(&missing.stderr).contains("courses/nobody"), "{decoded}");
    };
    commands(scratch.path(), "without a mount");
    let nobody = edxfs_status(scratch.path());
    assert_eq!(nobody.status.code(), Some(1), "{}", text(&nobody.stdout));
    let mut options = folder_options(&small_package());
    options.extend(["--index".to_owned(), "off".to_owned()]);
    let known = Mount::start_in(scratch, &options, &[]);
    assert_eq!(edxfs("cat", known.scratch.path(), &[DAY]).stdout.len(), right.len());
    assert_eq!(known.status()["decoded_objects"], 0, "what a command made is there for the mount");
    drop(known);
    let mount = mounted(&[]);
    commands(mount.scratch.path(), "beside a mount");
    assert_eq!(mount.status()["decoded_objects"], 3, "the mount has done the work");
    assert_eq!(edxfs_status(mount.scratch.path()).status.code(), Some(0));
    wait_for("the commands' end", || mount.path("README.txt").exists());
}

fn edxfs_status(scratch: &Path) -> Output {
    let mut status = Command::new(EDXFS);
    status.args(["status", "--org", "unix", "--cache-dir"]).arg(scratch.join("cache"));
    status.output().expect("the program is built")
}

#[test]
fn somebody_who_is_not_root_mounts_with_fusermount() {
    // SAFETY: takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        // Then every other test has been such a mount.
        return;
    }
    let made = small_package();
    let scratch = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o755)).expect("it is ours");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mount/user.sh");
    let mut user = Command::new("unshare");
    user.args(["--mount", "--propagation", "private", "sh", script, EDXFS]);
    let package = made.data.parent().expect("data/ lies in the package's folder");
    let output = run(user.arg(package).arg(scratch.path()).stdin(Stdio::null()));
    let right = scratch.path().join("right");
    let lines = Truth::of(&made, "recall").lines("prod", "2015-03-04", "course-v1:UniX+CHEM+R1");
    fs::write(&right, lines).expect("it is ours");
    let sum = text(&run(Command::new("sha256sum").arg(right)).stdout);
    let sum = sum.split(' ').next().unwrap_or_default();
    let expected = format!(
        "owned by 65534:65534, mode 400\n{sum}\nroot may not read it\nit cannot be changed\n\"problems\":6\n\
         {sum}\nthe user sees 1 mount\nroot sees the user's mount: 0\nthe user through root's cache: 2\nroot through the user's cache: 2\n\
         root sees its own mount: 1\nroot asks how the user's mount is\nroot unmounts it\nits process has ended\n\
         unmounted\n{sum}\ncache of 65534, mode 700\nlog written\n"
    );
    assert_eq!(text(&output.stdout), expected);
}
