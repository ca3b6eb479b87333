//! Whom a secret is wrapped to: their keys, how they are named, how they are kept to be wrapped to again.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use sequoia_openpgp::cert::amalgamation::key::ValidErasedKeyAmalgamation;
use sequoia_openpgp::cert::{Cert, CertParser};
use sequoia_openpgp::packet::key::{PublicParts, UnspecifiedRole};
use sequoia_openpgp::packet::{Key, Signature, UserID};
use sequoia_openpgp::parse::{PacketParser, PacketParserResult, Parse};
use sequoia_openpgp::policy::{HashAlgoSecurity, Policy};
use sequoia_openpgp::serialize::Serialize;
use sequoia_openpgp::types::RevocationStatus;
use sequoia_openpgp::{KeyHandle, KeyID, Packet};

use crate::decode::openpgp::key_file::{blocks, content, found_keys, is_supported, joined};
use crate::error::{Error, Result};

type PublicKey = Key<PublicParts, UnspecifiedRole>;

/// A key by its fingerprint (40 or 64 hex digits) or its key ID (16).
#[derive(Clone, Debug, PartialEq)]
pub struct KeyName(KeyHandle);

impl KeyName {
    /// Whether both can be names of one key: of a fingerprint and a key ID, the one must hold the other.
    pub fn agrees_with(&self, other: &KeyName) -> bool {
        self.0.aliases(other.0.clone())
    }

    pub(super) fn handle(&self) -> &KeyHandle {
        &self.0
    }
}

/// As people copy them: in any case, with spaces, with `0x` in front. Errors: `Usage`.
impl FromStr for KeyName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits: String = text.split_whitespace().collect();
        let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")).unwrap_or(&digits);
        let whole = matches!(digits.len(), 16 | 40 | 64) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let form = "a fingerprint has 40 hex digits, a key ID 16; with spaces it needs quotes";
        let handle = whole.then(|| digits.parse().ok()).flatten();
        handle.map(KeyName).ok_or_else(|| Error::usage(form))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One key that a secret can be wrapped to, and whose it is.
#[derive(Clone, Debug)]
pub struct Recipient {
    pub(super) key: PublicKey,
    /// The primary key of its certificate; the same key where that one encrypts.
    pub(super) primary: PublicKey,
    pub(super) user_id: Option<String>,
}

impl Recipient {
    /// Fingerprint of the certificate.
    pub fn certificate(&self) -> KeyName {
        KeyName(self.primary.fingerprint().into())
    }

    /// Fingerprint of the key itself.
    pub fn key(&self) -> KeyName {
        KeyName(self.key.fingerprint().into())
    }

    /// 16 hex digits.
    pub fn key_id(&self) -> String {
        self.key.keyid().to_string()
    }

    /// The certificate's first user id, as somebody wrote it.
    pub fn user_id(&self) -> Option<&str> {
        self.user_id.as_deref()
    }
}

/// The keys that a secret can be wrapped to, of each certificate in a file (armored or binary; secret keys count too).
///
/// Bindings must be signed by their certificate; of what age, and with which digest, does not matter, nor whether key
/// or binding has expired. Errors, about the file: `NotFound`; `Corrupt`; `Usage` where it holds no certificate, or one
/// that is revoked or has no such key.
pub fn certificates(file: &Path) -> Result<Vec<Recipient>> {
    read(file).map_err(|error| error.about(file.display()))
}

fn read(file: &Path) -> Result<Vec<Recipient>> {
    let damaged = |_| Error::corrupt("is a damaged OpenPGP certificate");
    let content = content(file)?;
    // It says what the file is instead.
    if found_keys(&content)?.is_empty() {
        return Err(Error::usage("holds no OpenPGP certificate").advise("export one with gpg --export"));
    }
    let mut recipients = Vec::new();
    for block in blocks(&content) {
        for certificate in CertParser::from_bytes(block).map_err(damaged)? {
            recipients.extend(encryption_keys(&certificate.map_err(damaged)?)?);
        }
    }
    Ok(recipients)
}

/// Judges no digest and no age; that signatures are the certificate's own is checked before anybody is asked.
#[derive(Debug)]
struct AnySignature;

impl Policy for AnySignature {
    fn signature(&self, _: &Signature, _: HashAlgoSecurity) -> sequoia_openpgp::Result<()> {
        Ok(())
    }

    fn key(&self, _: &ValidErasedKeyAmalgamation<'_, PublicParts>) -> sequoia_openpgp::Result<()> {
        Ok(())
    }
}

fn encryption_keys(certificate: &Cert) -> Result<Vec<Recipient>> {
    let name = certificate.fingerprint();
    if is_revoked(&certificate.revocation_status(&AnySignature, None)) {
        let revoked = Error::usage(format!("certificate {name} is revoked"));
        return Err(revoked.advise("ask its owner for the one that replaces it"));
    }
    let primary = certificate.primary_key();
    let about_primary = primary.self_signatures().chain(certificate.userids().flat_map(|id| id.self_signatures()));
    let mut keys = Vec::from_iter(encrypting(primary.key().role_as_unspecified(), about_primary));
    for subkey in certificate.keys().subkeys() {
        if !is_revoked(&subkey.revocation_status(&AnySignature, None)) {
            keys.extend(encrypting(subkey.key().role_as_unspecified(), subkey.self_signatures()));
        }
    }
    if keys.is_empty() {
        let none = Error::usage(format!("certificate {name} has no key that can be encrypted to"));
        return Err(none.advise("it needs an RSA or ECDH key for encryption that is not revoked"));
    }
    let primary = primary.key().role_as_unspecified();
    let user_id = certificate.userids().next().map(|id| String::from_utf8_lossy(id.userid().value()).into_owned());
    let recipient = |key: PublicKey| Recipient { key, primary: primary.clone(), user_id: user_id.clone() };
    Ok(keys.into_iter().map(recipient).collect())
}

fn is_revoked(status: &RevocationStatus<'_>) -> bool {
    matches!(status, RevocationStatus::Revoked(_))
}

/// The key, if signatures of its certificate make it one to encrypt to.
fn encrypting<'a>(key: &PublicKey, signatures: impl Iterator<Item = &'a Signature>) -> Option<PublicKey> {
    let signatures: Vec<&Signature> = signatures.collect();
    let allowed = signatures.iter().fold(None, |allowed, signature| joined(allowed, signature));
    let bound = !signatures.is_empty() && allowed != Some(false);
    (bound && key.pk_algo().for_encryption() && is_supported(key)).then(|| key.clone())
}

/// Recipients as OpenPGP packets: for each the primary key of its certificate, the user id, and the key itself as a
/// subkey. No signatures: whoever reads them must know that nobody else can have written them.
pub fn to_packets(recipients: &[Recipient]) -> Result<Vec<u8>> {
    let mut packets = Vec::new();
    for recipient in recipients {
        let mut add = |packet: Packet| packet.serialize(&mut packets);
        let added = add(recipient.primary.clone().role_into_primary().into())
            .and_then(|()| recipient.user_id.iter().try_for_each(|id| add(UserID::from(id.as_str()).into())))
            .and_then(|()| add(recipient.key.clone().role_into_subordinate().into()));
        added.map_err(|_| Error::internal("cannot write down the recipients"))?;
    }
    Ok(packets)
}

/// What `to_packets` wrote. Errors: `Corrupt`.
pub fn from_packets(packets: &[u8]) -> Result<Vec<Recipient>> {
    let damaged = || Error::corrupt("its list of recipients is damaged");
    let (mut recipients, mut primary, mut user_id) = (Vec::new(), None, None);
    if packets.is_empty() {
        return Ok(recipients);
    }
    let mut result = PacketParser::from_bytes(packets).map_err(|_| damaged())?;
    while let PacketParserResult::Some(parser) = result {
        let (packet, next) = parser.next().map_err(|_| damaged())?;
        match packet {
            Packet::PublicKey(key) => (primary, user_id) = (Some(key.role_into_unspecified()), None),
            Packet::UserID(id) => user_id = Some(String::from_utf8_lossy(id.value()).into_owned()),
            Packet::PublicSubkey(key) => recipients.push(Recipient {
                key: key.role_into_unspecified(),
                primary: primary.clone().ok_or_else(damaged)?,
                user_id: user_id.clone(),
            }),
            _ => return Err(damaged()),
        }
        result = next;
    }
    Ok(recipients)
}

/// The names that a message gives its recipients, in order, each once; a hidden one is sixteen zeros. Errors: `Corrupt`.
pub fn named_in(message: &[u8]) -> Result<Vec<KeyName>> {
    let malformed = |_| Error::corrupt("is not a well-formed OpenPGP message");
    let mut names = Vec::new();
    let mut result = PacketParser::from_bytes(message).map_err(malformed)?;
    while let PacketParserResult::Some(parser) = result {
        let Packet::PKESK(pkesk) = &parser.packet else { break };
        let name = KeyName(pkesk.recipient().unwrap_or_else(|| KeyID::wildcard().into()));
        if !names.contains(&name) {
            names.push(name);
        }
        result = parser.next().map_err(malformed)?.1;
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_people_copy_it() {
        let plain: KeyName = "0123456789ABCDEF0123456789ABCDEF01234567".parse().expect("a fingerprint");
        for text in ["0123 4567 89ab cdef 0123  4567 89ab cdef 0123 4567", "0x0123456789abcdef0123456789abcdef01234567"]
        {
            assert_eq!(text.parse::<KeyName>().expect(text), plain);
        }
        assert_eq!("0X89ABCDEF01234567".parse::<KeyName>().expect("a key ID").to_string(), "89ABCDEF01234567");
        for text in ["", "01234567", "0x01234567", "0123456789abcdeg", "0123456789abcdef0", "czar@example.org"] {
            assert!(text.parse::<KeyName>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_packets_are_no_recipients_and_others_are_refused() {
        assert!(from_packets(b"").expect("nothing").is_empty());
        for bad in [&b"x"[..], &[0xcd, 1, b'u', 0xcb, 0], &[0xff; 40]] {
            assert!(from_packets(bad).is_err(), "{bad:?}");
        }
    }
}
