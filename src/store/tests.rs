//! The store as its users see it: what goes in comes out, within the limit, and damage is never served.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use tempfile::TempDir;

use crate::error::{ErrorKind, Result};
use crate::store::blob::{Blob, Digest, Draft, Keep};
use crate::store::seal::DataKey;
use crate::store::{Shelving, Store};

const PLENTY: u64 = 1 << 30;
const CHUNK: usize = 256 * 1024;

fn key() -> DataKey {
    DataKey::from_bytes([1; 32])
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Opened and scanned.
fn open(folder: &Path, limit: u64) -> Store {
    let store = Store::open(folder, &key(), limit).unwrap();
    store.0.wait_scanned();
    store
}

/// Bytes that do not compress, different for each seed.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut content = vec![0; bytes];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut content);
    content
}

fn log_lines(bytes: usize) -> Vec<u8> {
    let lines = (0..).flat_map(|n| format!("{{\"event\": {n}, \"name\": \"MARKER-OF-A-LEARNER\"}}\n").into_bytes());
    lines.take(bytes).collect()
}

fn draft(store: &Store, content: &[u8], keep: Keep) -> Result<Draft> {
    let mut writer = store.writer(keep, Shelving::Ordinary)?;
    for piece in content.chunks(100_000) {
        writer.append(piece)?;
    }
    writer.finish()
}

fn put(store: &Store, content: &[u8]) -> (Digest, Blob) {
    let draft = draft(store, content, Keep::Always).unwrap();
    assert_eq!(draft.bytes(), content.len() as u64);
    (draft.digest(), draft.publish().unwrap().unwrap())
}

fn read_all(blob: &Blob) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    blob.reader().read_to_end(&mut content)?;
    Ok(content)
}

/// Every file below the folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn disk_bytes(folder: &Path) -> u64 {
    files(folder).iter().map(|path| fs::metadata(path).unwrap().len().div_ceil(4096) * 4096).sum()
}

#[test]
fn contents_of_every_length_come_back() {
    let folder = folder();
    let store = open(folder.path(), PLENTY);
    for bytes in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 77] {
        for content in [noise(bytes, 1), log_lines(bytes)] {
            let (digest, blob) = put(&store, &content);
            assert_eq!(blob.len(), bytes as u64);
            assert!(read_all(&blob).unwrap() == content && read_all(&store.get(&digest).unwrap()).unwrap() == content);
            assert!(store.contains(&digest));
        }
    }
    let store = open(folder.path(), PLENTY);
    let (digest, _) = put(&store, &log_lines(5 * CHUNK + 77));
    assert_eq!(store.used_bytes(), disk_bytes(folder.path()));
    assert!(read_all(&store.get(&digest).unwrap()).unwrap() == log_lines(5 * CHUNK + 77));
}

#[test]
fn a_front_that_comes_last_makes_the_same_content() {
    let folder = folder();
    let store = open(folder.path(), PLENTY);
    let writer = |front: u64| {
        let mut writer = store.writer(Keep::Always, Shelving::Ordinary).unwrap();
        (writer.leave_front(front).unwrap() as usize, writer)
    };
    for bytes in [0, 1, 4096, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK, 5 * CHUNK + 77] {
        let content = log_lines(bytes);
        let digest = draft(&store, &content, Keep::Always).unwrap().digest();
        for asked in [0, 1, CHUNK as u64, CHUNK as u64 + 1] {
            let (front, mut writer) = writer(asked);
            assert_eq!(front, (asked as usize).next_multiple_of(CHUNK));
            let (first, rest) = content.split_at(front.min(bytes));
            rest.chunks(100_000).for_each(|piece| writer.append(piece).unwrap());
            if front > 0 {
                writer.return_to_front().unwrap();
            }
            first.chunks(70_000).for_each(|piece| writer.append(piece).unwrap());
            let draft = writer.finish().unwrap();
            assert!((draft.digest(), draft.bytes()) == (digest, bytes as u64), "{bytes} bytes, {asked} in front");
            assert!(draft.publish().unwrap().is_none_or(|blob| read_all(&blob).unwrap() == content));
        }
    }
    let (front, mut late) = writer(1);
    late.append(b"behind").unwrap();
    assert!(late.leave_front(1).is_err(), "it is left once, and first");
    late.return_to_front().unwrap();
    assert!(late.append(&vec![0; front + 1]).is_err(), "longer than what was left");
    late.append(b"short").unwrap();
    assert!(late.finish().is_err(), "not filled");
    let (_, mut unfilled) = writer(1);
    unfilled.append(b"behind").unwrap();
    assert!(unfilled.finish().is_err(), "not returned to");
    assert!(store.writer(Keep::Always, Shelving::Ordinary).unwrap().return_to_front().is_err(), "not left");
}

#[test]
fn a_digest_depends_on_content_and_key_alone() {
    let (one, two) = (folder(), folder());
    let first = open(one.path(), PLENTY);
    let second = open(two.path(), 0);
    let content = noise(3 * CHUNK + 5, 9);
    assert_eq!(put(&first, &content).0, draft(&second, &content, Keep::IfRoom).unwrap().digest());
    assert_ne!(put(&first, &content[1..]).0, put(&first, &content).0);
    let foreign = Store::open(two.path(), &DataKey::from_bytes([2; 32]), PLENTY).unwrap();
    assert_ne!(put(&first, &content).0, put(&foreign, &content).0);
    assert!(foreign.get(&put(&first, &content).0).is_none());
}

#[test]
fn a_content_is_stored_once() {
    let folder = folder();
    let store = open(folder.path(), PLENTY);
    put(&store, &log_lines(1000));
    let used = store.used_bytes();
    put(&store, &log_lines(1000));
    assert_eq!((store.used_bytes(), files(folder.path()).len()), (used, 1));
}

#[test]
fn nothing_on_disk_is_readable_by_others_or_in_plain() {
    let folder = folder();
    let store = open(folder.path(), PLENTY);
    let mut writer = store.writer(Keep::Always, Shelving::Ordinary).unwrap();
    writer.append(&log_lines(4 * CHUNK)).unwrap();
    put(&store, &log_lines(CHUNK + 9));
    put(&store, b"MARKER-OF-A-LEARNER");
    writer.finish().unwrap().publish().unwrap();
    for path in files(folder.path()) {
        let bytes = fs::read(&path).unwrap();
        assert!(memchr::memmem::find(&bytes, b"LEARNER").is_none());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn what_is_dropped_unpublished_leaves_nothing() {
    let folder = folder();
    let store = open(folder.path(), PLENTY);
    let mut writer = store.writer(Keep::Always, Shelving::Ordinary).unwrap();
    writer.append(&noise(20 * CHUNK, 1)).unwrap();
    drop(writer);
    drop(draft(&store, &noise(3 * CHUNK, 2), Keep::Always).unwrap());
    assert_eq!((files(folder.path()), store.used_bytes()), (vec![], 0));
}

#[test]
fn the_least_recently_used_goes_first_and_the_limit_holds() {
    let folder = folder();
    let limit = 10 * 1024 * 1024;
    let store = open(folder.path(), limit);
    let size = 1000 * 1000;
    let mut digests = Vec::new();
    for seed in 0..30 {
        digests.push(put(&store, &noise(size, seed)).0);
        assert!(store.get(&digests[0]).is_some(), "content 0 is used all the time");
        assert!(store.used_bytes() <= limit && disk_bytes(folder.path()) <= limit);
    }
    let kept: Vec<_> = (0..30).filter(|n| store.contains(&digests[*n])).collect();
    assert_eq!(kept, [0, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
}

#[test]
fn open_handles_outlive_eviction_but_are_evicted_last() {
    let folder = folder();
    let store = open(folder.path(), 3 * 1024 * 1024);
    let content = noise(1000 * 1000, 0);
    let (digest, blob) = put(&store, &content);
    for seed in 1..9 {
        put(&store, &noise(1000 * 1000, seed));
    }
    assert!(store.contains(&digest), "an open blob gives its room only when nothing else does");
    put(&store, &noise(2_800_000, 99));
    assert!(!store.contains(&digest) && store.get(&digest).is_none());
    assert!(read_all(&blob).unwrap() == content);
}

#[test]
fn a_file_that_cannot_fit_is_refused_by_name() {
    let folder = folder();
    let store = open(folder.path(), 1024 * 1024);
    let error = draft(&store, &noise(3 * CHUNK * 4, 1), Keep::Always).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CacheFull);
    assert!(error.to_string().contains("--cache-size") && error.subject() == folder.path().to_str());
    assert_eq!((files(folder.path()), store.used_bytes()), (vec![], 0));
}

#[test]
fn a_content_kept_only_if_there_is_room_evicts_nothing() {
    let folder = folder();
    let store = open(folder.path(), 2 * 1024 * 1024);
    let (digest, _) = put(&store, &noise(1024 * 1024, 1));
    assert!(store.has_room(1_000_000) && !store.has_room(1_100_000));
    let large = draft(&store, &noise(3 * 1024 * 1024, 2), Keep::IfRoom).unwrap();
    assert_eq!(large.bytes(), 3 * 1024 * 1024);
    assert!(large.publish().unwrap().is_none() && store.contains(&digest));
    assert_eq!(files(folder.path()).len(), 1);
    assert!(draft(&store, &noise(1000, 3), Keep::IfRoom).unwrap().publish().unwrap().is_some());
}

#[test]
fn a_restart_knows_order_and_limit_and_sweeps_leftovers() {
    let folder = folder();
    let digests: Vec<_> = {
        let store = open(folder.path(), PLENTY);
        (0..6).map(|seed| put(&store, &noise(1000 * 1000, seed)).0).collect()
    };
    for (age, digest) in digests.iter().enumerate() {
        let name = digest.to_hex();
        let path = folder.path().join("blobs-v1").join(&name[..2]).join(name);
        let time = SystemTime::now() - Duration::from_secs(1000 * (age as u64 + 1));
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }
    fs::write(folder.path().join("tmp/0123456789abcdef-0"), b"left by a crash").unwrap();
    let store = open(folder.path(), 3 * 1024 * 1024);
    assert_eq!(
        digests.iter().filter(|digest| store.contains(digest)).collect::<Vec<_>>(),
        digests[..3].iter().collect::<Vec<_>>()
    );
    assert!(files(&folder.path().join("tmp")).is_empty());
    assert_eq!(disk_bytes(folder.path()), store.used_bytes());
    // The oldest of the three is used, so that after another restart it stays longest.
    store.get(&digests[2]).unwrap();
    drop(store);
    let store = open(folder.path(), 1024 * 1024);
    assert!(store.contains(&digests[2]) && !store.contains(&digests[0]));
}

/// The path of the only blob, and its bytes.
fn only_file(folder: &Path) -> (PathBuf, Vec<u8>) {
    let path = files(folder).pop().unwrap();
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

/// Puts `bytes` in the place of the blob's file; the content must not come out wrong, and the next use is a miss.
fn assert_noticed(folder: &Path, digest: &Digest, bytes: &[u8], what: &str) {
    let (path, good) = only_file(folder);
    fs::write(&path, bytes).unwrap();
    let store = open(folder, PLENTY);
    if let Some(blob) = store.get(digest) {
        assert_eq!(read_all(&blob).map(|_| ()).unwrap_err().kind(), ErrorKind::Corrupt, "{what}");
    }
    assert!(store.get(digest).is_none() && !store.contains(digest) && !path.exists(), "{what}");
    fs::write(&path, good).unwrap();
}

#[test]
fn every_damage_is_noticed_and_dropped() {
    let folder = folder();
    let mut content = log_lines(2 * CHUNK);
    content.extend(noise(300, 5));
    let digest = put(&open(folder.path(), PLENTY), &content).0;
    let (_, good) = only_file(folder.path());
    for at in (0..good.len()).filter(|at| at % 997 == 0 || *at < 50 || *at + 130 > good.len()) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        assert_noticed(folder.path(), &digest, &bad, &format!("flip at {at}"));
        assert_noticed(folder.path(), &digest, &good[..at], &format!("cut at {at}"));
    }
    assert_noticed(folder.path(), &digest, &[&good[..], b"x"].concat(), "one byte more");
    assert!(read_all(&open(folder.path(), PLENTY).get(&digest).unwrap()).unwrap() == content);
}

#[test]
fn chunks_and_files_cannot_change_places() {
    let (one, two) = (folder(), folder());
    let (first, second) = (noise(2 * CHUNK, 1), noise(2 * CHUNK, 2));
    let digest = put(&open(one.path(), PLENTY), &first).0;
    put(&open(two.path(), PLENTY), &second);
    let ((_, good), (_, other)) = (only_file(one.path()), only_file(two.path()));
    assert_eq!(good.len(), other.len());
    let sealed = CHUNK + 16;
    assert_noticed(one.path(), &digest, &other, "another blob's file");
    let mut bad = good.clone();
    bad[48..48 + sealed].copy_from_slice(&other[48..48 + sealed]);
    assert_noticed(one.path(), &digest, &bad, "another blob's chunk");
    let mut bad = good.clone();
    bad[48..48 + 2 * sealed].rotate_left(sealed);
    assert_noticed(one.path(), &digest, &bad, "two chunks exchanged");
}

#[test]
fn a_foreign_key_reads_nothing() {
    let folder = folder();
    let digest = put(&open(folder.path(), PLENTY), b"content").0;
    let store = Store::open(folder.path(), &DataKey::from_bytes([2; 32]), PLENTY).unwrap();
    assert!(store.get(&digest).is_none());
}

#[test]
fn many_writers_and_readers_at_once() {
    let folder = folder();
    let store = open(folder.path(), 4 * 1024 * 1024);
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let store = store.clone();
            scope.spawn(move || {
                for round in 0..12 {
                    let content = noise(100_000 + 40_000 * round, (round as u64 + thread) % 8);
                    let (digest, blob) = put(&store, &content);
                    assert!(read_all(&blob).unwrap() == content);
                    assert!(store.get(&digest).is_none_or(|blob| read_all(&blob).unwrap() == content));
                }
            });
        }
    });
    assert!(store.used_bytes() <= 4 * 1024 * 1024 && disk_bytes(folder.path()) <= store.used_bytes());
    assert!(files(&folder.path().join("tmp")).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_writes_read_back_at_odd_offsets(
        pieces in proptest::collection::vec((0usize..200_000, any::<bool>()), 0..12),
        reads in proptest::collection::vec((0u64..1_500_000, 0usize..600_000), 1..12),
    ) {
        let folder = folder();
        let store = open(folder.path(), PLENTY);
        let mut writer = store.writer(Keep::Always, Shelving::Ordinary).unwrap();
        let mut content = Vec::new();
        for (bytes, compressible) in pieces {
            let piece = if compressible { log_lines(bytes) } else { noise(bytes, bytes as u64) };
            writer.append(&piece).unwrap();
            content.extend(piece);
        }
        let blob = writer.finish().unwrap().publish().unwrap().unwrap();
        for (offset, bytes) in reads {
            let mut buffer = vec![0; bytes];
            let filled = blob.read_at(&mut buffer, offset).unwrap();
            let rest = content.get(offset as usize..).unwrap_or_default();
            prop_assert!(buffer[..filled] == rest[..rest.len().min(bytes)]);
        }
    }
}

#[test]
fn a_blob_is_open_as_long_as_somebody_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &DataKey::from_bytes([7; 32]), 1 << 20).unwrap();
    let (digest, blob) = put(&store, b"content");
    assert!(store.is_open(&digest));
    drop(blob);
    assert!(!store.is_open(&digest) && store.contains(&digest));
    let _again = store.get(&digest).unwrap();
    assert!(store.is_open(&digest));
}

fn put_lasting(store: &Store, content: &[u8]) -> Digest {
    let mut writer = store.writer(Keep::Always, Shelving::Lasting).unwrap();
    writer.append(content).unwrap();
    let draft = writer.finish().unwrap();
    let digest = draft.digest();
    assert!(read_all(&draft.publish().unwrap().unwrap()).unwrap() == content);
    digest
}

#[test]
fn lasting_contents_outlive_ordinary_ones_also_after_a_restart() {
    const MIB: usize = 1 << 20;
    let folder = folder();
    let limit = 12 * MIB as u64;
    let store = open(folder.path(), limit);
    let lasting = [1, 2].map(|seed| put_lasting(&store, &noise(MIB, seed)));
    let fill = |store: &Store, seeds: std::ops::Range<u64>| {
        for seed in seeds {
            put(store, &noise(MIB, seed));
            assert!(store.used_bytes() <= limit && disk_bytes(folder.path()) <= limit);
        }
    };
    fill(&store, 10..40);
    drop(store);
    let store = open(folder.path(), limit);
    assert_eq!(store.used_bytes(), disk_bytes(folder.path()));
    fill(&store, 40..70);
    assert!(lasting.iter().all(|digest| store.contains(digest) && store.get(digest).is_some()));
    let newer = [3, 4].map(|seed| put_lasting(&store, &noise(MIB, seed)));
    assert!(!store.contains(&lasting[0]) && !store.contains(&lasting[1]), "a quarter holds two");
    assert!(newer.iter().all(|digest| store.contains(digest)));
    let ordinary = files(&folder.path().join("blobs-v1")).len();
    assert_eq!((ordinary, files(&folder.path().join("lasting-v1")).len()), (9, 2));
}

#[test]
fn folders_of_blobs_that_have_gone_are_made_again_but_not_a_cache_that_was_removed() {
    let cache = folder();
    let folder = cache.path().join("cache");
    let store = open(&folder, PLENTY);
    let drafts = [1, 2].map(|seed| draft(&store, &noise(1000, seed), Keep::Always).unwrap());
    let [one, other] = drafts;
    fs::remove_dir_all(folder.join("blobs-v1")).unwrap();
    assert!(one.publish().unwrap().is_some());
    fs::remove_dir_all(&folder).unwrap();
    assert!(other.publish().is_err());
    assert!(!folder.exists());
}

#[test]
fn a_content_is_found_and_dropped_in_either_folder() {
    let folder = folder();
    let digest = put_lasting(&open(folder.path(), PLENTY), &log_lines(3000));
    let store = open(folder.path(), PLENTY);
    assert!(store.get(&digest).is_some());
    let used = store.used_bytes();
    assert_eq!((put(&store, &log_lines(3000)).0, store.used_bytes()), (digest, used));
    drop(store);
    assert_noticed(folder.path(), &digest, b"damaged", "a lasting blob");
}

#[test]
fn a_lasting_content_kept_only_if_there_is_room_needs_room_in_the_quarter() {
    let folder = folder();
    let store = open(folder.path(), 4 << 20);
    let publish = |content: &[u8], shelving| {
        let mut writer = store.writer(Keep::IfRoom, shelving).unwrap();
        writer.append(content).unwrap();
        writer.finish().unwrap().publish().unwrap().is_some()
    };
    assert!(!publish(&noise(2 << 20, 1), Shelving::Lasting));
    assert!(publish(&noise(2 << 20, 1), Shelving::Ordinary));
    assert!(publish(&noise(1 << 19, 2), Shelving::Lasting));
}
