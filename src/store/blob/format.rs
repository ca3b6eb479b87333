//! The bytes of a blob file besides its chunks: header, chunk table, trailer. Pure; the layout is drawn in `blob`.

use crate::error::{Error, Result};
use crate::store::blob::Digest;
use crate::store::seal::{SALT_BYTES, TAG_BYTES};

/// Plain bytes of every chunk but the last.
pub(in crate::store) const CHUNK_BYTES: usize = 256 * 1024;
pub(in crate::store) const HEADER_BYTES: usize = 48;
pub(in crate::store) const TRAILER_BYTES: usize = 24;

const VERSION: u16 = 1;
const HEADER_MAGIC: [u8; 8] = *b"edxfsblb";
const TRAILER_MAGIC: [u8; 8] = *b"edxfsend";
const TABLE_FIXED_BYTES: usize = 8 + 32;
const PLACE_BYTES: usize = 8 + 4;

pub(in crate::store) fn header(salt: &[u8; SALT_BYTES]) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&HEADER_MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&(CHUNK_BYTES as u32).to_le_bytes());
    bytes[16..].copy_from_slice(salt);
    bytes
}

/// The salt of a header of this version. Errors: `Corrupt` for any other bytes.
pub(in crate::store) fn header_salt(bytes: &[u8; HEADER_BYTES]) -> Result<[u8; SALT_BYTES]> {
    let (_, salt) = bytes.split_last_chunk::<SALT_BYTES>().expect("a header is longer than its salt");
    if header(salt) == *bytes { Ok(*salt) } else { Err(damaged()) }
}

/// Where a chunk lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Place {
    pub offset: u64,
    /// With the tag.
    pub sealed_bytes: u32,
}

/// What the sealed table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Table {
    pub plain_bytes: u64,
    pub digest: Digest,
    /// By chunk index.
    pub chunks: Vec<Place>,
}

impl Table {
    /// Plain bytes of chunk `index`.
    pub fn chunk_bytes(&self, index: u64) -> usize {
        let start = index.saturating_mul(CHUNK_BYTES as u64);
        self.plain_bytes.saturating_sub(start).min(CHUNK_BYTES as u64) as usize
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(TABLE_FIXED_BYTES + self.chunks.len() * PLACE_BYTES + TAG_BYTES);
        bytes.extend_from_slice(&self.plain_bytes.to_le_bytes());
        bytes.extend_from_slice(self.digest.as_bytes());
        for place in &self.chunks {
            bytes.extend_from_slice(&place.offset.to_le_bytes());
            bytes.extend_from_slice(&place.sealed_bytes.to_le_bytes());
        }
        bytes
    }

    /// Reads what `encode` wrote; every chunk must lie between the header and `end`. Errors: `Corrupt`.
    pub fn decode(bytes: &[u8], end: u64) -> Result<Self> {
        let (plain_bytes, rest) = bytes.split_first_chunk().ok_or_else(damaged)?;
        let (digest, places) = rest.split_first_chunk().ok_or_else(damaged)?;
        let table = Table {
            plain_bytes: u64::from_le_bytes(*plain_bytes),
            digest: Digest::from_bytes(*digest),
            chunks: places.chunks_exact(PLACE_BYTES).map(place).collect(),
        };
        let whole = places.len().is_multiple_of(PLACE_BYTES)
            && table.chunks.len() as u64 == table.plain_bytes.div_ceil(CHUNK_BYTES as u64)
            && (0..).zip(&table.chunks).all(|(index, place)| fits(place, table.chunk_bytes(index), end));
        if whole { Ok(table) } else { Err(damaged()) }
    }
}

fn place(bytes: &[u8]) -> Place {
    let (offset, length) = bytes.split_at(8);
    Place {
        offset: u64::from_le_bytes(offset.try_into().expect("split at 8")),
        sealed_bytes: u32::from_le_bytes(length.try_into().expect("a place is 12 bytes")),
    }
}

fn fits(place: &Place, plain_bytes: usize, end: u64) -> bool {
    let sealed = place.sealed_bytes as usize;
    (TAG_BYTES..=plain_bytes + TAG_BYTES).contains(&sealed)
        && place.offset >= HEADER_BYTES as u64
        && place.offset.checked_add(sealed as u64).is_some_and(|chunk_end| chunk_end <= end)
}

/// The fixed end of a file: where the sealed table begins, and its bytes.
pub(in crate::store) fn trailer(table_offset: u64, table_bytes: u64) -> [u8; TRAILER_BYTES] {
    let mut bytes = [0; TRAILER_BYTES];
    bytes[..8].copy_from_slice(&table_offset.to_le_bytes());
    bytes[8..16].copy_from_slice(&table_bytes.to_le_bytes());
    bytes[16..].copy_from_slice(&TRAILER_MAGIC);
    bytes
}

/// Table offset and bytes from the trailer of a file of `file_bytes`. Errors: `Corrupt`.
pub(in crate::store) fn table_place(bytes: &[u8; TRAILER_BYTES], file_bytes: u64) -> Result<(u64, u64)> {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let (offset, table_bytes) = (number(0), number(8));
    let end = offset.checked_add(table_bytes).and_then(|end| end.checked_add(TRAILER_BYTES as u64));
    if bytes[16..] == TRAILER_MAGIC && offset >= HEADER_BYTES as u64 && end == Some(file_bytes) {
        Ok((offset, table_bytes))
    } else {
        Err(damaged())
    }
}

pub(in crate::store) fn damaged() -> Error {
    Error::corrupt("a cached file is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_another_version_or_chunk_size_is_refused() {
        let good = header(&[5; SALT_BYTES]);
        assert_eq!(header_salt(&good).unwrap(), [5; SALT_BYTES]);
        for at in 0..16 {
            let mut bad = good;
            bad[at] ^= 1;
            assert!(header_salt(&bad).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_table_is_read_back_and_its_limits_are_checked() {
        let places = vec![Place { offset: 400, sealed_bytes: 300 }, Place { offset: 48, sealed_bytes: 17 }];
        let table = Table { plain_bytes: CHUNK_BYTES as u64 + 1, digest: Digest::from_bytes([3; 32]), chunks: places };
        let bytes = table.encode();
        assert_eq!(Table::decode(&bytes, 700).unwrap(), table);
        assert!(Table::decode(&bytes, 699).is_err());
        assert!(Table::decode(&bytes[..bytes.len() - 1], 700).is_err());
        assert!(Table::decode(&bytes[..bytes.len() - PLACE_BYTES], 700).is_err());
        assert!(Table::decode(&[], 700).is_err());
        assert_eq!((table.chunk_bytes(0), table.chunk_bytes(1), table.chunk_bytes(2)), (CHUNK_BYTES, 1, 0));
    }

    #[test]
    fn a_trailer_must_end_its_file() {
        assert_eq!(table_place(&trailer(100, 50), 174).unwrap(), (100, 50));
        assert!(table_place(&trailer(100, 50), 175).is_err());
        assert!(table_place(&trailer(u64::MAX, 50), 175).is_err());
        assert!(table_place(&[0; TRAILER_BYTES], 24).is_err());
    }
}
