//! Regular files of a tar: their places by ranged reads, or their bytes in one pass; writes nothing.

use std::collections::BTreeSet;
use std::io::{self, Read};

use ::tar::{Archive, EntryType};

use crate::decode::names;
use crate::decode::ranged::{Fetch, Ranged, Window};
use crate::decode::zip::{Directory, Entry, Listing, Method};
use crate::error::{Error, Result};

/// Bytes fetched at each header; small entries lie whole in one piece.
const HOP_BYTES: u64 = 64 << 10;

/// Where the regular files of an uncompressed tar lie, by hopping from header to header (one request each, fewer for
/// entries under 64 KiB). Every entry is `Stored`, without a CRC: a tar has none.
///
/// Refused: names that are no plain relative UTF-8 path (a leading `./` is dropped), links, devices, sparse files,
/// and every entry of a name that occurs twice. Folders, the nameless root folder among them, are left out.
/// Errors: `Corrupt` for a damaged header, or an archive that ends within an entry; the archive's own come through.
pub fn entries(archive: &dyn Ranged) -> Result<Directory> {
    let window = Window::new(archive, 0, Fetch::Block { bytes: HOP_BYTES })?;
    let mut tar = Archive::new(window);
    let mut found = Listing::default();
    for entry in tar.entries_with_seek().map_err(explain)? {
        let entry = entry.map_err(explain)?;
        let offset = entry.raw_file_position();
        if offset.checked_add(entry.size()).is_none_or(|end| end > archive.bytes()) {
            return Err(cut_short());
        }
        let path = entry.path_bytes();
        match placed(&path, entry.header().entry_type()) {
            Place::Nothing => {}
            Place::Refused(reason) => found.refuse(&path, reason),
            Place::File(name) => {
                let bytes = entry.size();
                let method = Method::Stored;
                found.add(Entry { name: name.into(), offset, compressed: bytes, bytes, crc32: None, method });
            }
        }
    }
    Ok(found.finish())
}

/// Gives each regular file of a tar stream to `sink`, in the archive's order: its path and a reader of its bytes.
///
/// `sink` may leave bytes unread. `input` is read to its end, so that the layers below can verify it. Returns what was
/// refused (printable name and reason, sorted): as for `entries`, but of a name that occurs twice the first is given.
/// Errors: `Corrupt` for a damaged or truncated tar, or one with bytes behind its end; those of `sink` and of `input`.
pub fn unpack(
    input: &mut dyn Read,
    sink: &mut dyn FnMut(&str, &mut dyn Read) -> Result<()>,
) -> Result<Vec<(String, String)>> {
    let mut refused = Vec::new();
    let mut given: BTreeSet<String> = BTreeSet::new();
    let mut tar = Archive::new(&mut *input);
    for entry in tar.entries().map_err(explain)? {
        let entry = entry.map_err(explain)?;
        let path = entry.path_bytes().into_owned();
        let place = match placed(&path, entry.header().entry_type()) {
            Place::File(name) if !given.insert(name.to_owned()) => Place::Refused("its name occurs more than once"),
            place => place,
        };
        match place {
            Place::Nothing => {}
            Place::Refused(reason) => refused.push((names::printable(&path), reason.to_owned())),
            Place::File(name) => {
                let mut whole = Whole { missing: entry.size(), inner: entry };
                sink(name, &mut whole)?;
                io::copy(&mut whole, &mut io::sink())?;
            }
        }
    }
    drain(input)?;
    refused.sort();
    Ok(refused)
}

enum Place<'a> {
    File(&'a str),
    /// A folder or a note to the reader: nothing to show.
    Nothing,
    Refused(&'static str),
}

fn placed(path: &[u8], kind: EntryType) -> Place<'_> {
    let name = path.strip_prefix(b"./").unwrap_or(path);
    match kind {
        EntryType::Directory | EntryType::XGlobalHeader => return Place::Nothing,
        // Tars of before 1988 mark folders by their name alone.
        EntryType::Regular | EntryType::Continuous if name.is_empty() || name.ends_with(b"/") => return Place::Nothing,
        EntryType::Regular | EntryType::Continuous => {}
        EntryType::Link | EntryType::Symlink => return Place::Refused("it is a link"),
        EntryType::GNUSparse => return Place::Refused("it is a sparse file"),
        EntryType::Char | EntryType::Block | EntryType::Fifo => return Place::Refused("it is a device"),
        _ => return Place::Refused("it is not a regular file"),
    }
    names::checked(name).map_or_else(Place::Refused, Place::File)
}

/// Reads the rest, which may only be zeros: another archive behind the first would be lost without a word.
fn drain(input: &mut dyn Read) -> Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(()),
            bytes if buffer[..bytes].iter().any(|&byte| byte != 0) => {
                return Err(Error::corrupt("has bytes behind the end of its tar"));
            }
            _ => {}
        }
    }
}

fn cut_short() -> Error {
    Error::corrupt("its tar is cut short")
}

/// The input's own error as it is, the tar crate's as `Corrupt`: the crate passes the former through.
fn explain(error: io::Error) -> Error {
    if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
        return Error::from(error);
    }
    Error::corrupt("its tar is damaged or cut short")
}

/// A file's bytes; an end before all have come is an error, which the tar crate leaves to us.
struct Whole<R> {
    inner: R,
    missing: u64,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        if bytes == 0 && self.missing > 0 && !buffer.is_empty() {
            return Err(cut_short().into());
        }
        self.missing = self.missing.saturating_sub(bytes as u64);
        Ok(bytes)
    }
}
