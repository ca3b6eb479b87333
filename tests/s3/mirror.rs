//! `edxfs sync`: what it fetches, and what it leaves in the folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use edxfs::demo::bucket::{Operation, Request, Server};
use edxfs::source::Source;
use edxfs::source::folder::FolderSource;

use crate::common::{EDXFS, Mount, folder_options, key_options, run};
use crate::injury::noise;
use crate::reading::{Expect, assert_joined, assert_tree, problems, quiet, read_tree, undamaged};
use crate::refusal::bounded;
use crate::servers::{S3Server, on_every_server};
use crate::site::{Disk, ENVIRONMENT, EVENTS, SNAPSHOTS, Site, day_key};

const DAY: &str = "2015-03-04";
const ZIP: &str = "unix-2015-03-15.zip";

on_every_server!(
    the_first_sync_fetches_each_object_once_the_second_nothing_and_the_mount_is_the_same,
    a_changed_object_is_fetched_alone_and_the_old_one_is_kept,
    nothing_is_deleted_when_an_object_is_and_nothing_of_it_is_forgotten,
    folders_and_files_may_be_links_to_another_disk,
    several_organisations_share_a_mirror,
);

/// A site and the folder that it is synced into.
pub struct Synced<S = Server> {
    pub site: Site<S>,
    scratch: tempfile::TempDir,
}

impl Synced {
    pub fn new() -> Synced {
        Synced { site: Site::new(), scratch: tempfile::tempdir().unwrap() }
    }
}

impl<S: S3Server> Synced<S> {
    pub fn start() -> Synced<S> {
        Synced { site: Site::start(), scratch: tempfile::tempdir().unwrap() }
    }

    pub fn dir(&self) -> PathBuf {
        self.scratch.path().join("mirror")
    }

    /// The command, without a key, and with a source that is patient.
    pub fn command(&self, more: &[&str]) -> Command {
        // Somebody who runs the tests in the background may have had SIGINT ignored for all its children.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT", EDXFS, "sync", "--org", "unix"]).args(self.site.server_options());
        command.args(more).arg(self.dir()).envs(ENVIRONMENT);
        command
    }

    /// Exit code and standard error.
    pub fn sync(&self, more: &[&str]) -> (Option<i32>, String) {
        let output = bounded(&mut self.command(more));
        assert!(output.stdout.is_empty(), "{output:?}");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    /// Syncs, fails the test if that fails, and gives the requests for bodies.
    pub fn fetched(&self, more: &[&str]) -> Vec<Request> {
        self.site.server.take_log();
        assert_eq!(self.sync(more), (Some(0), String::new()));
        self.gets()
    }

    pub fn gets(&self) -> Vec<Request> {
        let log = self.site.server.take_log().into_iter();
        log.filter(|request| request.operation == Operation::Get).collect()
    }

    pub fn file(&self, key: &str) -> PathBuf {
        self.dir().join(key)
    }
}

/// Where the organisation's objects are in the mirror, and their files in the package.
pub fn expected<S>(site: &Site<S>) -> BTreeMap<String, PathBuf> {
    let ours =
        |key: &str| key.starts_with("edx-course-data/unix/") || key.contains("unix-20") || key.contains("-unix-");
    let keys = files_below(&site.made.data).into_iter().filter(|key| ours(key));
    keys.map(|key| (placed(&key), site.made.data.join(&key))).collect()
}

/// The organisation's level is gone where event logs are.
fn placed(key: &str) -> String {
    match key.contains("/events/") {
        true => key.replacen("edx-course-data/unix/", "edx-course-data/", 1),
        false => key.to_owned(),
    }
}

/// Paths of all files below a folder, hidden ones included.
pub fn files_below(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()),
            }
        }
    }
    files.sort();
    files
}

/// Fails unless the folder holds every object and nothing else but the sync's own two files.
pub fn assert_complete(dir: &Path, expected: &BTreeMap<String, PathBuf>) {
    let own = [".edxfs-sync.lock", ".edxfs-sync.tsv"].map(str::to_owned);
    let names: Vec<_> = own.into_iter().chain(expected.keys().cloned()).collect();
    assert_eq!(files_below(dir), names);
    for (key, original) in expected {
        assert!(fs::read(dir.join(key)).unwrap() == fs::read(original).unwrap(), "{key} differs");
    }
}

fn the_first_sync_fetches_each_object_once_the_second_nothing_and_the_mount_is_the_same<S: S3Server>() {
    let synced = Synced::<S>::start();
    synced.site.server.restrict(EVENTS, "unix");
    synced.site.server.small_pages();
    let expected = expected(&synced.site);
    let mut gets = synced.fetched(&[]);
    gets.sort_by(|a, b| a.key.cmp(&b.key));
    let full: Vec<_> = expected.values().filter(|path| path.metadata().unwrap().len() > 0).collect();
    assert!(full.len() > 30, "{full:?}");
    assert_eq!(gets.len(), full.len(), "each object with content once: {gets:#?}");
    gets.dedup_by(|a, b| a.key == b.key);
    assert_eq!(gets.len(), full.len());
    assert!(gets.iter().all(|get| get.if_match.is_some() && get.range.as_ref().unwrap().starts_with("bytes=0-")));
    assert_complete(&synced.dir(), &expected);
    for key in expected.keys() {
        assert_eq!(synced.file(key).metadata().unwrap().mode() & 0o777, 0o600, "{key}");
        assert_eq!(synced.file(key).parent().unwrap().metadata().unwrap().mode() & 0o777, 0o700, "{key}");
    }
    let record = fs::read_to_string(synced.file(".edxfs-sync.tsv")).unwrap();
    assert!(record.starts_with("key\tetag\tbytes\tmodified\n"), "{record}");
    assert_eq!(
        record.lines().skip(1).map(|line| line.split('\t').next().unwrap()).collect::<Vec<_>>().len(),
        expected.len()
    );
    assert!(synced.fetched(&[]).is_empty(), "nothing is fetched twice");
    assert_eq!(fs::read_to_string(synced.file(".edxfs-sync.tsv")).unwrap(), record);

    fs::write(synced.file("course-data/.unix-2015-03-08.zip.0123456789abcdef.part"), "half").unwrap();
    let folder = ["--folder".to_owned(), synced.dir().display().to_string()];
    let mount = Mount::start(&quiet([key_options(&synced.site.made), folder.to_vec()].concat()));
    let tree = read_tree(&mount, "");
    assert_tree(&tree, "", |_| Expect::Right);
    assert_joined(undamaged(), &tree, |_| Expect::Right);
    let strange = problems(&mount).into_iter().find(|problem| problem.object.contains("/."));
    assert!(strange.is_none(), "{strange:?}");
    let original = Mount::start(&quiet(folder_options(&synced.site.made)));
    let ignored = |mount: &Mount| mount.status()["ignored_keys"].as_u64().unwrap();
    // The package's folder has another organisation's zip besides.
    assert_eq!(ignored(&mount) + 1, ignored(&original));
}

fn a_changed_object_is_fetched_alone_and_the_old_one_is_kept<S: S3Server>() {
    let synced = Synced::<S>::start();
    synced.fetched(&[]);
    let key = placed(&format!("{EVENTS}/{}", day_key(DAY)));
    let old = fs::read(synced.file(&key)).unwrap();
    let backups = tempfile::tempdir().unwrap();
    let other_disk = Disk::of("4m");
    let mut kept = old;
    for (round, backups) in [backups.path(), other_disk.path(), backups.path()].into_iter().enumerate() {
        // Of the same length and time, so that the ETag alone tells.
        let new: Vec<u8> = kept.iter().map(|byte| byte.wrapping_add(1)).collect();
        synced.site.put_day(DAY, &new);
        let gets = synced.fetched(&["--backup", backups.to_str().unwrap()]);
        assert_eq!(gets.iter().map(|get| &get.key).collect::<Vec<_>>(), [&day_key(DAY)]);
        assert!(fs::read(synced.file(&key)).unwrap() == new);
        let name = if round == 2 { format!("{key}.2") } else { key.clone() };
        assert!(fs::read(today(backups).join(name)).unwrap() == kept);
        assert_eq!(files_below(backups).len(), 1 + round / 2);
        kept = new;
    }
    assert!(synced.fetched(&["--backup", backups.path().to_str().unwrap()]).is_empty());
}

/// The folder of the one day on which all this happened; at midnight the later one.
fn today(backups: &Path) -> PathBuf {
    fs::read_dir(backups).unwrap().map(|day| day.unwrap().path()).max().unwrap()
}

fn nothing_is_deleted_when_an_object_is_and_nothing_of_it_is_forgotten<S: S3Server>() {
    let synced = Synced::<S>::start();
    let expected = expected(&synced.site);
    let object = fs::read(synced.site.made.data.join(SNAPSHOTS).join(ZIP)).unwrap();
    synced.site.server.put(SNAPSHOTS, ZIP, &object);
    synced.fetched(&[]);
    synced.site.server.delete(SNAPSHOTS, ZIP);
    synced.site.server.delete(EVENTS, &day_key(DAY));
    assert!(synced.fetched(&[]).is_empty());
    assert_complete(&synced.dir(), &expected);
    synced.site.server.put(SNAPSHOTS, ZIP, &object);
    assert!(synced.fetched(&[]).is_empty(), "it came back as it was");
}

/// Its time tells, unless it was changed in the very second of the upload: not on a server that knows no earlier time.
#[test]
fn a_file_that_somebody_changed_is_fetched_anew_and_theirs_is_kept() {
    let synced = Synced::new();
    synced.fetched(&[]);
    let expected = expected(&synced.site);
    let zip = synced.file(&format!("course-data/{ZIP}"));
    let day = synced.file(&placed(&format!("{EVENTS}/{}", day_key(DAY))));
    let same_length = vec![b'x'; fs::metadata(&zip).unwrap().len() as usize];
    fs::write(&zip, &same_length).unwrap();
    fs::write(&day, "mine").unwrap();
    let backups = tempfile::tempdir().unwrap();
    let gets = synced.fetched(&["--backup", backups.path().to_str().unwrap()]);
    assert_eq!(gets.len(), 2, "{gets:#?}");
    assert_complete(&synced.dir(), &expected);
    assert!(fs::read(today(backups.path()).join("course-data").join(ZIP)).unwrap() == same_length);
    fs::remove_file(&day).unwrap();
    assert_eq!(synced.fetched(&[]).len(), 1, "without --backup too");
    assert_complete(&synced.dir(), &expected);
}

#[test]
fn a_copy_has_the_time_of_its_object() {
    let synced = Synced::new();
    synced.fetched(&[]);
    for (key, original) in expected(&synced.site) {
        assert_eq!(synced.file(&key).metadata().unwrap().mtime(), original.metadata().unwrap().mtime(), "{key}");
    }
}

/// What the toolkit's script left, years of it: no record, whole seconds, modes of the time.
#[test]
fn a_mirror_made_by_aws_s3_sync_is_taken_over_as_it_is() {
    let synced = Synced::new();
    let expected = expected(&synced.site);
    for (key, original) in &expected {
        let path = synced.file(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        run(Command::new("cp").arg("-p").arg(original).arg(&path));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    fs::write(synced.file("course-data/other.txt"), "the user's own").unwrap();
    let stale = synced.file(&format!("course-data/{ZIP}"));
    fs::write(&stale, "cut").unwrap();
    let gets = synced.fetched(&[]);
    assert_eq!(gets.iter().map(|get| get.key.as_str()).collect::<Vec<_>>(), [ZIP]);
    assert_eq!(fs::read(synced.file("course-data/other.txt")).unwrap(), b"the user's own");
    fs::remove_file(synced.file("course-data/other.txt")).unwrap();
    assert_complete(&synced.dir(), &expected);
}

fn folders_and_files_may_be_links_to_another_disk<S: S3Server>() {
    let synced = Synced::<S>::start();
    let expected = expected(&synced.site);
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir(synced.dir()).unwrap();
    symlink(elsewhere.path(), synced.file("course-data")).unwrap();
    synced.fetched(&[]);
    assert!(elsewhere.path().join(ZIP).is_file());
    let moved = elsewhere.path().join("moved.zip");
    fs::rename(elsewhere.path().join(ZIP), &moved).unwrap();
    symlink(&moved, elsewhere.path().join(ZIP)).unwrap();
    assert!(synced.fetched(&[]).is_empty());
    for (key, original) in &expected {
        assert!(fs::read(synced.file(key)).unwrap() == fs::read(original).unwrap(), "{key} differs");
    }
    let listed: Vec<_> = FolderSource::new(&synced.dir()).unwrap().list().unwrap();
    let listed: BTreeSet<_> = listed.iter().map(|object| object.id.key.as_str()).collect();
    let missing: Vec<_> = expected.keys().filter(|key| !listed.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "--folder does not show {missing:?}");
}

fn several_organisations_share_a_mirror<S: S3Server>() {
    let synced = Synced::<S>::start();
    let (key, log) = ("two/edx/events/2015/two-edx-events-2015-03-04.log.gz.gpg", noise(9000));
    synced.site.server.put(EVENTS, key, &log);
    synced.site.server.put(EVENTS, "two/rdx/REQ-7/OtherX_DemoX_R1.tar.gz.gpg", b"two's");
    synced.fetched(&["--org", "two"]);
    assert_eq!(
        fs::read(synced.file("edx-course-data/edx/events/2015/two-edx-events-2015-03-04.log.gz.gpg")).unwrap(),
        log
    );
    let rdx = |org: &str| fs::read(synced.file(&format!("edx-course-data/{org}/rdx/REQ-7/OtherX_DemoX_R1.tar.gz.gpg")));
    assert_eq!(rdx("two").unwrap(), b"two's");
    assert_ne!(rdx("unix").unwrap(), b"two's");
}

#[test]
fn a_folder_is_a_source_too_but_not_of_itself() {
    let synced = Synced::new();
    let expected = expected(&synced.site);
    let of_folder = |dir: &Path, more: &[&str]| {
        let mut command = Command::new(EDXFS);
        let source = synced.site.made.data.display().to_string();
        command.args(["sync", "--org", "unix", "--folder", &source]).args(more).arg(dir);
        let output = bounded(&mut command);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let inside = synced.site.made.data.join("copy/of");
    let (code, message) = of_folder(&inside, &[]);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("lies in the source") && !inside.exists(), "{message}");
    let (source, linked) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(linked.path(), source.path().join("mirror")).unwrap();
    let mut command = Command::new(EDXFS);
    command.args(["sync", "--org", "unix", "--folder"]).arg(source.path()).arg(linked.path());
    let output = bounded(&mut command);
    assert!(output.status.code() == Some(2) && files_below(linked.path()).is_empty(), "{output:?}");
    assert_eq!(of_folder(&synced.dir(), &[]), (Some(0), String::new()));
    let copies = files_below(&synced.dir()).into_iter().filter(|key| !key.starts_with('.'));
    // What means nothing, like notes, is not taken from a folder, which may hold anything.
    let wanted = expected.values().map(|path| path.strip_prefix(&synced.site.made.data).unwrap().to_str().unwrap());
    let mut wanted: Vec<_> = wanted.filter(|key| !key.ends_with("notes.txt")).map(str::to_owned).collect();
    wanted.sort();
    assert_eq!(copies.collect::<Vec<_>>(), wanted);
    let backups = synced.dir().join("old");
    let (code, message) = of_folder(&synced.dir(), &["--backup", backups.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("--backup") && !backups.exists(), "{message}");
}
