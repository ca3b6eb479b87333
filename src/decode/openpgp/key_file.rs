//! A key file → its key packets, with what the certificates in it say about each; judges no certificate.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use sequoia_openpgp::Packet;
use sequoia_openpgp::crypto::mpi;
use sequoia_openpgp::packet::key::{PublicParts, SecretParts, UnspecifiedRole};
use sequoia_openpgp::packet::{Key, Signature, Tag};
use sequoia_openpgp::parse::{PacketParser, PacketParserResult, Parse};
use sequoia_openpgp::types::SignatureType;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Largest key file, in bytes; a keyring of a thousand well-signed keys is smaller.
const FILE_LIMIT: u64 = 64 << 20;
const ARMOR: &[u8] = b"-----BEGIN PGP ";

/// The whole file. Errors: local I/O; `Usage` for a file too large to hold keys.
pub(crate) fn content(file: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let opened = File::open(file)?;
    let bytes = opened.metadata()?.len();
    if bytes > FILE_LIMIT {
        return Err(Error::usage("is too large for a key file"));
    }
    // Room for all of it at once: growing would leave copies of secrets behind.
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(bytes).unwrap_or(0).max(64 << 10) + 1));
    opened.take(FILE_LIMIT).read_to_end(&mut content)?;
    Ok(content)
}

/// A key packet of a file, with what its own certificate says about it.
pub(super) struct Found {
    pub public: Key<PublicParts, UnspecifiedRole>,
    pub secret: Option<Key<SecretParts, UnspecifiedRole>>,
    /// The primary key of its certificate, which may be itself.
    pub primary: Key<PublicParts, UnspecifiedRole>,
    /// What its self-signatures allow, of whatever age or validity; none when none says.
    encrypts: Option<bool>,
    pub user_id: Option<String>,
    /// By the latest of its self-signatures.
    pub expires: Option<SystemTime>,
    bound: Option<SystemTime>,
}

impl Found {
    /// Without usage flags (old keys) the algorithm decides.
    pub fn for_encryption(&self) -> bool {
        self.public.pk_algo().for_encryption() && self.encrypts != Some(false)
    }

    fn take_over(&mut self, signature: &Signature) {
        self.encrypts = joined(self.encrypts, signature);
        let made = signature.signature_creation_time();
        if made >= self.bound {
            self.bound = made;
            let validity = signature.key_validity_period();
            self.expires = validity.and_then(|validity| self.public.creation_time().checked_add(validity));
        }
    }

    pub fn supported(&self) -> bool {
        is_supported(&self.public)
    }
}

/// Whether we can encrypt to a key, and decrypt with it.
pub(super) fn is_supported(key: &Key<PublicParts, UnspecifiedRole>) -> bool {
    let curve = match key.mpis() {
        mpi::PublicKey::ECDH { curve, .. } => curve.is_supported(),
        _ => true,
    };
    curve && key.pk_algo().is_supported()
}

/// What one more self-signature says about encrypting with a key: several are joined, those without flags say nothing.
pub(super) fn joined(allowed: Option<bool>, signature: &Signature) -> Option<bool> {
    let Some(flags) = signature.key_flags() else { return allowed };
    Some(flags.for_transport_encryption() || flags.for_storage_encryption() || allowed == Some(true))
}

/// All keys of a file, read packet by packet: certificates with a bad or missing binding count too.
pub(super) fn found_keys(content: &[u8]) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for block in blocks(content) {
        let parsed = PacketParser::from_bytes(block);
        let mut result = parsed.map_err(|_| Error::corrupt("is not an OpenPGP key file"))?;
        let mut reading = Reading::default();
        while let PacketParserResult::Some(parser) = result {
            let (packet, next) = parser.next().map_err(|_| Error::corrupt("is a damaged OpenPGP key file"))?;
            reading.packet(packet)?;
            result = next;
        }
        found.append(&mut reading.found);
    }
    Ok(found)
}

/// The file itself if it is binary, else each of its armored blocks: a parser stops behind the first one.
pub(crate) fn blocks(content: &[u8]) -> Vec<&[u8]> {
    if content.first().is_none_or(|byte| byte & 0x80 != 0) {
        return vec![content];
    }
    let starts: Vec<usize> = memchr::memmem::find_iter(content, ARMOR).collect();
    let ends = starts.iter().skip(1).copied().chain([content.len()]);
    starts.iter().zip(ends).map(|(&start, end)| &content[start..end]).collect()
}

/// Where the walk over a file's packets stands.
#[derive(Default)]
struct Reading {
    found: Vec<Found>,
    /// Index of the certificate's primary key in `found`.
    primary: usize,
}

impl Reading {
    fn packet(&mut self, packet: Packet) -> Result<()> {
        match packet {
            Packet::SecretKey(key) => {
                let secret = key.role_into_unspecified();
                self.begin(secret.clone().take_secret().0, Some(secret));
            }
            Packet::PublicKey(key) => self.begin(key.role_into_unspecified(), None),
            Packet::SecretSubkey(key) => {
                let secret = key.role_into_unspecified();
                self.subkey(secret.clone().take_secret().0, Some(secret));
            }
            Packet::PublicSubkey(key) => self.subkey(key.role_into_unspecified(), None),
            Packet::UserID(user_id) => {
                if let Some(key) = self.found.get_mut(self.primary)
                    && key.user_id.is_none()
                {
                    key.user_id = Some(String::from_utf8_lossy(user_id.value()).into_owned());
                }
            }
            Packet::Signature(signature) => self.signature(&signature),
            other
                if matches!(other.tag(), Tag::PKESK | Tag::SKESK | Tag::SEIP | Tag::Literal | Tag::CompressedData) =>
            {
                return Err(Error::usage("is an OpenPGP message, not a key file"));
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, public: Key<PublicParts, UnspecifiedRole>, secret: Option<Key<SecretParts, UnspecifiedRole>>) {
        self.primary = self.found.len();
        let (expires, bound) = (None, None);
        self.found.push(Found {
            primary: public.clone(),
            public,
            secret,
            encrypts: None,
            user_id: None,
            expires,
            bound,
        });
    }

    fn subkey(&mut self, public: Key<PublicParts, UnspecifiedRole>, secret: Option<Key<SecretParts, UnspecifiedRole>>) {
        let primary = self.found.get(self.primary);
        let user_id = primary.and_then(|primary| primary.user_id.clone());
        let primary = primary.map_or_else(|| public.clone(), |primary| primary.public.clone());
        self.found.push(Found { public, secret, primary, encrypts: None, user_id, expires: None, bound: None });
    }

    /// Takes over the usage flags of a self-signature, several of them joined, and the latest one's expiry.
    fn signature(&mut self, signature: &Signature) {
        let Some(primary) = self.found.get(self.primary).map(|key| key.public.key_handle()) else { return };
        if !signature.get_issuers().iter().any(|issuer| issuer.aliases(primary.clone())) {
            return;
        }
        let about = match signature.typ() {
            SignatureType::SubkeyBinding => self.found.last_mut(),
            SignatureType::DirectKey
            | SignatureType::GenericCertification
            | SignatureType::PersonaCertification
            | SignatureType::CasualCertification
            | SignatureType::PositiveCertification => self.found.get_mut(self.primary),
            _ => None,
        };
        if let Some(key) = about {
            key.take_over(signature);
        }
    }
}
