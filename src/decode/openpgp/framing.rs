//! Where a message's outermost packets begin and end (RFC 9580, 4.2); decrypts nothing.
//!
//! The OpenPGP crate overlooks bytes behind a message whose last packet has partial lengths, as GnuPG writes them
//! from a pipe, and panics on one that ends within 41 bytes of its encrypted data; so both are judged here.

use crate::decode::openpgp::{AGAIN, OLD_TO_NEW};
use crate::error::{Error, Result};

/// Version, the shortest random prefix with its repetition, the shortest literal packet, and the integrity packet.
const BODY_MINIMUM: u64 = 41;
const PKESK: u8 = 1;
const SKESK: u8 = 3;
const SED: u8 = 9;
const MARKER: u8 = 10;
const SEIPD: u8 = 18;
const OCB: u8 = 20;
const PADDING: u8 = 21;

/// Follows the packets of one message, however its bytes are cut into pieces.
pub struct Framing {
    place: Place,
    /// The bytes so far of a header, or of the length of a further part.
    header: Vec<u8>,
    encrypted_bytes: u64,
    ended: bool,
}

#[derive(Clone, Copy)]
enum Place {
    Header,
    Length { tag: u8 },
    Body { tag: u8, left: u64, part: Part },
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    More,
    Last,
}

impl Framing {
    pub fn new() -> Self {
        Framing { place: Place::Header, header: Vec::with_capacity(6), encrypted_bytes: 0, ended: false }
    }

    /// Takes the next bytes of the input; how many of them lie before the end of the encrypted packet.
    ///
    /// Errors: `Corrupt` for packets that no encrypted message has there, `Unsupported` for forms that are not read.
    pub fn push(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut at = 0;
        let mut inside = if self.ended { 0 } else { bytes.len() };
        while at < bytes.len() {
            match self.place {
                Place::Header | Place::Length { .. } => {
                    self.header.push(bytes[at]);
                    at += 1;
                    self.read_header()?;
                }
                Place::Body { tag, left, part } => {
                    let taken = left.min((bytes.len() - at) as u64);
                    at += usize::try_from(taken).expect("no more than the piece has");
                    self.pass(tag, left, part, taken);
                }
            }
            // A packet, or its part, may have no bytes at all.
            while let Place::Body { tag, left: 0, part } = self.place {
                self.leave(tag, part)?;
                if self.ended && tag == SEIPD {
                    inside = inside.min(at);
                }
            }
        }
        Ok(inside)
    }

    /// Errors: `Corrupt` if the input may not end here.
    pub fn finish(&self) -> Result<()> {
        match self.place {
            Place::Header if self.ended && self.header.is_empty() => Ok(()),
            _ if self.ended => Err(trailing()),
            _ => {
                Err(Error::corrupt("its OpenPGP message is cut short").advise("fetch it again, or ask for a new copy"))
            }
        }
    }

    /// Whether the encrypted packet has come to its end.
    pub fn ended(&self) -> bool {
        self.ended
    }

    fn pass(&mut self, tag: u8, left: u64, part: Part, taken: u64) {
        if tag == SEIPD {
            self.encrypted_bytes += taken;
        }
        self.place = Place::Body { tag, left: left - taken, part };
    }

    fn leave(&mut self, tag: u8, part: Part) -> Result<()> {
        if part == Part::More {
            self.place = Place::Length { tag };
            return Ok(());
        }
        self.place = Place::Header;
        if tag == SEIPD {
            if self.encrypted_bytes < BODY_MINIMUM {
                return Err(malformed());
            }
            self.ended = true;
        }
        Ok(())
    }

    fn read_header(&mut self) -> Result<()> {
        let (tag, read) = match self.place {
            Place::Length { tag } => (tag, new_length(&self.header)),
            _ => {
                let first = self.header[0];
                if first & 0x80 == 0 {
                    return Err(if self.ended { trailing() } else { malformed() });
                }
                let new = first & 0x40 != 0;
                let tag = if new { first & 0x3f } else { first >> 2 & 0x0f };
                self.admit(tag)?;
                (tag, if new { new_length(&self.header[1..]) } else { old_length(first & 3, &self.header[1..])? })
            }
        };
        if let Some((left, part)) = read {
            if part == Part::More && tag != SEIPD {
                return Err(malformed());
            }
            self.header.clear();
            self.place = Place::Body { tag, left, part };
        }
        Ok(())
    }

    fn admit(&self, tag: u8) -> Result<()> {
        match tag {
            MARKER | PADDING => Ok(()),
            _ if self.ended => Err(trailing()),
            PKESK | SKESK | SEIPD => Ok(()),
            SED => Err(Error::unsupported("is encrypted without integrity protection (OpenPGP tag 9)")
                .advise(format!("if you trust it, re-encrypt it: gpg --ignore-mdc-error --decrypt OLD.gpg | {AGAIN}"))),
            OCB => Err(Error::unsupported("is encrypted in GnuPG's OCB form (OpenPGP tag 20)")
                .advise(format!("re-encrypt it with GnuPG 2.3 or later: {OLD_TO_NEW} --rfc4880"))),
            // A literal, a compressed packet, signatures.
            2 | 4 | 8 | 11 => Err(Error::corrupt("is an OpenPGP message that is not encrypted")),
            _ => Err(malformed()),
        }
    }
}

fn malformed() -> Error {
    Error::corrupt("is not a well-formed OpenPGP message")
}

fn trailing() -> Error {
    Error::corrupt("has bytes behind the end of its OpenPGP message")
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// None: more bytes are needed.
fn new_length(bytes: &[u8]) -> Option<(u64, Part)> {
    match *bytes {
        [first @ 0..=191, ..] => Some((first.into(), Part::Last)),
        [first @ 192..=223, second, ..] => {
            Some((((u64::from(first) - 192) << 8) + u64::from(second) + 192, Part::Last))
        }
        [first @ 224..=254, ..] => Some((1 << (first & 0x1f), Part::More)),
        [255, a, b, c, d, ..] => Some((big_endian(&[a, b, c, d]), Part::Last)),
        _ => None,
    }
}

fn old_length(kind: u8, bytes: &[u8]) -> Result<Option<(u64, Part)>> {
    let wanted = match kind {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => return Err(malformed()),
    };
    Ok(bytes.get(..wanted).map(|length| (big_endian(length), Part::Last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Session key, encrypted packet in two parts, marker.
    fn message() -> Vec<u8> {
        let mut message = vec![0x84, 3, 1, 2, 3, 0xd2, 0xe5];
        message.extend([7; 32]);
        message.push(9);
        message.extend([7; 9]);
        message.extend([0xca, 3, b'P', b'G', b'P']);
        message
    }

    #[test]
    fn the_end_is_found_however_the_bytes_are_cut() {
        let message = message();
        let body = message.len() - 5;
        for size in 1..message.len() {
            let mut framing = Framing::new();
            let inside: usize = message.chunks(size).map(|piece| framing.push(piece).unwrap()).sum();
            assert_eq!(inside, body, "pieces of {size}");
            framing.finish().unwrap();
        }
    }

    #[test]
    fn an_end_elsewhere_and_bytes_behind_it_are_refused() {
        let message = message();
        for cut in (0..message.len()).filter(|cut| *cut != message.len() - 5) {
            let mut framing = Framing::new();
            framing.push(&message[..cut]).unwrap();
            assert!(framing.finish().is_err(), "cut at {cut}");
        }
        for tail in [&b"\n"[..], b"\0", b"\xd2\x01a", b"\x84\x01a", b"\xcb\x00"] {
            let mut framing = Framing::new();
            framing.push(&message).unwrap();
            assert!(framing.push(tail).is_err(), "{tail:?}");
        }
    }

    #[test]
    fn too_short_encrypted_data_and_odd_lengths_are_refused() {
        for bad in [&[0xd2u8, 0][..], &[0xd2, 2, 1, 1], &[0xc1, 0xe5], &[0x87], &[0x00], &[0xcb, 0], &[0xd1, 0]] {
            assert!(Framing::new().push(bad).is_err(), "{bad:x?}");
        }
    }
}
