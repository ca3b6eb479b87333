//! What a secret key file holds, as far as a person who looks for the right one wants to know; unlocks nothing.

use std::path::Path;
use std::time::SystemTime;

use sequoia_openpgp::crypto::S2K;
use sequoia_openpgp::packet::key::SecretKeyMaterial;

use crate::decode::openpgp::key_file::{Found, content, found_keys};
use crate::error::Result;

/// One key packet of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyedKey {
    /// Fingerprint of its certificate's primary key, upper-case hex digits.
    pub certificate: String,
    /// 16 hex digits.
    pub key_id: String,
    pub role: KeyRole,
    pub secret: Secret,
    /// When it expires or expired, by the latest of its own signatures; None: never. Decrypting does not care.
    pub expires: Option<SystemTime>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRole {
    /// Decrypts.
    Encryption,
    /// Only signs.
    Other,
}

/// The secret part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    Open,
    /// Behind a passphrase.
    Locked,
    /// Not in the file: offline, or on a card.
    Missing,
}

/// The keys of a file, primary keys first, each before its subkeys.
///
/// Errors: `NotFound`, `Refused`, `Corrupt` or `Usage` for files that are no key file.
pub fn survey(file: &Path) -> Result<Vec<SurveyedKey>> {
    Ok(found_keys(&content(file)?)?.iter().map(surveyed).collect())
}

fn surveyed(found: &Found) -> SurveyedKey {
    let secret = match found.secret.as_ref().map(|key| key.secret()) {
        Some(SecretKeyMaterial::Unencrypted(_)) => Secret::Open,
        Some(SecretKeyMaterial::Encrypted(locked)) if !matches!(locked.s2k(), S2K::Private { .. }) => Secret::Locked,
        _ => Secret::Missing,
    };
    SurveyedKey {
        certificate: found.primary.fingerprint().to_string(),
        key_id: found.public.keyid().to_string(),
        role: if found.for_encryption() { KeyRole::Encryption } else { KeyRole::Other },
        secret,
        expires: found.expires,
    }
}
