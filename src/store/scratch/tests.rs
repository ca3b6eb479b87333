//! A scratch file is a vector of bytes that costs room, hides what it holds, and notices damage.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::store::seal::DataKey;
use crate::store::{Shelving, Store};

fn open(folder: &Path, limit: u64) -> Store {
    let store = Store::open(folder, &DataKey::from_bytes([1; 32]), limit).unwrap();
    store.0.wait_scanned();
    store
}

fn all(file: &mut ScratchFile) -> Vec<u8> {
    let mut bytes = vec![0xee; file.len() as usize + 9];
    let filled = file.read_at(&mut bytes, 0).unwrap();
    bytes.truncate(filled);
    bytes
}

#[derive(Clone, Debug)]
enum Step {
    Write(u64, usize),
    Read(u64, usize),
    Truncate(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let place = prop_oneof![(0u64..200).prop_map(|page| page * 4096), 0u64..800_000];
    let bytes = prop_oneof![Just(4096usize), 1usize..10_000, Just(300_000)];
    let step = prop_oneof![
        4 => (place.clone(), bytes.clone()).prop_map(|(offset, bytes)| Step::Write(offset, bytes)),
        4 => (place.clone(), bytes).prop_map(|(offset, bytes)| Step::Read(offset, bytes)),
        1 => place.prop_map(Step::Truncate),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_holds_what_a_vector_would(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), 1 << 30);
        let mut file = store.scratch().unwrap();
        let mut model = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Write(offset, bytes) => {
                    let data = vec![number as u8 + 1; bytes];
                    file.write_at(&data, offset).unwrap();
                    let end = offset as usize + bytes;
                    model.resize(model.len().max(end), 0);
                    model[offset as usize..end].copy_from_slice(&data);
                }
                Step::Read(offset, bytes) => {
                    let mut buffer = vec![0xee; bytes];
                    let filled = file.read_at(&mut buffer, offset).unwrap();
                    let rest = model.get(offset as usize..).unwrap_or_default();
                    prop_assert!(buffer[..filled] == rest[..rest.len().min(bytes)]);
                }
                Step::Truncate(bytes) => {
                    file.truncate(bytes).unwrap();
                    model.truncate(bytes as usize);
                }
            }
            prop_assert_eq!(file.len(), model.len() as u64);
        }
        prop_assert!(all(&mut file) == model);
        drop(file);
        prop_assert_eq!(store.used_bytes(), 0);
    }
}

#[test]
fn it_has_no_name_and_costs_room_until_it_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1 << 30);
    let mut file = store.scratch().unwrap();
    file.write_at(&vec![1; 1 << 20], 0).unwrap();
    assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
    assert!((700_000..1_100_000).contains(&store.used_bytes()));
    assert_eq!(store.used_bytes(), file.file.metadata().unwrap().len().div_ceil(4096) * 4096);
    file.truncate(4096).unwrap();
    assert_eq!((store.used_bytes(), all(&mut file)), (8192, vec![1; 4096]));
    drop(file);
    assert_eq!(store.used_bytes(), 0);
}

#[test]
fn it_evicts_blobs_and_is_refused_beyond_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 4 << 20);
    let mut writer = store.writer(Keep::Always, Shelving::Ordinary).unwrap();
    let mut noise = vec![0; 2 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    writer.append(&noise).unwrap();
    drop(writer.finish().unwrap().publish().unwrap());
    assert!(store.used_bytes() > 2 << 20);
    let mut file = store.scratch().unwrap();
    file.write_at(&vec![1; 3 << 20], 0).unwrap();
    assert!(store.used_bytes() < 4 << 20, "the blob made room");
    let error = file.write_at(&vec![1; 3 << 20], 3 << 20).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CacheFull);
    assert!(error.to_string().contains("--cache-size"));
    drop(file);
    assert_eq!(store.used_bytes(), 0);
}

#[test]
fn nothing_of_it_is_on_the_disk_in_plain_and_damage_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1 << 30);
    let mut file = store.scratch().unwrap();
    file.write_at(&b"MARKER-OF-A-LEARNER ".repeat(100_000), 0).unwrap();
    let disk = File::options().read(true).write(true).open(descriptor(&file)).unwrap();
    let mut slots = vec![0; disk.metadata().unwrap().len() as usize];
    disk.read_exact_at(&mut slots, 0).unwrap();
    assert!(slots.len() > 1 << 20 && memchr::memmem::find(&slots, b"LEARNER").is_none());
    for at in [0, 7, 8, 4103, 4104, 4119] {
        let mut damaged = slots[10 * SLOT..11 * SLOT].to_vec();
        damaged[at] ^= 1;
        disk.write_all_at(&damaged, 10 * SLOT as u64).unwrap();
        assert_eq!(file.read_at(&mut [0; 100], 10 * 4096).unwrap_err().kind(), ErrorKind::Corrupt, "byte {at}");
    }
    disk.write_all_at(&slots[11 * SLOT..12 * SLOT], 10 * SLOT as u64).unwrap();
    assert_eq!(file.read_at(&mut [0; 100], 10 * 4096).unwrap_err().kind(), ErrorKind::Corrupt, "another page's slot");
    disk.set_len(10 * SLOT as u64).unwrap();
    assert_eq!(file.read_at(&mut [0; 100], 10 * 4096).unwrap_err().kind(), ErrorKind::Corrupt, "cut");
    assert_eq!(file.read_at(&mut [0; 100], 9 * 4096).unwrap(), 100);
}

fn descriptor(file: &ScratchFile) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.file.as_raw_fd())
}
