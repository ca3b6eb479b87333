//! Formats on disk, byte by byte: what moves here must raise its version in the same commit.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use edxfs::store::blob::{Digest, Keep};
use edxfs::store::seal::DataKey;
use edxfs::store::{Shelving, Store};

/// To make a new one after raising the version: run with `EDXFS_GOLDEN=write`, which fails, and look at the difference.
fn assert_golden(name: &str, bytes: &[u8]) {
    let path = golden(name);
    if std::env::var_os("EDXFS_GOLDEN").is_some_and(|value| value == "write") {
        fs::write(&path, bytes).unwrap();
        panic!("{name} was written; run again without EDXFS_GOLDEN");
    }
    let golden = fs::read(&path).unwrap();
    assert!(golden == bytes, "the bytes of {name} moved ({} bytes, were {})", bytes.len(), golden.len());
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

const BLOB_DIGEST: &str = "db3c3dea3c03d19fbf327cec0ae483886ec31e006920a2394c758b169d8e45c7";

fn blob_key() -> DataKey {
    DataKey::from_bytes(std::array::from_fn(|at| at as u8))
}

/// Two chunks that compress, and a last one that does not.
fn content() -> Vec<u8> {
    let mut content: Vec<u8> =
        (0..).flat_map(|n: u32| format!("line {}\n", n % 50).into_bytes()).take(512 * 1024).collect();
    let mut state = 1u32;
    content.extend((0..100).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    }));
    content
}

fn only_file(folder: &Path) -> PathBuf {
    let mut path = folder.to_owned();
    while path.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(entries.len(), 1, "{}", path.display());
        path = entries.remove(0);
    }
    path
}

#[test]
fn the_blob_format_is_what_its_version_says() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with_salt(folder.path(), &blob_key(), 1 << 30, [0x5a; 32]).unwrap();
    let mut writer = store.writer(Keep::Always, Shelving::Ordinary).unwrap();
    writer.append(&content()).unwrap();
    writer.finish().unwrap().publish().unwrap();

    let path = only_file(&folder.path().join("blobs-v1"));
    assert_golden("blob-v1.bin", &fs::read(&path).unwrap());
    assert_eq!(path.file_name().unwrap(), BLOB_DIGEST);
}

/// A newer zstd may compress to other bytes; what an older one wrote must be read all the same.
#[test]
fn the_golden_blob_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let fan_out = folder.path().join("blobs-v1").join(&BLOB_DIGEST[..2]);
    fs::create_dir_all(&fan_out).unwrap();
    fs::copy(golden("blob-v1.bin"), fan_out.join(BLOB_DIGEST)).unwrap();
    let store = Store::open(folder.path(), &blob_key(), 1 << 30).unwrap();
    let digest = Digest::from_bytes(*blake3::Hash::from_hex(BLOB_DIGEST).unwrap().as_bytes());
    let mut read = Vec::new();
    store.get(&digest).unwrap().reader().read_to_end(&mut read).unwrap();
    assert!(read == content());
}
