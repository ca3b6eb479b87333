//! After kill -9, the same cache and the same mount point: nothing wrong is served, and the space comes back.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use edxfs::demo::Made;
use edxfs::demo::bucket::{Reply, Server};

use crate::bucket::Bucket;
use crate::common::{Mount, folder_options, wait_for};
use crate::truth::{DAYS, Truth, courses_of, day_key, many_courses};

/// What a killed mount leaves; taken off at the end, also if nobody mounted there again.
struct Remains {
    point: PathBuf,
    scratch: Option<tempfile::TempDir>,
}

impl Remains {
    /// Kills the server without any notice and leaves the dead mount where it is.
    fn of(mut mount: Mount) -> Remains {
        mount.server.kill().expect("it is ours");
        mount.server.wait().expect("it is ours");
        let elsewhere = tempfile::tempdir().expect("a temporary folder");
        let point = std::mem::replace(&mut mount.point, elsewhere.path().join("mnt"));
        let scratch = std::mem::replace(&mut mount.scratch, elsewhere);
        Remains { point, scratch: Some(scratch) }
    }

    fn cache(&self) -> PathBuf {
        self.scratch.as_ref().expect("not taken yet").path().join("cache")
    }

    fn take(mut self) -> tempfile::TempDir {
        self.scratch.take().expect("not taken yet")
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        if self.scratch.is_some() {
            let _ = Command::new("umount").arg("-l").arg(&self.point).stderr(Stdio::null()).status();
        }
    }
}

/// Waits until the new mount answers in the place of the dead one, whose root the kernel may still know.
fn wait_for_its_answer(mount: Mount) -> Mount {
    wait_for("the new mount", || fs::read_dir(&mount.point).is_ok_and(|entries| entries.count() > 0));
    mount
}

fn cache_of(mount: &Mount) -> PathBuf {
    mount.scratch.path().join("cache")
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Nothing half written is left, and every byte that counts as used is a blob's.
fn assert_swept(mount: &Mount) {
    let cache = cache_of(mount);
    wait_for("the sweep", || files_below(&cache.join("tmp")).is_empty());
    let blocks = |path: &PathBuf| fs::metadata(path).expect("a blob").len().div_ceil(4096) * 4096;
    let folders = ["blobs-v1", "lasting-v1"].map(|folder| cache.join(folder));
    let blobs = || folders.iter().flat_map(|folder| files_below(folder)).map(|path| blocks(&path)).sum::<u64>();
    wait_for("the count of the blobs", || mount.status()["cache_bytes"].as_u64() == Some(blobs()));
}

#[test]
fn a_server_killed_while_it_decodes_leaves_nothing_wrong_and_nothing_behind() {
    let made = many_courses();
    let (folder, id) = courses_of(&made)[0].clone();
    let file = |date: &str| format!("courses/{folder}/events/{date}.log");
    let (done, cut) = (DAYS[1], DAYS[2]);
    let [truth_of_done, truth_of_cut] = [done, cut].map(|date| Truth::of(&made, date).course(&id));
    let bucket = Bucket::<Server>::serve(&made);
    let mount = bucket.mount(&["--index", "off"]);
    assert!(mount.read(&file(done)).expect("the file is read") == truth_of_done);
    let object = fs::metadata(made.data.join("edx-course-data").join(day_key(cut))).expect("the object is there");
    bucket.answer(&[day_key(cut)], Reply::StallAfter(object.len() * 3 / 4));
    let reader = thread::spawn({
        let path = mount.path(&file(cut));
        move || fs::read(path)
    });
    let scratch = cache_of(&mount).join("tmp");
    wait_for("a file half written", || {
        files_below(&scratch).iter().any(|path| path.metadata().is_ok_and(|m| m.len() > 0))
    });
    let remains = Remains::of(mount);
    assert!(reader.join().expect("no panic").is_err(), "half a day was served");
    assert!(!files_below(&remains.cache().join("tmp")).is_empty());
    assert!(fs::read_dir(&remains.point).is_err(), "the dead mount is still there");

    bucket.answer(&[], Reply::Pass);
    bucket.fetches();
    let mount = wait_for_its_answer(bucket.mount_in(remains.take(), &["--index", "off"]));
    assert_swept(&mount);
    let stat = fs::metadata(mount.path(&file(done))).expect("it is listed");
    assert_eq!((stat.len(), stat.blocks() > 0), (truth_of_done.len() as u64, true), "its size is still known");
    assert_eq!(fs::metadata(mount.path(&file(cut))).expect("it is listed").blocks(), 0, "nothing of it was known");
    assert!(mount.read(&file(done)).expect("the file is read") == truth_of_done);
    assert_eq!(bucket.fetches(), Vec::<String>::new());
    assert!(mount.read(&file(cut)).expect("the file is read") == truth_of_cut);
    assert_eq!(bucket.fetches(), [day_key(cut)]);
    assert_swept(&mount);
}

/// SplitMix64: the moments are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// Path → content of event files of every day, some plain tables, and forums.
fn everything(made: &Made) -> BTreeMap<String, Vec<u8>> {
    let courses = courses_of(made);
    let mut files = BTreeMap::new();
    for date in DAYS {
        let truth = Truth::of(made, date);
        for (folder, id) in &courses {
            files.insert(format!("courses/{folder}/events/{date}.log"), truth.course(id));
        }
    }
    let plain = made.plain.as_ref().expect("the package keeps its plain texts");
    let package = plain.join("course-data/unix-2015-03-08/unix-2015-03-08");
    for (folder, _) in &courses[..3] {
        let read = |name: String| fs::read(package.join(name)).expect("the plain entry is there");
        for table in ["auth_user", "student_courseenrollment"] {
            let content = read(format!("{folder}-{table}-prod-analytics.sql"));
            files.insert(format!("courses/{folder}/tables/{table}.tsv"), content);
        }
        files.insert(format!("courses/{folder}/forum.mongo"), read(format!("{folder}-prod.mongo")));
    }
    files
}

/// Reads files at random until told to stop; what is read must be right, and may fail only once the server is killed.
fn read_at_random(
    mount: &Path,
    files: &[(&String, &Vec<u8>)],
    mut random: Random,
    killed: &AtomicBool,
    reads: &AtomicUsize,
) {
    while !killed.load(Ordering::SeqCst) {
        let (path, content) = files[random.below(files.len() as u64) as usize];
        match fs::read(mount.join(path)) {
            Ok(read) => {
                assert!(read == *content, "{path}: {} bytes instead of {}", read.len(), content.len());
                reads.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => assert!(killed.load(Ordering::SeqCst), "{path}: {error}"),
        }
    }
}

#[test]
fn whatever_moment_the_server_is_killed_at_everything_read_afterwards_is_right() {
    const KILLS: u64 = 20;
    let made = many_courses();
    let truth = everything(&made);
    let files: Vec<_> = truth.iter().collect();
    // Small enough that files are evicted and made again all the time.
    let options = [&folder_options(&made)[..], &["--cache-size".to_owned(), "3MiB".to_owned()]].concat();
    let mut mount = Mount::start(&options);
    let (mut random, reads) = (Random(7), AtomicUsize::new(0));
    for kill in 0..KILLS {
        let killed = AtomicBool::new(false);
        mount = thread::scope(|scope| {
            for reader in 0..4 {
                let (point, files, killed, reads) = (mount.point.clone(), &files, &killed, &reads);
                scope.spawn(move || read_at_random(&point, files, Random(kill * 4 + reader), killed, reads));
            }
            thread::sleep(Duration::from_millis(random.below(600)));
            killed.store(true, Ordering::SeqCst);
            wait_for_its_answer(Mount::start_in(Remains::of(mount).take(), &options, &[]))
        });
        let (path, content) = files[random.below(files.len() as u64) as usize];
        assert!(mount.read(path).unwrap_or_else(|error| panic!("{path}: {error}")) == *content, "{path}");
    }
    assert!(reads.load(Ordering::SeqCst) > 40, "{reads:?} files were read in all");
    for (path, content) in &files {
        assert!(mount.read(path).unwrap_or_else(|error| panic!("{path}: {error}")) == **content, "{path}");
    }
    let scratch = mount.stop();
    let idle = [&options[..], &["--index".to_owned(), "off".to_owned()]].concat();
    let mount = Mount::start_in(scratch, &idle, &[]);
    assert_swept(&mount);
}
