//! Nobody hangs: who waits for a long decode can be interrupted and killed, and the decode goes on for the others.

mod common;

#[path = "common/bucket.rs"]
mod bucket;
#[path = "common/servers/mod.rs"]
mod servers;
#[path = "common/truth.rs"]
mod truth;

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bucket::{Bucket, wait_for_runs};
use common::{EDXFS, Mount, PATIENCE};
use edxfs::demo::Made;
use truth::{DAYS, Truth, courses_of, day_key, many_courses};

/// How long the source lets everybody wait: time enough for what the tests do meanwhile.
const LONG: Duration = Duration::from_secs(6);

/// The bound of the issue.
const SOON: Duration = Duration::from_secs(1);

/// A package behind a slow server, mounted.
struct Slow {
    made: Made,
    bucket: Bucket,
    mount: Mount,
    courses: Vec<(String, String)>,
}

impl Slow {
    fn start(days: &[&str]) -> Slow {
        let made = many_courses();
        let bucket = Bucket::serve(&made);
        let mount = bucket.mount(&["--index", "off"]);
        let courses = courses_of(&made);
        bucket.fetches();
        bucket.delay(&days.iter().map(|date| day_key(date)).collect::<Vec<_>>(), LONG);
        Slow { made, bucket, mount, courses }
    }

    fn file(&self, course: usize, date: &str) -> String {
        format!("courses/{}/events/{date}.log", self.courses[course].0)
    }

    fn path(&self, course: usize, date: &str) -> String {
        self.mount.path(&self.file(course, date)).display().to_string()
    }

    /// A process that reads a file to its standard output.
    fn cat(&self, course: usize, date: &str) -> Reader {
        // Somebody who runs the tests in the background may have had SIGINT ignored for all its children.
        Reader::start(Command::new("env").args(["--default-signal=INT", "cat", &self.path(course, date)]))
    }

    fn python(&self, script: &str, arguments: &[String]) -> Reader {
        Reader::start(Command::new("env").args(["--default-signal=INT", "python3", "-c", script]).args(arguments))
    }
}

/// A child that is killed with the test.
struct Reader(Child);

impl Reader {
    fn start(command: &mut Command) -> Reader {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Reader(quiet.spawn().unwrap_or_else(|error| panic!("{quiet:?}: {error}")))
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(kill.expect("kill is everywhere").success());
    }

    fn is_there(&mut self) -> bool {
        self.0.try_wait().expect("it is ours").is_none()
    }

    /// Waits for its end, and fails the test if that takes longer than `bound`.
    fn ended_within(&mut self, bound: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("it is ours") {
                return status;
            }
            assert!(begun.elapsed() < bound, "a reader is still there after {bound:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Opens every file in a thread of its own, and waits for all.
const THREADS: &str = "import sys, threading\n\
    threads = [threading.Thread(target=lambda p: open(p, 'rb').read(), args=(p,), daemon=True) for p in sys.argv[1:]]\n\
    [t.start() for t in threads]\n\
    [t.join() for t in threads]";

#[test]
fn a_waiting_reader_ends_with_its_signal_and_the_decode_goes_on_for_the_others() {
    let day = DAYS[1];
    let slow = Slow::start(&[day]);
    let threads: Vec<String> = (4..8).map(|course| slow.path(course, day)).collect();
    let mut waiting = [
        (slow.cat(0, day), "INT"),
        (slow.cat(1, day), "KILL"),
        (slow.cat(2, day), "TERM"),
        (slow.python("import sys; open(sys.argv[1]).read()", &[slow.path(3, day)]), "INT"),
        (slow.python(THREADS, &threads), "INT"),
        (slow.python(THREADS, &threads), "KILL"),
    ];
    let mut timed = Reader::start(Command::new("timeout").args(["1", "cat", &slow.path(8, day)]));
    thread::scope(|scope| {
        let other = scope.spawn(|| slow.mount.read(&slow.file(2, day)));
        wait_for_runs(&slow.mount, 1);
        // Python takes a while to begin.
        thread::sleep(Duration::from_millis(700));
        for (reader, signal) in &mut waiting {
            assert!(reader.is_there(), "it waits before its {signal}");
            reader.signal(signal);
            let status = reader.ended_within(SOON);
            assert!(!status.success(), "{signal}: {status}");
        }
        assert_eq!(timed.ended_within(2 * SOON).code(), Some(124));
        assert!(!other.is_finished(), "the decode was over before the readers had gone");
        let read = other.join().expect("no panic").expect("the file is read");
        assert!(read == Truth::of(&slow.made, day).course(&slow.courses[2].1));
    });
    assert_eq!(slow.bucket.fetches(), [day_key(day)]);
}

#[test]
fn a_decode_that_everybody_has_left_is_there_for_the_next_reader() {
    let day = DAYS[1];
    let slow = Slow::start(&[day]);
    let mut reader = slow.cat(0, day);
    wait_for_runs(&slow.mount, 1);
    reader.signal("KILL");
    assert_eq!(reader.ended_within(SOON).signal(), Some(9));
    let read = slow.mount.read(&slow.file(0, day)).expect("the file is read");
    assert!(read == Truth::of(&slow.made, day).course(&slow.courses[0].1));
    assert_eq!(slow.bucket.fetches(), [day_key(day)]);
}

#[test]
fn an_index_whose_command_has_gone_ends_at_the_mount() {
    let slow = Slow::start(&DAYS);
    let mut index = Command::new("env");
    index.args(["--default-signal=INT", EDXFS, "index", "--org", "unix"]);
    index.arg("--cache-dir").arg(slow.mount.scratch.path().join("cache"));
    let mut index = Reader::start(index.arg(format!("courses/{}/events", slow.courses[0].0)));
    wait_for_runs(&slow.mount, 1);
    index.signal("INT");
    assert_eq!(index.ended_within(SOON).code(), Some(130));
    let idle = || slow.mount.status()["running"].as_array().is_some_and(Vec::is_empty);
    common::wait_for("the end of the day under way", idle);
    assert_eq!(slow.bucket.fetches().len(), 1, "no further day was begun");
}

#[test]
fn forty_waiting_readers_keep_nobody_else_from_being_answered() {
    let days = &DAYS[1..];
    let slow = Slow::start(days);
    let cached = slow.file(0, DAYS[0]);
    let first = slow.mount.read(&cached).expect("the file is read");
    let mut readers: Vec<Reader> = (0..40).map(|at| slow.cat(at % 10, days[at / 10 % days.len()])).collect();
    // As many as decode at the same time; the others wait behind them.
    wait_for_runs(&slow.mount, 2);
    thread::sleep(Duration::from_millis(300));
    assert!(slow.mount.read(&cached).expect("a cached file is read") == first);
    assert!(slow.mount.list("").contains(&"README.txt".to_owned()));
    assert_eq!(slow.mount.list(&format!("courses/{}/events", slow.courses[1].0)).len(), 5);
    let stat = fs::metadata(slow.path(1, days[0])).expect("a stat needs no decode");
    assert_eq!(stat.blocks(), 0, "its size is not known yet");
    let still: usize = readers.iter_mut().map(|reader| usize::from(reader.is_there())).sum();
    assert_eq!(still, 40, "they wait all the while");
    for reader in &mut readers {
        assert!(reader.ended_within(PATIENCE).success());
    }
    let mut fetches = slow.bucket.fetches();
    fetches.retain(|key| key.contains("-events-"));
    fetches.sort();
    let expected: Vec<String> = DAYS.iter().map(|date| day_key(date)).collect();
    assert_eq!(fetches, expected, "each day once");
}

#[test]
fn a_server_that_is_ended_lets_its_waiting_readers_go_and_leaves_no_dead_mount() {
    let day = DAYS[1];
    let mut slow = Slow::start(&[day, DAYS[0]]);
    slow.bucket.delay(&[day_key(day)], 10 * LONG);
    let kept = File::open(slow.mount.path("README.txt")).expect("a page opens");
    let mut readers: Vec<Reader> = (0..4).map(|course| slow.cat(course, day)).collect();
    wait_for_runs(&slow.mount, 1);
    let end = Command::new("kill").args(["-TERM", &slow.mount.server.id().to_string()]).status();
    assert!(end.expect("kill is everywhere").success());
    for reader in &mut readers {
        assert!(!reader.ended_within(5 * SOON).success());
    }
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = slow.mount.server.try_wait().expect("it is ours") {
            break status;
        }
        assert!(begun.elapsed() < 5 * SOON, "the server does not end");
        thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "{status}: {}", slow.mount.log());
    let point = fs::read_dir(&slow.mount.point).expect("the mount point is an ordinary folder again");
    assert_eq!(point.count(), 0);
    let missing = fs::metadata(slow.mount.path("README.txt")).expect_err("nothing is mounted");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    drop(kept);
}
