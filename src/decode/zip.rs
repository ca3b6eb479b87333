//! Central directory and members over ranged reads; never the whole package.

mod member;

use std::collections::BTreeMap;
use std::sync::Arc;

use ::zip::CompressionMethod;
use ::zip::read::{ArchiveOffset, Config};
// The stable reader keeps one entry per name and so hides duplicates; a release that moves this will not compile.
use ::zip::unstable::read::ZipIterable;
use serde::{Deserialize, Serialize};

use crate::decode::names;
pub use crate::decode::ranged::Ranged;
use crate::decode::ranged::{Fetch, Window};
pub use crate::decode::zip::member::open_entry;
use crate::error::{Error, Result};

/// End record with its longest comment (22 + 65,535), zip64 locator (20) and zip64 end record (56), rounded up.
const TAIL_BYTES: u64 = (64 << 10) + 256;
/// Largest central directory: two million entries of 128 bytes.
const DIRECTORY_LIMIT: u64 = 256 << 20;
/// Requests for the part of a directory that the tail lacks; one in every archive that is well made.
const DIRECTORY_FETCHES: usize = 4;

/// How an entry's bytes are stored in its archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Method {
    Stored,
    Deflated,
}

/// One entry of a zip (or of a tar, then `Stored` and `crc32` None): enough to read it without the directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// Full name in the archive, `/` between components.
    #[serde(with = "shared_text")]
    pub name: Arc<str>,
    /// Offset of the local header (zip) or of the first byte (tar).
    pub offset: u64,
    /// Bytes in the archive.
    pub compressed: u64,
    /// Bytes after inflating (still encrypted).
    pub bytes: u64,
    pub crc32: Option<u32>,
    pub method: Method,
}

mod shared_text {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Arc::from)
    }
}

/// What an archive holds: its regular files, and what was refused; both sorted by name, folders left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    pub entries: Vec<Entry>,
    /// Printable name, and why: a clause that follows the name (`its name is absolute`).
    pub refused: Vec<(String, String)>,
}

impl Directory {
    /// The central directory of a zip or zip64 archive, by one request for its tail and, if the directory is longer
    /// than that, one more.
    ///
    /// Refused: names that are no plain relative UTF-8 path, links, encrypted entries, methods other than stored and
    /// deflated, and every entry of a name that occurs twice, since programs differ in which of them they take.
    /// Errors: `Corrupt` if there is no directory, or a damaged one; the archive's own errors come through.
    pub fn read(archive: &dyn Ranged) -> Result<Directory> {
        let fetch = Fetch::Downwards { times: DIRECTORY_FETCHES, limit: DIRECTORY_LIMIT };
        let window = Window::new(archive, TAIL_BYTES, fetch)?;
        // Offsets in a package count from its first byte; searching for others would read all of it.
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let mut listing = ZipIterable::try_new(window, config).map_err(explain)?;
        let mut found = Listing::default();
        for entry in listing.files().map_err(explain)? {
            let entry = entry.map_err(explain)?;
            if entry.is_dir() {
                continue;
            }
            match accepted(&entry) {
                Ok(entry) => found.add(entry),
                Err(reason) => found.refuse(entry.name_raw(), reason),
            }
        }
        Ok(found.finish())
    }
}

fn accepted(entry: &::zip::read::ZipFileEntry<'_>) -> Result<Entry, &'static str> {
    let name = names::checked(entry.name_raw())?;
    if entry.is_symlink() {
        return Err("it is a link");
    }
    if entry.encrypted() {
        return Err("it is encrypted by zip itself");
    }
    let method = match entry.compression() {
        CompressionMethod::Stored => Method::Stored,
        CompressionMethod::Deflated => Method::Deflated,
        _ => return Err("its compression method is neither stored nor deflated"),
    };
    if method == Method::Stored && entry.compressed_size() != entry.size() {
        return Err("it is stored in another length than its own");
    }
    Ok(Entry {
        name: name.into(),
        offset: entry.header_start(),
        compressed: entry.compressed_size(),
        bytes: entry.size(),
        crc32: Some(entry.crc32()),
        method,
    })
}

/// The archive's own error as it is, the zip crate's as `Corrupt`.
fn explain(error: ::zip::result::ZipError) -> Error {
    match error {
        ::zip::result::ZipError::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<Error>()) => error.into(),
        ::zip::result::ZipError::UnsupportedArchive(what) => {
            Error::unsupported(format!("is a zip of another kind: {what}"))
        }
        _ => Error::corrupt("is no zip archive, or its directory is damaged"),
    }
}

/// Entries on their way into a `Directory`.
#[derive(Default)]
pub(super) struct Listing {
    entries: BTreeMap<Arc<str>, Vec<Entry>>,
    refused: Vec<(String, String)>,
}

impl Listing {
    pub(super) fn add(&mut self, entry: Entry) {
        self.entries.entry(entry.name.clone()).or_default().push(entry);
    }

    pub(super) fn refuse(&mut self, name: &[u8], reason: &str) {
        self.refused.push((names::printable(name), reason.to_owned()));
    }

    /// Drops names that occur twice, and files that lie where another entry needs a folder.
    pub(super) fn finish(mut self) -> Directory {
        let names: Vec<Arc<str>> = self.entries.keys().cloned().collect();
        let mut entries = Vec::with_capacity(names.len());
        for (name, mut same) in std::mem::take(&mut self.entries) {
            let below = format!("{name}/");
            let next = names.partition_point(|other| other.as_ref() < below.as_str());
            if same.len() > 1 {
                same.iter().for_each(|_| self.refuse(name.as_bytes(), "its name occurs more than once"));
            } else if names.get(next).is_some_and(|other| other.starts_with(&below)) {
                self.refuse(name.as_bytes(), "other entries have its name as their folder");
            } else {
                entries.append(&mut same);
            }
        }
        self.refused.sort();
        Directory { entries, refused: self.refused }
    }
}
