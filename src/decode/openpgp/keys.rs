//! Secret key files → unlocked keys; asks for passphrases, opens no message.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sequoia_openpgp::KeyHandle;
use sequoia_openpgp::crypto::{KeyPair, Password, S2K};
use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::key::{SecretKeyMaterial, SecretParts, UnspecifiedRole};
use sequoia_openpgp::types::PublicKeyAlgorithm;
use zeroize::Zeroizing;

use crate::decode::openpgp::key_file::{Found, content, found_keys};
use crate::decode::openpgp::recipients::{KeyName, Recipient};
use crate::error::{Error, ErrorKind, Result};

/// Passphrases asked for one key.
const ATTEMPTS: usize = 3;
const GIVE_PASSPHRASE: &str = "give its passphrase with --passphrase-file or --passphrase-command";

/// A passphrase; overwritten when dropped, never printed.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    pub fn new(bytes: Vec<u8>) -> Self {
        Passphrase(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// Which key a passphrase is wanted for.
#[derive(Clone, Debug)]
pub struct KeyHint {
    pub file: PathBuf,
    /// 16 hex digits, of the subkey that is locked.
    pub key_id: String,
    /// The certificate's first user id, if it has one.
    pub user_id: Option<String>,
    /// From 1; above 1 the passphrase before was wrong.
    pub attempt: usize,
}

/// The secret keys of some key files, unlocked in memory; cheap to clone.
#[derive(Clone, Default)]
pub struct SecretKeys(Arc<Keys>);

#[derive(Default)]
struct Keys {
    unlocked: Vec<KeyPair>,
    recipients: Vec<Recipient>,
    warnings: Vec<String>,
}

impl SecretKeys {
    /// No keys: for sources that are decrypted already.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads key files (armored or binary, several certificates each) and unlocks every decryption key once.
    ///
    /// `passphrase` is asked per locked key, unless one given before opens it too; `None` gives the key up.
    /// Keys that cannot be used are `warnings` as long as one can. Errors, each about its file: `NotFound`, `Corrupt`
    /// or `Usage` for files that are no secret keys; when no key is usable, what kept the first one locked.
    pub fn load(
        files: &[PathBuf],
        passphrase: &mut dyn FnMut(&KeyHint) -> Result<Option<Passphrase>>,
    ) -> Result<SecretKeys> {
        let (mut loading, mut failures) = (Loading::default(), Vec::new());
        for file in files {
            failures.append(&mut loading.file(file, passphrase)?.failures);
        }
        if loading.keys.unlocked.is_empty()
            && let Some(first) = failures.first()
        {
            return Err(first.clone());
        }
        loading.keys.warnings = failures.iter().map(Error::to_string).collect();
        Ok(SecretKeys(Arc::new(loading.keys)))
    }

    /// As `load`, but goes on where that ends: also says what became of each file, with the errors that end it.
    pub fn load_each(
        files: &[PathBuf],
        passphrase: &mut dyn FnMut(&KeyHint) -> Result<Option<Passphrase>>,
    ) -> (SecretKeys, Vec<Result<FromFile>>) {
        let mut loading = Loading::default();
        let each = files.iter().map(|file| loading.file(file, passphrase)).collect();
        (SecretKeys(Arc::new(loading.keys)), each)
    }

    /// Whether nothing can be decrypted.
    pub fn is_empty(&self) -> bool {
        self.0.unlocked.is_empty()
    }

    /// The ids of the keys that decrypt, 16 hex digits each, sorted.
    pub fn key_ids(&self) -> Vec<String> {
        let ids: BTreeSet<String> = self.0.unlocked.iter().map(|pair| pair.public().keyid().to_string()).collect();
        ids.into_iter().collect()
    }

    /// Keys that were given but cannot be used, one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    /// Every key of the files that can be wrapped to, locked ones and stubs included.
    pub fn recipients(&self) -> &[Recipient] {
        &self.0.recipients
    }

    /// Whether a key of this name is here, unlocked: it opens what is wrapped to it.
    pub fn can_open(&self, name: &KeyName) -> bool {
        self.holds(name.handle())
    }

    /// The keys that may open a session key: the recipient's, or all of that algorithm where it is hidden.
    pub(super) fn decryptors<'a>(
        &'a self,
        recipient: Option<&'a KeyHandle>,
        algorithm: PublicKeyAlgorithm,
    ) -> impl Iterator<Item = KeyPair> + 'a {
        self.0
            .unlocked
            .iter()
            .filter(move |pair| match recipient {
                Some(handle) => handle.aliases(pair.public().key_handle()),
                None => pair.public().pk_algo() == algorithm,
            })
            .cloned()
    }

    pub(super) fn holds(&self, recipient: &KeyHandle) -> bool {
        self.0.unlocked.iter().any(|pair| recipient.aliases(pair.public().key_handle()))
    }
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretKeys").field(&self.key_ids()).finish()
    }
}

/// What became of a key file.
#[derive(Debug, Default)]
pub struct FromFile {
    /// The ids of its keys that decrypt, by an earlier file perhaps; 16 hex digits each.
    pub opened: BTreeSet<String>,
    /// Why others of its keys do not: of no matter as long as any key of any file does.
    pub failures: Vec<Error>,
}

#[derive(Default)]
struct Loading {
    keys: Keys,
    known: Vec<Password>,
}

impl Loading {
    fn file(
        &mut self,
        file: &Path,
        passphrase: &mut dyn FnMut(&KeyHint) -> Result<Option<Passphrase>>,
    ) -> Result<FromFile> {
        self.keys_of(file, passphrase).map_err(|error| error.about(file.display()))
    }

    fn keys_of(
        &mut self,
        file: &Path,
        passphrase: &mut dyn FnMut(&KeyHint) -> Result<Option<Passphrase>>,
    ) -> Result<FromFile> {
        let mut from = FromFile::default();
        let found = found_keys(&content(file)?)?;
        if !found.iter().any(|key| key.secret.is_some()) {
            return Err(Error::usage("holds no secret key").advise("export one with gpg --export-secret-keys"));
        }
        if !found.iter().any(Found::for_encryption) {
            from.failures.push(Error::usage("holds no key that decrypts, only keys that sign").about(file.display()));
        }
        for key in found.into_iter().filter(Found::for_encryption) {
            let id = key.public.keyid();
            if key.supported() && !self.keys.recipients.iter().any(|known| known.key.keyid() == id) {
                let (public, primary) = (key.public.clone(), key.primary.clone());
                self.keys.recipients.push(Recipient { key: public, primary, user_id: key.user_id.clone() });
            }
            if !self.keys.unlocked.iter().any(|pair| pair.public().keyid() == id) {
                match self.unlocked(key, file, passphrase)? {
                    Ok(pair) => self.keys.unlocked.push(pair),
                    Err(failure) => {
                        from.failures.push(failure.about(file.display()));
                        continue;
                    }
                }
            }
            from.opened.insert(id.to_string());
        }
        Ok(from)
    }

    /// The key ready for use, or why it is not; the outer error is the passphrase callback's.
    fn unlocked(
        &mut self,
        key: Found,
        file: &Path,
        passphrase: &mut dyn FnMut(&KeyHint) -> Result<Option<Passphrase>>,
    ) -> Result<Result<KeyPair>> {
        let id = key.public.keyid();
        if !key.supported() {
            let algorithm = key.public.pk_algo();
            return Ok(Err(Error::unsupported(format!("key {id} cannot decrypt: {algorithm} is not read"))));
        }
        let Some(secret) = key.secret else {
            return Ok(Err(Error::usage(format!("key {id} has no secret part in the file"))));
        };
        let stub = match secret.secret() {
            SecretKeyMaterial::Unencrypted(_) => return Ok(pair(secret)),
            SecretKeyMaterial::Encrypted(locked) => match locked.s2k() {
                S2K::Private { .. } => Some("is a stub (offline or on a card)"),
                s2k if !s2k.is_supported() => Some("is locked in a form that is not read"),
                _ => None,
            },
        };
        if let Some(stub) = stub {
            return Ok(Err(Error::unsupported(format!("key {id} {stub}"))));
        }
        let hint = KeyHint { file: file.into(), key_id: id.to_string(), user_id: key.user_id, attempt: 1 };
        self.ask(secret, hint, passphrase)
    }

    fn ask(
        &mut self,
        secret: Key<SecretParts, UnspecifiedRole>,
        mut hint: KeyHint,
        passphrase: &mut dyn FnMut(&KeyHint) -> Result<Option<Passphrase>>,
    ) -> Result<Result<KeyPair>> {
        for password in &self.known {
            if let Ok(open) = secret.clone().decrypt_secret(password) {
                return Ok(pair(open));
            }
        }
        let mut last: Option<Passphrase> = None;
        while hint.attempt <= ATTEMPTS {
            let Some(given) = passphrase(&hint)? else { break };
            // A file or command gives the same again.
            if last.as_ref().is_some_and(|last| last.0 == given.0) {
                break;
            }
            let password = Password::from(given.0.as_slice());
            if let Ok(open) = secret.clone().decrypt_secret(&password) {
                self.known.push(password);
                return Ok(pair(open));
            }
            last = Some(given);
            hint.attempt += 1;
        }
        let id = hint.key_id;
        let failure = match last {
            Some(_) => Error::new(ErrorKind::NoSecretKey, format!("wrong passphrase for key {id}")),
            None => Error::new(ErrorKind::NoSecretKey, format!("key {id} is locked")).advise(GIVE_PASSPHRASE),
        };
        Ok(Err(failure))
    }
}

fn pair(key: Key<SecretParts, UnspecifiedRole>) -> Result<KeyPair> {
    let id = key.keyid();
    key.into_keypair().map_err(|_| Error::corrupt(format!("key {id} is damaged")))
}
