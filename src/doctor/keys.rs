//! Each secret key file: may it be read, by whom, which keys are in it, and do they open.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;

use crate::decode::openpgp::{FromFile, KeyHint, KeyRole, Secret, SecretKeys, SurveyedKey, survey};
use crate::doctor::passphrase::{self, Wanted, warn_of_mode};
use crate::doctor::{Ask, Case, Report};
use crate::error::Result;

const CHECK: &str = "key";

/// The keys that decrypt, by id.
#[derive(Debug, Default)]
pub struct Keys {
    pub secret: SecretKeys,
    /// Those of `secret`.
    pub opened: BTreeSet<String>,
    /// In a file, but locked or not in it whole, with that file.
    pub closed: Vec<(String, PathBuf)>,
    /// Whether any key file was given at all.
    pub given: Given,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Given {
    Some,
    #[default]
    None,
}

pub fn check(case: &Case<'_>, ask: Ask<'_>, report: &mut Report<'_>) -> Keys {
    let files = &case.settings.keys;
    // What cannot be surveyed does not load either, and is told then.
    let surveyed: Vec<(&PathBuf, Vec<SurveyedKey>)> =
        files.iter().map(|file| (file, survey(file).unwrap_or_default())).collect();
    if files.is_empty() {
        report.note(CHECK, "none given, which is right for a mirror that is already decrypted");
        return Keys::default();
    }
    passphrase::check(case, &wanted(&surveyed), ask, report);
    let (secret, each) = SecretKeys::load_each(files, ask);
    let opened = secret.key_ids().into_iter().collect();
    let mut keys = Keys { secret, opened, closed: Vec::new(), given: Given::Some };
    for ((file, found), loaded) in surveyed.iter().zip(&each) {
        tell_file(file, found, loaded, &keys, report);
        let closed = found.iter().filter(|key| decrypts(key) && !keys.opened.contains(&key.key_id));
        keys.closed.extend(closed.map(|key| (key.key_id.clone(), file.to_path_buf())));
    }
    keys
}

fn decrypts(key: &SurveyedKey) -> bool {
    key.role == KeyRole::Encryption
}

/// The first locked key that decrypts.
fn wanted(surveyed: &[(&PathBuf, Vec<SurveyedKey>)]) -> Wanted {
    for (file, found) in surveyed {
        if let Some(key) = found.iter().find(|key| decrypts(key) && key.secret == Secret::Locked) {
            let (file, key_id) = (file.to_path_buf(), key.key_id.clone());
            return Wanted::For(KeyHint { file, key_id, user_id: None, attempt: 1 });
        }
    }
    Wanted::No
}

fn tell_file(file: &Path, found: &[SurveyedKey], loaded: &Result<FromFile>, keys: &Keys, report: &mut Report<'_>) {
    if found.iter().any(|key| key.secret != Secret::Missing) {
        warn_of_mode(CHECK, file, report);
    }
    match loaded {
        Ok(from) if !from.opened.is_empty() => {
            report.ok(CHECK, format!("{}: {}", file.display(), in_words(found, &from.opened)));
            from.failures.iter().for_each(|failure| report.note(CHECK, failure.to_string()));
        }
        Ok(from) if !keys.opened.is_empty() => {
            from.failures.iter().for_each(|failure| report.warn(CHECK, format!("{failure}; a mount does without it")));
        }
        Ok(from) => from.failures.iter().for_each(|failure| report.wrong(CHECK, failure)),
        Err(error) => report.wrong(CHECK, error),
    }
    for certificate in certificates(found) {
        if let Some(expired) = expiry(certificate).filter(|time| *time < SystemTime::now()) {
            report.note(CHECK, format!("{}: {}", file.display(), expired_in_words(certificate, expired)));
        }
    }
}

/// The keys of a file by certificate.
fn certificates(found: &[SurveyedKey]) -> impl Iterator<Item = &[SurveyedKey]> {
    found.chunk_by(|one, next| one.certificate == next.certificate)
}

/// Each certificate, and those of its keys that open messages.
fn in_words(found: &[SurveyedKey], opened: &BTreeSet<String>) -> String {
    let each = certificates(found).filter_map(|certificate| {
        let opened = certificate.iter().filter(|key| opened.contains(&key.key_id)).map(|key| match key.secret {
            Secret::Locked => format!("{} (locked, and the passphrase opens it)", key.key_id),
            Secret::Open | Secret::Missing => format!("{} (not locked)", key.key_id),
        });
        let opened = opened.collect::<Vec<_>>().join(", ");
        (!opened.is_empty()).then(|| format!("certificate {}, decrypts with {opened}", certificate[0].certificate))
    });
    each.collect::<Vec<_>>().join("; ")
}

/// When nobody can encrypt to a certificate any more; None: never. Of several encryption keys the last one counts.
fn expiry(certificate: &[SurveyedKey]) -> Option<SystemTime> {
    let whole = certificate.first().and_then(|primary| primary.expires);
    let encrypting: Option<Vec<SystemTime>> =
        certificate.iter().filter(|key| decrypts(key)).map(|key| key.expires).collect();
    let last = encrypting.and_then(|times| times.into_iter().max());
    whole.into_iter().chain(last).min()
}

fn expired_in_words(certificate: &[SurveyedKey], time: SystemTime) -> String {
    let day = Timestamp::try_from(time).map_or_else(|_| String::new(), |time| format!(" on {}", time.strftime("%F")));
    format!(
        "certificate {} expired{day}; it decrypts all the same, but edX needs one that is valid to encrypt to",
        certificate[0].certificate
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_certificate_ends_with_its_primary_key_or_its_last_encryption_key() {
        let time = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let key = |role, expires: Option<u64>| SurveyedKey {
            certificate: "C".to_owned(),
            key_id: String::new(),
            role,
            secret: Secret::Open,
            expires: expires.map(time),
        };
        let expiry_of = |primary: Option<u64>, subkeys: &[Option<u64>]| {
            let subkeys = subkeys.iter().map(|expires| key(KeyRole::Encryption, *expires));
            let signing = key(KeyRole::Other, Some(1));
            expiry(&[key(KeyRole::Other, primary)].into_iter().chain([signing]).chain(subkeys).collect::<Vec<_>>())
        };
        assert_eq!(expiry_of(None, &[]), None);
        assert_eq!(expiry_of(Some(9), &[]), Some(time(9)));
        assert_eq!(expiry_of(None, &[Some(5), Some(7)]), Some(time(7)));
        assert_eq!(expiry_of(None, &[Some(5), None]), None);
        assert_eq!(expiry_of(Some(6), &[Some(5), Some(7)]), Some(time(6)));
        assert_eq!(expiry_of(Some(9), &[None, Some(5)]), Some(time(9)));
    }
}
