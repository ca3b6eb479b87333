//! One member by one range: local header, stored or deflated bytes, length, CRC; knows no directory.

use std::io::{self, BufReader, Read};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use crate::decode::gzip;
use crate::decode::ranged::Ranged;
use crate::decode::ratio::{Counting, Intake};
use crate::decode::zip::{Entry, Method};
use crate::error::{Error, Result};

const HEADER_BYTES: u64 = 30;
const SIGNATURE: &[u8] = b"PK\x03\x04";
/// Info-ZIP's Unicode path: the name, where the header has it in another character set.
const UNICODE_PATH: u16 = 0x7075;
/// Room for a local extra field, whose length is known only from the local header: zip64, times and owners are 60 bytes.
const EXTRA_BYTES: u64 = 1024;
/// Bytes asked of the archive at a time.
const INPUT_BYTES: usize = 256 << 10;

type Input = BufReader<io::Take<Counting<Box<dyn Read + Send>>>>;

/// The bytes of a zip's entry, by one request (two if its local header is unusually long).
///
/// Errors, here or from `read`: `Corrupt` if the local header is not that entry's, the data do not inflate to exactly
/// the entry's length and CRC, or expand as only a bomb does; the archive's own errors come through. For an entry of a
/// tar the bytes as they are.
pub fn open_entry(archive: &dyn Ranged, entry: &Entry) -> Result<Box<dyn Read + Send>> {
    let intake = Intake::default();
    let data = match entry.crc32 {
        Some(_) => zip_data(archive, entry)?,
        None => ranged(archive, entry.offset, entry.compressed)?,
    };
    let data = BufReader::with_capacity(INPUT_BYTES, intake.counting(data).take(entry.compressed));
    let data = match entry.method {
        Method::Stored => Data::Stored(data),
        Method::Deflated => Data::Deflated(DeflateDecoder::new(data)),
    };
    let expected = Expected { bytes: entry.bytes, crc32: entry.crc32 };
    Ok(Box::new(Member { data, expected, crc: Crc::new(), plain_bytes: 0, intake, failure: None }))
}

/// The bytes from `offset` on, at least `bytes` of them as far as the archive goes.
fn ranged(archive: &dyn Ranged, offset: u64, bytes: u64) -> Result<Box<dyn Read + Send>> {
    let end = offset.saturating_add(bytes).min(archive.bytes());
    if offset >= end {
        return Ok(Box::new(io::empty()));
    }
    archive.read(offset..end)
}

/// A reader that stands at the entry's first data byte.
fn zip_data(archive: &dyn Ranged, entry: &Entry) -> Result<Box<dyn Read + Send>> {
    let reserved = HEADER_BYTES + entry.name.len() as u64 + EXTRA_BYTES;
    let mut reader = ranged(archive, entry.offset, reserved.saturating_add(entry.compressed))?;
    let mut header = [0; HEADER_BYTES as usize];
    reader.read_exact(&mut header).map_err(explain)?;
    if !header.starts_with(SIGNATURE) {
        return Err(misplaced());
    }
    let word = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let mut name = vec![0; usize::from(word(26))];
    let mut extra = vec![0; usize::from(word(28))];
    reader.read_exact(&mut name).map_err(explain)?;
    reader.read_exact(&mut extra).map_err(explain)?;
    if name != entry.name.as_bytes() && unicode_path(&extra) != Some(entry.name.as_bytes()) {
        return Err(misplaced());
    }
    let used = HEADER_BYTES + name.len() as u64 + extra.len() as u64;
    if used > reserved {
        return ranged(archive, entry.offset.saturating_add(used), entry.compressed);
    }
    Ok(reader)
}

/// The name in an extra field's Unicode path: version, CRC of the other name, UTF-8.
fn unicode_path(mut extra: &[u8]) -> Option<&[u8]> {
    while let [id_low, id_high, length_low, length_high, rest @ ..] = extra {
        let (field, others) = rest.split_at_checked(usize::from(u16::from_le_bytes([*length_low, *length_high])))?;
        if u16::from_le_bytes([*id_low, *id_high]) == UNICODE_PATH {
            return field.get(5..);
        }
        extra = others;
    }
    None
}

fn misplaced() -> Error {
    Error::corrupt("the package's directory does not fit its contents")
}

fn explain(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::corrupt("is cut short in its package"),
        _ => error.into(),
    }
}

enum Data {
    Stored(Input),
    Deflated(DeflateDecoder<Input>),
}

impl Data {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Data::Stored(input) => input.read(buffer),
            Data::Deflated(decoder) => decoder.read(buffer),
        }
    }

    /// Whether all of the entry's stored bytes were used.
    fn used_up(&self) -> bool {
        let input = match self {
            Data::Stored(input) => input,
            Data::Deflated(decoder) => decoder.get_ref(),
        };
        input.buffer().is_empty() && input.get_ref().limit() == 0
    }
}

struct Expected {
    bytes: u64,
    crc32: Option<u32>,
}

struct Member {
    data: Data,
    expected: Expected,
    crc: Crc,
    plain_bytes: u64,
    intake: Intake,
    failure: Option<Error>,
}

impl Member {
    fn advance(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let bytes = self.data.read(buffer).map_err(gzip::explain)?;
        if bytes == 0 {
            return self.verify().map(|()| 0);
        }
        self.plain_bytes += bytes as u64;
        if self.plain_bytes > self.expected.bytes {
            return Err(Error::corrupt("is longer than its package's directory says"));
        }
        self.intake.allow(self.plain_bytes)?;
        if self.expected.crc32.is_some() {
            self.crc.update(&buffer[..bytes]);
        }
        Ok(bytes)
    }

    fn verify(&self) -> Result<()> {
        if self.plain_bytes != self.expected.bytes || !self.data.used_up() {
            return Err(Error::corrupt("has another length than its package's directory says"));
        }
        if self.expected.crc32.is_some_and(|crc32| crc32 != self.crc.sum()) {
            return Err(Error::corrupt("does not have the CRC that its package's directory says"));
        }
        Ok(())
    }
}

impl Read for Member {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if let Some(error) = &self.failure {
            return Err(error.clone().into());
        }
        self.advance(buffer).map_err(|error| {
            self.failure = Some(error.clone());
            error.into()
        })
    }
}
