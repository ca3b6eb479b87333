//! Packets → session key → verified plaintext; the only OpenPGP crate.
//!
//! Certificates are never judged: expired, revoked and SHA-1-bound keys decrypt, since a package of past years was
//! made for them. What a message's producer did is judged all the more: see `message`.

mod framing;
mod head;
mod key_file;
mod keys;
mod message;
mod recipients;
mod survey;

use std::io::{Read, Write};

use sequoia_openpgp::serialize::stream::{self, Encryptor, LiteralWriter, Message};
use sequoia_openpgp::types::{Features, SymmetricAlgorithm};
use zeroize::Zeroizing;

pub use crate::decode::openpgp::head::{HEAD_BYTES, MessageRecipient, recipients};
pub(crate) use crate::decode::openpgp::key_file::{blocks, content};
pub use crate::decode::openpgp::keys::{FromFile, KeyHint, Passphrase, SecretKeys};
pub use crate::decode::openpgp::message::decrypt;
pub use crate::decode::openpgp::recipients::{KeyName, Recipient, certificates, from_packets, named_in, to_packets};
pub use crate::decode::openpgp::survey::{KeyRole, Secret, SurveyedKey, survey};
use crate::error::{Error, ErrorKind, Result};

/// The second half of every command that re-encrypts, and the whole of the usual one.
const AGAIN: &str = "gpg --output NEW.gpg --recipient KEY --encrypt";
const OLD_TO_NEW: &str = "gpg --decrypt OLD.gpg | gpg --output NEW.gpg --recipient KEY --encrypt";
/// Largest secret that `unwrap` gives back.
const SECRET_LIMIT: usize = 1 << 20;

/// Encrypts `secret` (at most 1 MiB) as one binary OpenPGP message (SEIPD v1, AES-256) to all of `recipients`: whoever
/// has the secret part of any of them can `unwrap` it.
///
/// Errors: `NoSecretKey` when there are none; `Usage` for a secret too large.
pub fn wrap(recipients: &[Recipient], secret: &[u8]) -> Result<Vec<u8>> {
    let failed = |_| Error::internal("cannot encrypt to the OpenPGP keys given");
    if recipients.is_empty() {
        return Err(Error::new(ErrorKind::NoSecretKey, "none of the OpenPGP keys given can encrypt")
            .advise("give an RSA or ECDH key with --secret-key"));
    }
    if secret.len() > SECRET_LIMIT {
        return Err(Error::usage("these are more recipients than a key file holds"));
    }
    let features = Features::empty().set_seipdv1();
    let keys = recipients.iter().map(|recipient| &recipient.key);
    let recipients = keys.map(|key| stream::Recipient::new(features.clone(), key.key_handle(), key));
    let mut wrapped = Vec::new();
    let message = Encryptor::for_recipients(Message::new(&mut wrapped), recipients)
        .symmetric_algo(SymmetricAlgorithm::AES256)
        .build()
        .map_err(failed)?;
    let mut literal = LiteralWriter::new(message).build().map_err(failed)?;
    literal.write_all(secret)?;
    literal.finalize().map_err(failed)?;
    Ok(wrapped)
}

/// The secret that `wrap` encrypted, with any one of the keys.
///
/// Errors: those of `decrypt`.
pub fn unwrap(keys: &SecretKeys, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let mut reader = decrypt(keys, Box::new(std::io::Cursor::new(wrapped.to_vec())))?;
    let mut secret = Zeroizing::new(vec![0; SECRET_LIMIT + 1]);
    let mut bytes = 0;
    loop {
        match reader.read(&mut secret[bytes..])? {
            0 if bytes > SECRET_LIMIT => return Err(Error::corrupt("holds more than a wrapped secret")),
            0 => break,
            more => bytes += more,
        }
    }
    secret.truncate(bytes);
    Ok(secret)
}
