//! Plaintext → one OpenPGP message that the owners of some certificates can read, streamed.
//!
//! Where `decode` judges no certificate, here each one is judged as it stands today, by the usual policy: what is
//! encrypted now is for people who are there now. Form: a session key to every usable encryption key of each
//! certificate, then SEIPD v1 with AES-256 (which GnuPG reads from 1.4 on) around zlib-compressed literal data.
//! Source: RFC 9580.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sequoia_openpgp::anyhow;
use sequoia_openpgp::cert::{Cert, CertParser};
use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::key::{PublicParts, UnspecifiedRole};
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::serialize::stream::{Compressor, Encryptor, LiteralWriter, Message, Recipient};
use sequoia_openpgp::types::{CompressionAlgorithm, Features, RevocationStatus, SymmetricAlgorithm};

use crate::decode::openpgp::{blocks, content};
use crate::error::{Error, Result};

/// The keys that a message is for.
pub struct Recipients(Vec<Key<PublicParts, UnspecifiedRole>>);

impl Recipients {
    /// Reads certificates: files as `gpg --export` writes them, armored or not, with one certificate or several. Of a
    /// file with secret keys only the public parts are kept.
    ///
    /// Errors, each about its file and naming the certificate: `Usage` for one that is expired, revoked, or has no key
    /// that can be encrypted to today; `NotFound`; `Corrupt`.
    pub fn load(files: &[PathBuf]) -> Result<Recipients> {
        let mut keys: Vec<Key<PublicParts, UnspecifiedRole>> = Vec::new();
        for file in files {
            for certificate in certificates(file).map_err(|error| error.about(file.display()))? {
                let usable = encryption_keys(&certificate).map_err(|error| error.about(file.display()))?;
                keys.extend(usable);
            }
        }
        keys.sort_by_key(Key::fingerprint);
        keys.dedup_by_key(|key| key.fingerprint());
        Ok(Recipients(keys))
    }

    /// Begins a message. Errors: `out`'s.
    pub fn encrypt<'a>(&'a self, out: impl Write + Send + Sync + 'a) -> Result<Encryption<'a>> {
        // Else a certificate of a newer program would ask for a form that GnuPG does not read.
        let features = Features::empty().set_seipdv1();
        let recipients = self.0.iter().map(|key| Recipient::new(features.clone(), key.key_handle(), key));
        let encryptor = Encryptor::for_recipients(Message::new(out), recipients);
        let message = encryptor.symmetric_algo(SymmetricAlgorithm::AES256).build().map_err(unwritten)?;
        let message = Compressor::new(message).algo(CompressionAlgorithm::Zlib).build().map_err(unwritten)?;
        Ok(Encryption(LiteralWriter::new(message).build().map_err(unwritten)?))
    }
}

/// A message that is being written. Without `finish` it has no end, and nobody can decrypt it.
pub struct Encryption<'a>(Message<'a>);

impl Encryption<'_> {
    /// Writes the message's end. Errors: those of what it is written to.
    pub fn finish(self) -> Result<()> {
        self.0.finalize().map_err(unwritten)
    }
}

impl Write for Encryption<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What cannot be written, as far as that was the output's fault.
fn unwritten(error: anyhow::Error) -> Error {
    match error.downcast::<io::Error>() {
        Ok(error) => error.into(),
        Err(error) => Error::internal(format!("cannot encrypt: {error}")),
    }
}

fn certificates(file: &Path) -> Result<Vec<Cert>> {
    let none = || Error::usage("holds no OpenPGP certificate").advise("make one with gpg --armor --export ADDRESS");
    let content = content(file)?;
    let mut certificates = Vec::new();
    for block in blocks(&content) {
        for certificate in CertParser::from_bytes(block).map_err(|_| none())? {
            certificates.push(certificate.map_err(|_| none())?.strip_secret_key_material());
        }
    }
    if certificates.is_empty() { Err(none()) } else { Ok(certificates) }
}

fn encryption_keys(certificate: &Cert) -> Result<Vec<Key<PublicParts, UnspecifiedRole>>> {
    let policy = StandardPolicy::new();
    let refused = |why: &dyn std::fmt::Display| {
        let message = format!("certificate {} cannot be encrypted to: {why}", certificate.fingerprint());
        Error::usage(message).advise("ask its owner for one that is in use")
    };
    if let RevocationStatus::Revoked(_) = certificate.revocation_status(&policy, None) {
        return Err(refused(&"it is revoked"));
    }
    let valid = certificate.with_policy(&policy, None).map_err(|error| refused(&root(&error)))?;
    valid.alive().map_err(|error| refused(&root(&error)))?;
    let keys = || valid.keys().for_transport_encryption().for_storage_encryption();
    let usable: Vec<_> = keys().supported().alive().revoked(false).map(|key| key.key().clone()).collect();
    match (usable.is_empty(), keys().next().is_some()) {
        (false, _) => Ok(usable),
        (true, true) => Err(refused(&"its keys for encryption are expired, revoked, or of a kind not written here")),
        (true, false) => Err(refused(&"it has no key for encryption, only for signing")),
    }
}

/// The innermost cause, which says it in the plainest words.
fn root(error: &anyhow::Error) -> String {
    error.chain().last().map_or_else(String::new, ToString::to_string)
}
