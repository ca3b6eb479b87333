//! The commands beside a mount: it answers for its tree on the socket in its cache folder.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::common::{EDXFS, Mount, copy_of, folder_options, run, small_package};
use crate::life::{DAY, edxfs, text};
use crate::mounted;

#[test]
fn the_tree_is_read_also_where_the_mount_point_is_out_of_reach() {
    let mount = mounted(&[]);
    let right = mount.read(DAY).expect("it is there");
    // As from a service's or a container's mount namespace.
    let script = "umount -l \"$1\" && shift && ! grep -q \"$0\" /proc/self/mounts && exec \"$@\"";
    let mut elsewhere = Command::new("unshare");
    elsewhere.args(["--mount", "--propagation", "private", "sh", "-c", script]);
    elsewhere.arg(&mount.point).arg(&mount.point).arg(EDXFS).arg("cat").args(folder_options(&small_package()));
    elsewhere.arg("--cache-dir").arg(mount.scratch.path().join("cache")).arg(DAY).stdin(Stdio::null());
    assert!(run(&mut elsewhere).stdout == right);
    assert_eq!(mount.status()["decoded_objects"], 1, "and nothing was decoded for it");
}

#[test]
fn a_failure_says_the_same_with_a_mount_and_without() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let made = copy_of(&small_package(), scratch.path());
    let day = made.data.join("edx-course-data/unix/edx/events/2015/unix-edx-events-2015-03-04.log.gz.gpg");
    let bytes = fs::read(&day).expect("it is there");
    fs::write(&day, &bytes[..bytes.len() / 2]).expect("it is ours");
    let cat = |cache: &Path, path: &str| -> Output {
        let mut command = Command::new(EDXFS);
        command.arg("cat").args(folder_options(&made)).arg("--cache-dir").arg(cache).arg(path).stdin(Stdio::null());
        command.output().expect("the program is built")
    };
    let mut options = folder_options(&made);
    options.extend(["--index", "off"].map(str::to_owned));
    let mount = Mount::start(&options);
    for path in [DAY, "courses/nobody", "courses"] {
        let alone = cat(&scratch.path().join("cache"), path);
        let beside = cat(&mount.scratch.path().join("cache"), path);
        assert_eq!(alone.status.code(), Some(1), "{path}");
        assert_eq!(beside.status.code(), Some(1), "{path}");
        assert_eq!(text(&alone.stderr), text(&beside.stderr), "{path}");
        assert!(!text(&alone.stderr).is_empty());
    }
}

#[test]
fn many_commands_at_once_are_answered() {
    let mount = mounted(&[]);
    let right = mount.read(DAY).expect("it is there");
    std::thread::scope(|scope| {
        let readers: Vec<_> =
            (0..24).map(|_| scope.spawn(|| edxfs("cat", mount.scratch.path(), &[DAY]).stdout)).collect();
        for reader in readers {
            assert!(reader.join().expect("no panic") == right);
        }
    });
    assert_eq!(mount.status()["decoded_objects"], 1);
}

#[test]
fn a_command_that_asks_for_another_tree_than_the_mounts_is_refused() {
    let mount = mounted(&["--survey-pre", "^Start$"]);
    let scratch = mount.scratch.path();
    let link = scratch.join("the same");
    symlink(&small_package().data, &link).expect("a link can be made");
    let (link, elsewhere) = (link.display().to_string(), scratch.display().to_string());
    let export = scratch.join("export").display().to_string();
    let beside = |arguments: &[&str]| {
        let mut command = Command::new(EDXFS);
        command.args(arguments).args(["--org", "unix", "--cache-dir"]).arg(scratch.join("cache"));
        command.stdin(Stdio::null()).output().expect("the program is built")
    };
    for same in [&[][..], &["--folder", &link], &["--survey-pre=^Start$"], &["--course-rule=recall", "--compartment=5"]]
    {
        let output = beside(&[&["ls"], same].concat());
        assert_eq!(output.status.code(), Some(0), "{same:?}: {}", text(&output.stderr));
    }
    let table: [(&[&str], &str); 8] = [
        (&["ls", "--folder", &elsewhere], "--folder"),
        (&["ls", "--events-bucket", "another"], "has no --events-bucket"),
        (&["cat", "README.txt", "--endpoint-url", "http://127.0.0.1:9"], "has no --endpoint-url"),
        (&["export", "README.txt", &export, "--course-rule", "producer"], "has --course-rule recall"),
        (&["ls", "--survey-pre", "^Pre$"], "has --survey-pre ^Start$"),
        (&["ls", "--survey-post", "^Post$"], "has no --survey-post"),
        (&["index", "courses.tsv", "--compartment", "10"], "has --compartment 5"),
        (&["ls", "--folder", &link, "--compartment", "10"], "has --compartment 5"),
    ];
    for (arguments, reason) in table {
        let output = beside(arguments);
        let message = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()), "{arguments:?}: {message}");
        assert!(message.contains(reason) && message.contains("edxfs unmount"), "{arguments:?}: {message}");
        assert!(message.contains(&mount.point.display().to_string()), "{arguments:?}: {message}");
    }
    assert!(!Path::new(&export).exists());
}

#[test]
fn a_mount_with_all_its_readers_says_so_and_can_still_be_asked_and_unmounted() {
    let mut mount = mounted(&[]);
    let socket = mount.scratch.path().join("cache/control.sock");
    // Larger than what the kernel holds between two processes.
    let whole_day = "events/all/2015-03-04.log";
    assert!(mount.read(whole_day).expect("it is there").len() > 500_000);
    let request = format!("{{\"op\":\"read\",\"path\":\"{whole_day}\"}}\n");
    let readers: Vec<UnixStream> = std::iter::repeat_with(|| {
        let mut reader = UnixStream::connect(&socket).expect("it listens");
        reader.write_all(request.as_bytes()).expect("it takes a request");
        reader.read_exact(&mut [0]).expect("it answers");
        reader
    })
    .take(64)
    .collect();
    for (arguments, code) in [(&["ls"][..], 1), (&["cat", DAY], 1), (&["index", DAY], 4)] {
        let output = edxfs(arguments[0], mount.scratch.path(), &arguments[1..]);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(message.contains("the mount is busy with 64 other commands"), "{arguments:?}: {message}");
    }
    assert_eq!(mount.status()["pid"], mount.server.id());
    // Open, so that the process has to be told.
    let _open = File::open(mount.path(DAY)).expect("it can be opened");
    let unmounted = run(Command::new(EDXFS).arg("unmount").arg(&mount.point));
    assert_eq!(text(&unmounted.stderr), "");
    let ended = mount.server.try_wait().expect("it is ours");
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}: {}", mount.log());
    drop(readers);
}

#[test]
fn a_process_that_cannot_be_seen_is_neither_signalled_nor_waited_for() {
    let mut mount = mounted(&[]);
    // As from a container that shares the cache folder: its process 1 is not the mount's.
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc", EDXFS]);
    let inside = |verb: &str| {
        let mut command = Command::new("unshare");
        command.args(inside.get_args()).arg(verb).arg(&mount.point).stdin(Stdio::null());
        command.output().expect("unshare is everywhere")
    };
    let status = text(&inside("status").stdout);
    assert!(status.contains("(not to be seen from here)"), "{status}");
    let output = inside("unmount");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("its process cannot be seen from here"), "{}", text(&output.stderr));
    assert!(mount.server.try_wait().expect("it is ours").is_none(), "{}", mount.log());
    assert!(mount.path("README.txt").exists());
}
