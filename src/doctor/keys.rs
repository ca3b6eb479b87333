//! Each secret key file: may it be read, by whom, which keys are in it, and do they open.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;

use crate::decode::openpgp::{KeyHint, KeyRole, Secret, SecretKeys, SurveyedKey, survey};
use crate::doctor::passphrase::{self, Wanted, warn_of_mode};
use crate::doctor::{Ask, Case, Report};
use crate::error::Result;

const CHECK: &str = "key";

/// The keys that decrypt, by id.
#[derive(Debug, Default)]
pub struct Keys {
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
    let surveyed: Vec<(&PathBuf, Result<Vec<SurveyedKey>>)> = files.iter().map(|file| (file, survey(file))).collect();
    if files.is_empty() {
        report.note(CHECK, "none given, which is right for a mirror that is already decrypted");
    } else {
        passphrase::check(case, &wanted(&surveyed), ask, report);
    }
    let given = if files.is_empty() { Given::None } else { Given::Some };
    let mut keys = Keys { given, ..Keys::default() };
    for (file, found) in &surveyed {
        match found {
            Ok(found) => check_file(file, found, &mut keys, ask, report),
            Err(error) => report.wrong(CHECK, &error.clone().about(file.display())),
        }
    }
    keys
}

/// The first locked key that decrypts.
fn wanted(surveyed: &[(&PathBuf, Result<Vec<SurveyedKey>>)]) -> Wanted {
    for (file, found) in surveyed {
        let locked = |key: &&SurveyedKey| key.role == KeyRole::Encryption && key.secret == Secret::Locked;
        if let Some(key) = found.iter().flatten().find(locked) {
            let (file, key_id) = (file.to_path_buf(), key.key_id.clone());
            return Wanted::For(KeyHint { file, key_id, user_id: None, attempt: 1 });
        }
    }
    Wanted::No
}

fn check_file(file: &Path, found: &[SurveyedKey], keys: &mut Keys, ask: Ask<'_>, report: &mut Report<'_>) {
    warn_of_mode(CHECK, file, report);
    let loaded = SecretKeys::load(&[file.to_owned()], ask);
    let opened: BTreeSet<String> = loaded.iter().flat_map(SecretKeys::key_ids).collect();
    let decrypting = found.iter().filter(|key| key.role == KeyRole::Encryption);
    let closed = decrypting.clone().filter(|key| !opened.contains(&key.key_id));
    keys.closed.extend(closed.map(|key| (key.key_id.clone(), file.to_owned())));
    match &loaded {
        Ok(loaded) => {
            report.ok(CHECK, format!("{}: {}", file.display(), in_words(found, &opened)));
            loaded.warnings().iter().for_each(|warning| report.note(CHECK, warning.as_str()));
        }
        Err(error) => report.wrong(CHECK, &error.clone().about(file.display())),
    }
    let certificate = found.first().into_iter().chain(decrypting);
    if let Some(expired) = certificate.filter_map(|key| key.expires).min().filter(|time| *time < SystemTime::now()) {
        report.note(CHECK, format!("{}: {}", file.display(), expired_in_words(expired)));
    }
    keys.opened.extend(opened);
}

/// The certificate, by its primary key, and the keys that open messages.
fn in_words(found: &[SurveyedKey], opened: &BTreeSet<String>) -> String {
    let certificate = found.first().map_or("", |key| key.fingerprint.as_str());
    let each = found.iter().filter(|key| opened.contains(&key.key_id)).map(|key| match key.secret {
        Secret::Locked => format!("{} (locked, and the passphrase opens it)", key.key_id),
        Secret::Open | Secret::Missing => format!("{} (not locked)", key.key_id),
    });
    format!("certificate {certificate}, decrypts with {}", each.collect::<Vec<_>>().join(", "))
}

fn expired_in_words(time: SystemTime) -> String {
    let day = Timestamp::try_from(time).map_or_else(|_| String::new(), |time| format!(" on {}", time.strftime("%F")));
    format!("its certificate expired{day}; it decrypts all the same, but edX needs one that is valid to encrypt to")
}
