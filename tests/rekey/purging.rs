//! `edxfs purge`: in which order, of what, and of what not.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::common::{EDXFS, wait_for};
use crate::refusal::bounded;
use crate::site::{NO_CONFIGURATION, OWNER, Site, copy, text, tree};

fn purge(place: &[&str]) -> Output {
    bounded(Command::new(EDXFS).arg("purge").args(NO_CONFIGURATION).args(place))
}

fn purge_folder(folder: &Path) -> Output {
    purge(&["--cache-dir", &folder.display().to_string()])
}

/// Exit code 0 and nothing to say.
fn assert_silent(output: &Output) {
    assert_eq!((output.status.code(), text(&output.stdout), text(&output.stderr)), (Some(0), "".into(), "".into()));
}

fn assert_refused(output: &Output, code: i32, says: &str) {
    let message = text(&output.stderr);
    assert!(message.contains(says), "{message}");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), "".into()), "{message}");
}

fn private(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn nothing_of_a_cache_is_left_and_its_key_is_overwritten_first() {
    let site = Site::cached();
    let cache = site.cache();
    // As a crash leaves it.
    for (name, content) in
        [("tmp/0123456789abcdef-3", "sealed"), ("key.part", "half a key"), ("ledger.sqlite-wal", "x")]
    {
        fs::write(cache.join(name), content).unwrap();
    }
    drop(std::os::unix::net::UnixListener::bind(cache.join("control.sock")).unwrap());
    // The files themselves, whatever their names come to.
    let seen = ["key.gpg", "key.part"].map(|name| (name, site.scratch.path().join(name)));
    for (name, link) in &seen {
        fs::hard_link(cache.join(name), link).unwrap();
    }
    assert_silent(&purge(&["--org", "unix", "--cache-dir", &cache.display().to_string()]));
    assert!(!cache.exists());
    for (_, link) in seen {
        let bytes = fs::read(link).unwrap();
        assert!(!bytes.is_empty() && bytes.iter().all(|byte| *byte == 0));
    }
    let again = purge_folder(&cache);
    assert!(again.status.success() && text(&again.stderr).ends_with("cache: there is no cache\n"));
    assert!(!cache.exists(), "it made one");
    // The next mount begins anew, with another key.
    site.assert_reads(OWNER);
}

#[test]
fn a_cache_without_a_key_is_removed_too() {
    let site = Site::cached();
    let plain = site.made.plain.as_ref().unwrap().display().to_string();
    let scratch = tempfile::tempdir().unwrap();
    let cache = scratch.path().join("cache");
    let at = cache.display().to_string();
    let list = bounded(Command::new(EDXFS).args(["ls", "--org", "unix", "--folder", &plain, "--cache-dir", &at]));
    assert!(list.status.success(), "{}", text(&list.stderr));
    assert!(cache.join("unkeyed/ledger.sqlite").exists(), "{:?}", tree(&cache));
    assert_silent(&purge_folder(&cache));
    assert!(!cache.exists());
}

#[test]
fn what_is_not_ours_stays() {
    let site = Site::cached();
    let cache = site.cache();
    let foreign =
        ["notes.txt", "tmp/notes.txt", "blobs-v1/notes.txt", "blobs-v1/zz/notes.txt", "unkeyed/notes.txt", "blobs/x"];
    for name in foreign {
        fs::create_dir_all(cache.join(name).parent().unwrap()).unwrap();
        fs::write(cache.join(name), "mine").unwrap();
    }
    let elsewhere = site.scratch.path().join("elsewhere");
    copy(&cache.join("blobs-v1"), &elsewhere);
    let linked = tree(&elsewhere);
    symlink(&elsewhere, cache.join("blobs-v2")).unwrap();
    let output = purge_folder(&cache);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{message}");
    assert!(message.ends_with("what is not edxfs's stays: blobs blobs-v1 blobs-v2 notes.txt tmp …\n"), "{message}");
    let folders = ["blobs", "blobs-v1", "blobs-v1/zz", "blobs-v2", "tmp", "unkeyed"];
    let mut left: Vec<&str> = foreign.iter().chain(&folders).copied().collect();
    left.sort_unstable();
    assert_eq!(tree(&cache), left);
    assert_eq!(tree(&elsewhere), linked);
    assert_refused(&purge_folder(&cache), 2, "this is no cache folder of edxfs, so nothing was removed");
    assert_eq!(tree(&cache), left);
}

#[test]
fn the_key_is_gone_though_the_rest_cannot_be_removed_and_the_next_purge_goes_on() {
    let site = Site::cached();
    let cache = site.cache();
    let ledger = cache.join("ledger.sqlite");
    fs::remove_file(&ledger).unwrap();
    fs::create_dir(&ledger).unwrap();
    let output = purge_folder(&cache);
    assert_refused(&output, 1, "the key is destroyed, so nothing here can be read any more");
    assert!(text(&output.stderr).contains("/cache/ledger.sqlite: "), "{}", text(&output.stderr));
    assert_eq!(tree(&cache), ["ledger.sqlite", "lock"]);
    fs::remove_dir(&ledger).unwrap();
    assert_silent(&purge_folder(&cache));
    assert!(!cache.exists());
}

#[test]
fn without_the_keys_end_nothing_else_ends() {
    let site = Site::cached();
    let cache = site.cache();
    fs::rename(site.key_file(), site.scratch.path().join("moved.gpg")).unwrap();
    symlink(site.scratch.path().join("moved.gpg"), site.key_file()).unwrap();
    let before = tree(&cache);
    assert_refused(&purge_folder(&cache), 1, "key.gpg: the key cannot be destroyed, and nothing else was removed");
    assert_eq!(tree(&cache), before);
    site.assert_reads(OWNER);
}

#[test]
fn a_purge_killed_halfway_is_finished_by_the_next() {
    let site = Site::cached();
    let whole = site.scratch.path().join("whole");
    copy(&site.cache(), &whole);
    for round in 0..5 {
        let cache = site.scratch.path().join(format!("cache{round}"));
        copy(&whole, &cache);
        let mut purge = Command::new(EDXFS);
        let purge = purge.args(["purge", "--cache-dir"]).arg(&cache).args(NO_CONFIGURATION).stderr(Stdio::null());
        let mut child = purge.spawn().expect("it is built");
        wait_for("the key's end", || !cache.join("key.gpg").exists());
        child.kill().and_then(|()| child.wait()).expect("it is ours");
        let again = purge_folder(&cache);
        assert!(again.status.success(), "{}", text(&again.stderr));
        assert!(!cache.exists());
    }
    // States that a kill may leave, the last of them with nothing but the lock, or not even that.
    for gone in
        [&["ledger.sqlite"][..], &["ledger.sqlite", "blobs-v1"], &["ledger.sqlite", "blobs-v1", "lasting-v1", "tmp"]]
    {
        let cache = site.scratch.path().join("halfway");
        copy(&whole, &cache);
        fs::remove_file(cache.join("key.gpg")).unwrap();
        for name in gone {
            let path = cache.join(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        assert_silent(&purge_folder(&cache));
        assert!(!cache.exists());
    }
    let emptied = site.scratch.path().join("emptied");
    private(&emptied);
    assert_silent(&purge_folder(&emptied));
    assert!(!emptied.exists());
}

#[test]
fn an_empty_folder_that_others_can_get_into_was_no_cache_and_stays() {
    let scratch = tempfile::tempdir().unwrap();
    let open = scratch.path().join("open");
    private(&open);
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    let output = purge_folder(&open);
    assert!(output.status.success() && text(&output.stderr).ends_with("open: there is no cache\n"));
    assert!(open.exists());
}

#[test]
fn under_a_mount_it_is_refused() {
    let mut site = Site::cached();
    let mount = site.mount(OWNER);
    let cache = mount.scratch.path().join("cache");
    let before = tree(&cache);
    let output = purge_folder(&cache);
    assert_refused(&output, 2, &format!("in use by process {}", mount.server.id()));
    assert!(text(&output.stderr).contains("edxfs unmount"));
    assert_eq!(tree(&cache), before);
    site.unmount(mount);
    site.assert_reads(OWNER);
}

#[test]
fn folders_of_somebody_elses_are_refused_whole() {
    let site = Site::cached();
    let secret = fs::read(&site.made.secret_key).unwrap();
    let at = |name: &str| site.scratch.path().join(name);
    private(&at("keys"));
    fs::write(at("keys/key.gpg"), &secret).unwrap();
    private(&at("tried"));
    fs::write(at("tried/key.gpg"), &secret).unwrap();
    fs::write(at("tried/lock"), "4242\n").unwrap();
    private(&at("locked"));
    fs::write(at("locked/lock"), "a lock of another program\n").unwrap();
    fs::write(at("locked/ledger.sqlite"), "its own").unwrap();
    fs::create_dir(at("open")).unwrap();
    copy(&site.cache(), &at("open/cache"));
    fs::set_permissions(at("open/cache"), fs::Permissions::from_mode(0o755)).unwrap();
    for (folder, says) in [
        ("keys", "this is no cache folder of edxfs"),
        ("tried", "holds a key.gpg and nothing cached"),
        ("locked", "this is no cache folder of edxfs"),
        ("open/cache", "chmod 700"),
        ("keys/key.gpg", "this is no folder"),
    ] {
        let before = tree(site.scratch.path());
        assert_refused(&purge_folder(&at(folder)), 2, says);
        assert_eq!(tree(site.scratch.path()), before, "{folder}");
    }
    assert!(fs::read(at("keys/key.gpg")).unwrap() == secret && fs::read(at("tried/key.gpg")).unwrap() == secret);
    assert_refused(&purge(&[]), 2, "name its organisation with --org, or give --cache-dir");
}

#[test]
fn each_organisations_folder_is_purged_though_one_cannot_be() {
    let site = Site::cached();
    let above = site.scratch.path().join("caches");
    fs::create_dir(&above).unwrap();
    for org in ["unix", "other", "third"] {
        copy(&site.cache(), &above.join(org));
    }
    let lock = File::create(above.join("other/lock")).unwrap();
    lock.lock().unwrap();
    let at = above.display().to_string();
    let place = ["--org", "unix", "--org", "other", "--org", "third", "--cache-dir", &at];
    assert_refused(&purge(&place), 2, "/caches/other: the cache folder is in use by another process");
    let mut left = fs::read_dir(&above).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!((left.next(), left.next()), (Some("other".into()), None));
    drop(lock);
    let output = purge(&place);
    assert!(output.status.success() && text(&output.stderr).matches("there is no cache").count() == 2);
    assert_eq!(tree(&above), Vec::<String>::new());
}
