//! `edxfs sync` killed, stopped, refused, out of room: no file is ever half there, and the next sync goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use edxfs::demo::bucket::{Object, Reply};

use crate::common::{run, wait_for};
use crate::injury::noise;
use crate::mirror::{Synced, assert_complete, expected, files_below};
use crate::refusal::bounded;
use crate::site::{Disk, EVENTS, SNAPSHOTS, day_key};

const BIG: &str = "unix-2016-01-03.zip";
const BIG_BYTES: u64 = 3_000_000;
/// What comes of the big object before the source falls silent; its reader hands over whole blocks.
const SENT_BYTES: u64 = 1_000_000;

/// A sync under way; killed with the test.
struct Running(Child);

impl Running {
    fn start(synced: &Synced, more: &[&str]) -> Running {
        let mut command = synced.command(more);
        Running(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        run(Command::new("kill").arg(format!("-{name}")).arg(self.0.id().to_string()));
    }

    /// Exit code and standard error.
    fn end(mut self) -> (Option<i32>, String) {
        let mut errors = String::new();
        std::io::Read::read_to_string(self.0.stderr.as_mut().unwrap(), &mut errors).unwrap();
        (self.0.wait().unwrap().code(), errors)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A site with one big object, of which only the beginning comes.
fn stalled() -> Synced {
    let synced = Synced::new();
    let original = original(&synced);
    fs::write(&original, noise(BIG_BYTES as usize)).unwrap();
    synced.site.server.put(SNAPSHOTS, BIG, Object::file(&original).unwrap());
    synced.site.answer_gets(Some(BIG.to_owned()), |_| Reply::StallAfter(SENT_BYTES));
    synced
}

/// The file that the big object is made of.
fn original(synced: &Synced) -> PathBuf {
    synced.dir().with_file_name("big")
}

/// Unfinished files.
fn parts(dir: &Path) -> Vec<String> {
    files_below(dir).into_iter().filter(|name| name.ends_with(".part")).collect()
}

/// The one unfinished file there is.
fn part(dir: &Path) -> Option<PathBuf> {
    if !dir.exists() {
        return None;
    }
    let parts = parts(dir);
    assert!(parts.len() < 9, "{parts:?}");
    parts.into_iter().find(|name| name.contains(BIG)).map(|name| dir.join(name))
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

/// Waits until all that can be had of the stalled site is there.
fn wait_for_the_stall(synced: &Synced, others: usize) {
    let dir = synced.dir();
    wait_for("the other objects", || {
        dir.exists()
            && files_below(&dir).iter().filter(|name| !name.contains("/.") && !name.starts_with('.')).count() == others
    });
    wait_for("a part", || part(&dir).is_some_and(|part| length(&part) > 500_000));
}

#[test]
fn killed_in_the_middle_it_fetches_what_is_missing_and_no_more() {
    let synced = stalled();
    let mut expected = expected(&synced.site);
    let running = Running::start(&synced, &[]);
    wait_for_the_stall(&synced, expected.len());
    running.signal("KILL");
    drop(running);
    assert!(!synced.file("course-data").join(BIG).exists(), "half a file has its name");
    let got = length(&part(&synced.dir()).unwrap());
    assert!(got <= SENT_BYTES, "{got}");

    synced.site.answer_gets(None, |_| Reply::Pass);
    let gets = synced.fetched(&[]);
    let ranges: Vec<_> = gets.iter().map(|get| (get.key.as_str(), get.range.clone().unwrap())).collect();
    assert_eq!(ranges, [(BIG, format!("bytes={got}-{}", BIG_BYTES - 1))]);
    assert!(gets[0].if_match.is_some());
    expected.insert(format!("course-data/{BIG}"), original(&synced));
    assert_complete(&synced.dir(), &expected);
}

#[test]
fn what_was_fetched_of_another_version_is_not_gone_on_with() {
    let synced = stalled();
    let others = expected(&synced.site).len();
    let running = Running::start(&synced, &[]);
    wait_for_the_stall(&synced, others);
    running.signal("KILL");
    drop(running);
    let new = noise(BIG_BYTES as usize - 5);
    synced.site.server.put(SNAPSHOTS, BIG, Object::memory(&new));
    synced.site.answer_gets(None, |_| Reply::Pass);
    let gets = synced.fetched(&[]);
    assert_eq!(gets.len(), 1);
    assert!(gets[0].range.as_ref().unwrap().starts_with("bytes=0-"), "{gets:?}");
    assert!(fs::read(synced.file("course-data").join(BIG)).unwrap() == new);
    assert_eq!(part(&synced.dir()), None, "the old part is gone");
}

#[test]
fn ctrl_c_ends_it_at_once_and_the_next_sync_goes_on() {
    let synced = stalled();
    let others = expected(&synced.site).len();
    let running = Running::start(&synced, &[]);
    wait_for_the_stall(&synced, others);
    let begun = Instant::now();
    running.signal("INT");
    assert_eq!(running.end(), (Some(130), "edxfs: stopped; run it again to go on\n".to_owned()));
    assert!(begun.elapsed() < Duration::from_secs(10), "it waited for the silent source: {:?}", begun.elapsed());
    let got = length(&part(&synced.dir()).unwrap());
    synced.site.answer_gets(None, |_| Reply::Pass);
    let gets = synced.fetched(&[]);
    assert_eq!(gets.len(), 1);
    assert!(gets[0].range.as_ref().unwrap().starts_with(&format!("bytes={got}-")), "{gets:?}");
}

#[test]
fn a_second_sync_into_the_same_folder_is_refused() {
    let synced = stalled();
    let running = Running::start(&synced, &[]);
    wait_for("a part", || part(&synced.dir()).is_some());
    let (code, message) = synced.sync(&[]);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains(&format!("process {} syncs into this folder", running.0.id())), "{message}");
    drop(running);
}

#[test]
fn an_object_that_changes_while_it_is_fetched_is_taken_in_its_new_form() {
    let synced = stalled();
    let count = Arc::new(AtomicUsize::new(0));
    let asked = count.clone();
    synced.site.answer_gets(Some(BIG.to_owned()), move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::StallAfter(SENT_BYTES),
        _ => Reply::Pass,
    });
    let gone = day_key("2015-03-04");
    let running = Running::start(&synced, &["--timeout", "6s"]);
    wait_for("the first answer", || count.load(Ordering::SeqCst) > 0);
    let new = noise(BIG_BYTES as usize + 7);
    synced.site.server.put(SNAPSHOTS, BIG, Object::memory(&new));
    assert_eq!(running.end(), (Some(0), String::new()));
    assert!(fs::read(synced.file("course-data").join(BIG)).unwrap() == new);
    assert!(synced.gets().iter().filter(|get| get.key == gone).count() == 1, "others are fetched once all the same");
    assert_eq!(part(&synced.dir()), None);
}

#[test]
fn keys_that_are_no_paths_are_refused_by_name_and_the_others_go_on() {
    let synced = Synced::new();
    let expected = expected(&synced.site);
    // `unix/rdx` is a file and a folder; so is `unix/edx`, but not in the mirror.
    let bad = ["unix/../../../escaped", "unix//etc/passwd", "unix/.hidden", "unix/rdx", "unix/tab\there"];
    synced.site.server.put(EVENTS, "unix/edx", Object::memory(b"a file"));
    for key in bad {
        synced.site.server.put(EVENTS, key, Object::memory(b"bad"));
    }
    let (code, message) = synced.sync(&[]);
    assert_eq!(code, Some(1), "{message}");
    assert_eq!(message.lines().count(), bad.len(), "{message}");
    for key in bad {
        let told = format!("edxfs: {EVENTS}/{}: cannot be a file of the mirror: ", key.escape_debug());
        assert!(message.lines().any(|line| line.starts_with(&told)), "{told} is not in {message}");
    }
    assert!(message.contains("unix/rdx: cannot be a file of the mirror: other keys lie below it"), "{message}");
    assert_eq!(fs::read(synced.file("edx-course-data/unix/edx")).unwrap(), b"a file");
    fs::remove_file(synced.file("edx-course-data/unix/edx")).unwrap();
    assert_complete(&synced.dir(), &expected);
}

#[test]
fn what_cannot_be_had_is_named_and_the_others_go_on() {
    let synced = Synced::new();
    let mut expected = expected(&synced.site);
    let (zip, denied) = ("unix-2015-03-08.zip", day_key("2015-03-05"));
    let object = Object::file(&synced.site.made.data.join(SNAPSHOTS).join(zip)).unwrap();
    synced.site.server.put(SNAPSHOTS, zip, object.storage_class("DEEP_ARCHIVE"));
    synced.site.answer_gets(Some(denied.clone()), |_| Reply::Status(403, "AccessDenied"));
    let day = synced.file("edx-course-data/edx/events/2015/unix-edx-events-2015-03-06.log.gz.gpg");
    fs::create_dir_all(&day).unwrap();
    let (code, message) = synced.sync(&[]);
    assert_eq!((code, message.lines().count()), (Some(1), 3), "{message}");
    assert_eq!(parts(&synced.dir()), [""; 0], "nothing came of what was refused");
    for (subject, what) in [
        (format!("{SNAPSHOTS}/{zip}"), "archived storage class; restore it first"),
        (format!("{EVENTS}/{denied}"), "access denied"),
        (day.canonicalize().unwrap().display().to_string(), "move it away, then run it again"),
    ] {
        let told = |line: &str| line.starts_with(&format!("edxfs: {subject}: ")) && line.contains(what);
        assert!(message.lines().any(told), "{subject}: {message}");
    }
    fs::remove_dir(&day).unwrap();
    expected.remove(&format!("{SNAPSHOTS}/{zip}")).unwrap();
    synced.site.answer_gets(None, |_| Reply::Pass);
    let (code, message) = synced.sync(&[]);
    assert_eq!((code, message.lines().count()), (Some(1), 1), "{message}");
    assert_complete(&synced.dir(), &expected);
}

#[test]
fn a_full_disk_ends_it_in_words_and_room_lets_it_go_on() {
    let synced = Synced::new();
    let expected = expected(&synced.site);
    let disk = Disk::of("256k");
    std::os::unix::fs::symlink(disk.path(), synced.dir()).unwrap();
    let (code, message) = synced.sync(&[]);
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains("the disk is full; make room on it") && message.lines().count() == 1, "{message}");
    run(Command::new("mount").args(["-o", "remount,size=64m"]).arg(disk.path()));
    synced.fetched(&[]);
    assert_complete(disk.path(), &expected);
}

#[test]
fn a_source_that_goes_away_ends_it_before_every_object_has_been_tried() {
    let synced = Synced::new();
    synced.site.answer_gets(None, |_| Reply::Status(503, "SlowDown"));
    let (code, message) = synced.sync(&[]);
    assert_eq!((code, message.lines().count()), (Some(4), 1), "{message}");
    assert!(message.contains("overloaded"), "{message}");
    let asked: std::collections::BTreeSet<_> = synced.gets().into_iter().map(|get| get.key).collect();
    assert!(asked.len() < 30, "{asked:?}");
}

/// A session of the environment, which nobody renews.
#[test]
fn credentials_that_end_half_way_end_it_with_one_error() {
    let synced = Synced::new();
    let expected = expected(&synced.site);
    synced.site.answer_gets(None, |count| if count < 3 { Reply::Pass } else { Reply::Status(400, "ExpiredToken") });
    let (code, message) = synced.sync(&[]);
    assert_eq!((code, message.lines().count()), (Some(1), 1), "{message}");
    assert!(message.contains("the session has expired: log in again"), "{message}");
    // One that came may have been cut off by the end.
    let empty: Vec<_> = parts(&synced.dir()).into_iter().filter(|part| length(&synced.file(part)) == 0).collect();
    assert_eq!(empty, [""; 0], "nothing came of what was refused");
    synced.site.answer_gets(None, |_| Reply::Pass);
    synced.fetched(&[]);
    assert_complete(&synced.dir(), &expected);
}

#[test]
fn without_a_source_it_says_so() {
    let synced = Synced::new();
    let mut command = synced.command(&["--timeout", "2s"]);
    drop(synced);
    let output = bounded(&mut command);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
}
