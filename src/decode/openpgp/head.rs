//! Whom a message is encrypted to, from its first bytes alone; decrypts nothing.

use sequoia_openpgp::packet::Tag;
use sequoia_openpgp::parse::{PacketParser, PacketParserResult, Parse};
use sequoia_openpgp::{KeyHandle, Packet};

use crate::error::{Error, Result};

/// Bytes at a message's beginning that hold the session keys of some thirty recipients.
pub const HEAD_BYTES: u64 = 16 << 10;

/// One recipient of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageRecipient {
    /// The id of the subkey, 16 hex digits or more.
    Key(String),
    /// The message does not say.
    Hidden,
}

/// The recipients that the first bytes of a message name, in their order.
///
/// Errors: `Corrupt` if it is empty or no encrypted message, `Unsupported` if it is in ASCII armor or encrypted to
/// no key.
pub fn recipients(head: &[u8]) -> Result<Vec<MessageRecipient>> {
    match head.first() {
        None => return Err(Error::corrupt("is empty (0 bytes): its encryption failed at the producer")),
        Some(byte) if byte & 0x80 != 0 => {}
        Some(_) if head.starts_with(b"-----BEGIN PGP") => {
            return Err(
                Error::unsupported("is an OpenPGP message in ASCII armor").advise("make it binary with gpg --dearmor")
            );
        }
        Some(_) => return Err(no_message()),
    }
    let mut found = Vec::new();
    let mut result = PacketParser::from_bytes(head).map_err(|_| no_message())?;
    while let PacketParserResult::Some(parser) = result {
        match &parser.packet {
            Packet::PKESK(pkesk) => found.push(pkesk.recipient().map_or(MessageRecipient::Hidden, named)),
            // The next packet would be looked for behind the end of the head.
            other if !matches!(other.tag(), Tag::SKESK | Tag::Marker | Tag::Padding | Tag::PKESK) => break,
            _ => {}
        }
        let Ok((_, next)) = parser.next() else { break };
        result = next;
    }
    if found.is_empty() { Err(Error::unsupported("is encrypted to no OpenPGP key")) } else { Ok(found) }
}

fn named(handle: KeyHandle) -> MessageRecipient {
    MessageRecipient::Key(handle.to_string())
}

fn no_message() -> Error {
    Error::corrupt("is not an OpenPGP message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn what_is_no_encrypted_message_has_no_recipients() {
        for (bytes, kind) in [
            (&b""[..], ErrorKind::Corrupt),
            (b"{\"event\": 1}", ErrorKind::Corrupt),
            (b"\x1f\x8b\x08", ErrorKind::Corrupt),
            (b"-----BEGIN PGP MESSAGE-----", ErrorKind::Unsupported),
            // A literal packet.
            (b"\xcb\x07b\0\0\0\0\0x", ErrorKind::Unsupported),
        ] {
            assert_eq!(recipients(bytes).unwrap_err().kind(), kind, "{bytes:?}");
        }
    }
}
