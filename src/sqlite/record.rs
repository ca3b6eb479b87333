//! Rows and keys in SQLite's record format: a header of serial types, then the values.
//!
//! Format: <https://www.sqlite.org/fileformat2.html>, chapter 2.1.

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Integer(i64),
    Real(f64),
    /// UTF-8.
    Text(&'a [u8]),
}

/// Puts records together, one after another.
#[derive(Default)]
pub struct RecordBuilder {
    types: Vec<u8>,
    values: Vec<u8>,
}

impl RecordBuilder {
    #[inline]
    pub fn push(&mut self, value: Value<'_>) {
        match value {
            Value::Null => self.types.push(0),
            // As SQLite does.
            Value::Real(number) if number.is_nan() => self.types.push(0),
            Value::Integer(number) => self.push_integer(number),
            Value::Real(number) => {
                self.types.push(7);
                self.values.extend_from_slice(&number.to_be_bytes());
            }
            Value::Text(text) => {
                push_varint(&mut self.types, 13 + 2 * text.len() as u64);
                self.values.extend_from_slice(text);
            }
        }
    }

    /// In as few bytes as it takes; 0 and 1 in none.
    fn push_integer(&mut self, number: i64) {
        let bytes = number.to_be_bytes();
        // A number and its complement have equal width.
        let magnitude = if number < 0 { !number } else { number };
        let (serial, length) = match (number, magnitude) {
            (0, _) => (8, 0),
            (1, _) => (9, 0),
            (_, ..0x80) => (1, 1),
            (_, ..0x8000) => (2, 2),
            (_, ..0x80_0000) => (3, 3),
            (_, ..0x8000_0000) => (4, 4),
            (_, ..0x8000_0000_0000) => (5, 6),
            _ => (6, 8),
        };
        self.types.push(serial);
        self.values.extend_from_slice(&bytes[8 - length..]);
    }

    /// Writes the record into `record`, in place of what is there, and begins the next.
    pub fn finish(&mut self, record: &mut Vec<u8>) {
        record.clear();
        // The header counts its own length, which takes one byte more from 126 on.
        let types = self.types.len() as u64;
        let own = (1..).find(|own| varint_bytes(types + own) == *own).expect("a longer header has room for its length");
        push_varint(record, types + own);
        record.append(&mut self.types);
        record.append(&mut self.values);
    }
}

fn varint_bytes(number: u64) -> u64 {
    (64 - u64::from(number.leading_zeros())).max(1).div_ceil(7).min(9)
}

/// A variable-length integer: 7 bits a byte, the highest first, 8 in a ninth.
#[inline]
pub fn push_varint(bytes: &mut Vec<u8>, number: u64) {
    match number {
        0..0x80 => bytes.push(number as u8),
        0x80..0x4000 => bytes.extend_from_slice(&[(number >> 7) as u8 | 0x80, number as u8 & 0x7f]),
        _ => push_long_varint(bytes, number),
    }
}

fn push_long_varint(bytes: &mut Vec<u8>, number: u64) {
    if number >> 56 != 0 {
        for shift in (0..8).rev() {
            bytes.push((number >> (8 + 7 * shift)) as u8 | 0x80);
        }
        return bytes.push(number as u8);
    }
    let length = varint_bytes(number);
    for group in (0..length).rev() {
        let more = if group == 0 { 0 } else { 0x80 };
        bytes.push((number >> (7 * group)) as u8 & 0x7f | more);
    }
}
