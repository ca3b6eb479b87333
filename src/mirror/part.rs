//! A file on its way into the mirror: what has been fetched of one version so far, beside its place.
//!
//! `.{name}.{first 16 hex digits of BLAKE3(ETag)}.part`: the name says which version, so that a later sync knows
//! whether it may go on with it. Bytes are only ever added at the end: after a power failure the file may be shorter
//! than it was, but its length does not run ahead of its data where the file system orders the two (ext4, XFS, btrfs).

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::disk;
use crate::error::Result;
use crate::source::{ETag, ObjectId, ObjectKey};

const HASH_DIGITS: usize = 16;

pub struct Part {
    /// None before the first byte, so that an object that is refused leaves nothing.
    file: Option<File>,
    path: PathBuf,
    bytes: u64,
}

impl Part {
    /// What there is of this version; `target` is where it will be. Errors: local I/O.
    pub fn open(target: &Path, id: &ObjectId) -> Result<Part> {
        disk::make_parents(target)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(part_name(&name, &id.etag));
        let kept = || {
            let file = match options().open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, 0)),
                opened => opened?,
            };
            let mut bytes = file.metadata()?.len();
            if bytes > id.bytes {
                file.set_len(0)?;
                bytes = 0;
            }
            Ok((Some(file), bytes))
        };
        let (file, bytes) = kept().map_err(|error| disk::local(error, &path))?;
        Ok(Part { file, path, bytes })
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let appended = self.file().and_then(|file| file.write_all(bytes));
        appended.map_err(|error| disk::local(error, &self.path))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Makes content and time last; the file has yet to get its name.
    pub fn finish(mut self, modified: Timestamp) -> Result<PathBuf> {
        let finished = self.file().and_then(|file| file.set_modified(modified.into()).and_then(|()| file.sync_all()));
        finished.map_err(|error| disk::local(error, &self.path))?;
        Ok(self.path)
    }

    /// Made if there is none yet.
    fn file(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => options().create(true).open(&self.path)?,
        };
        Ok(self.file.insert(file))
    }
}

fn options() -> OpenOptions {
    let mut options = File::options();
    options.append(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options
}

fn part_name(name: &str, etag: &ETag) -> String {
    let hash = blake3::hash(etag.as_str().as_bytes()).to_hex();
    format!(".{name}.{}.part", &hash[..HASH_DIGITS])
}

/// Removes what was fetched of versions that are not `wanted` any more, beside the `listed` files.
pub fn sweep<'a>(
    mirror: &Path,
    listed: impl Iterator<Item = &'a ObjectKey>,
    wanted: impl Iterator<Item = (&'a ObjectKey, &'a ETag)>,
) {
    let wanted: HashSet<PathBuf> =
        wanted.map(|(key, etag)| mirror.join(key.as_str()).with_file_name(part_name(key.base_name(), etag))).collect();
    let mut names: HashMap<PathBuf, HashSet<&str>> = HashMap::new();
    for key in listed {
        let path = mirror.join(key.as_str());
        names.entry(path.parent().unwrap_or(mirror).to_owned()).or_default().insert(key.base_name());
    }
    for (folder, names) in names {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let of_a_file = entry.file_name().to_str().and_then(file_of).is_some_and(|name| names.contains(name));
            if of_a_file && !wanted.contains(&entry.path()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// The name of the file that a part is of; None for what is no part.
fn file_of(part: &str) -> Option<&str> {
    let (name, hash) = part.strip_prefix('.')?.strip_suffix(".part")?.rsplit_once('.')?;
    let is_hash = hash.len() == HASH_DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parts_of_our_own_making_are_swept() {
        let mirror = tempfile::tempdir().unwrap();
        let key = ObjectKey::new("course-data/a.zip");
        let (old, new) = (ETag::new("old"), ETag::new("new"));
        let folder = mirror.path().join("course-data");
        fs::create_dir(&folder).unwrap();
        let (stale, fresh) = (part_name("a.zip", &old), part_name("a.zip", &new));
        let others = [".b.zip.0123456789abcdef.part", ".a.zip.part", "a.zip.0123456789abcdef.part", "a.zip"];
        for name in others.iter().copied().chain([stale.as_str(), fresh.as_str()]) {
            fs::write(folder.join(name), "x").unwrap();
        }
        sweep(mirror.path(), [&key].into_iter(), [(&key, &new)].into_iter());
        assert!(!folder.join(&stale).exists());
        for name in others.iter().copied().chain([fresh.as_str()]) {
            assert!(folder.join(name).exists(), "{name}");
        }
    }

    #[test]
    fn a_part_longer_than_its_object_begins_anew() {
        let mirror = tempfile::tempdir().unwrap();
        let target = mirror.path().join("a");
        let id = ObjectId { key: ObjectKey::new("a"), etag: ETag::new("e"), bytes: 4 };
        Part::open(&target, &id).unwrap().append(b"0123").unwrap();
        assert_eq!(Part::open(&target, &id).unwrap().bytes(), 4);
        assert_eq!(Part::open(&target, &ObjectId { bytes: 3, ..id }).unwrap().bytes(), 0);
    }
}
