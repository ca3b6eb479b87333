//! Damage: what is done to some bytes, and where in a zip the bytes of an entry are.
#![allow(dead_code)]

use std::fs;
use std::ops::Range;
use std::path::Path;

/// What happens to an object or to a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injury {
    /// The last part is missing: so many thousandths stay.
    Cut(usize),
    CutLastByte,
    /// One bit, so many thousandths from the beginning.
    Flip(usize),
    FlipLastByte,
    /// As many bytes of noise.
    Garbage,
    /// Noise behind the end.
    Trailing,
    Empty,
}

impl Injury {
    pub fn inflict(self, bytes: &[u8]) -> Vec<u8> {
        let mut hurt = bytes.to_vec();
        let last = bytes.len() - 1;
        match self {
            Injury::Cut(thousandths) => hurt.truncate(bytes.len() * thousandths / 1000),
            Injury::CutLastByte => hurt.truncate(last),
            Injury::Flip(thousandths) => hurt[bytes.len() * thousandths / 1000] ^= 0x10,
            Injury::FlipLastByte => hurt[last] ^= 0x01,
            Injury::Garbage => hurt = noise(bytes.len()),
            Injury::Trailing => hurt.extend(noise(100)),
            Injury::Empty => hurt.clear(),
        }
        hurt
    }

    /// Replaces the file, as a new upload would.
    pub fn inflict_on(self, path: &Path) {
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        replace(path, &self.inflict(&bytes));
    }
}

/// By another file, so that an open one stays as it is.
pub fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_file_name(".new");
    fs::write(&new, bytes).expect("a file can be made");
    fs::rename(&new, path).expect("a file can be moved");
}

/// Bytes that look like nothing, the same every time.
pub fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    blake3::Hasher::new().update(b"noise").finalize_xof().fill(&mut noise);
    noise
}

/// Where one entry of a zip is.
#[derive(Clone, Debug)]
pub struct ZipEntry {
    pub name: String,
    /// Its header in the central directory.
    pub central: usize,
    pub local: usize,
    pub data: Range<usize>,
}

/// The entries of a zip without zip64 and without a comment, as `zip` makes small ones.
pub fn zip_entries(zip: &[u8]) -> Vec<ZipEntry> {
    let u16_at = |at: usize| usize::from(u16::from_le_bytes([zip[at], zip[at + 1]]));
    let u32_at = |at: usize| u16_at(at) | u16_at(at + 2) << 16;
    let end = zip.len() - 22;
    let mut central = u32_at(end + 16);
    let mut entries = Vec::new();
    for _ in 0..u16_at(end + 10) {
        let [name, extra, comment] = [28, 30, 32].map(|at| u16_at(central + at));
        let local = u32_at(central + 42);
        let begin = local + 30 + u16_at(local + 26) + u16_at(local + 28);
        entries.push(ZipEntry {
            name: String::from_utf8(zip[central + 46..central + 46 + name].to_vec()).expect("UTF-8"),
            central,
            local,
            data: begin..begin + u32_at(central + 20),
        });
        central += 46 + name + extra + comment;
    }
    entries
}

/// Where the central directory begins.
pub fn directory_offset(zip: &[u8]) -> usize {
    zip_entries(zip)[0].central
}
