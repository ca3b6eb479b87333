//! Whose keys open a cache folder, and changing that. The data key stays what it is, so nothing is sealed anew; hence a
//! key that has opened the folder once may still know it.

use std::path::{Path, PathBuf};

use crate::control::{self, Owned};
use crate::decode::openpgp::{KeyName, Recipient, SecretKeys};
use crate::error::{Error, ErrorKind, Result};
use crate::store::seal::DataKey;
use crate::volume::data_key;

/// What is asked for: removals come first, so that a certificate can be replaced by a newer version of itself.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub remove: Vec<KeyName>,
    pub add: Vec<Recipient>,
}

/// One key that opens a folder.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Of the key itself.
    pub name: KeyName,
    /// None where the key file names a key that is nowhere: the folder cannot be wrapped to it again.
    pub recipient: Option<Recipient>,
}

impl Holder {
    fn known(recipient: &Recipient) -> Holder {
        Holder { name: recipient.key(), recipient: Some(recipient.clone()) }
    }

    /// The holder of this name, with the public key if it is one of `known`.
    fn found<'a>(name: &KeyName, known: impl IntoIterator<Item = &'a Recipient>) -> Holder {
        let found = known.into_iter().find(|recipient| recipient.key().agrees_with(name));
        found.map_or_else(|| Holder { name: name.clone(), recipient: None }, Holder::known)
    }

    /// Whether `name` is of this key or of its certificate.
    pub fn is_named(&self, name: &KeyName) -> bool {
        let certificate = self.recipient.as_ref().map(Recipient::certificate);
        self.name.agrees_with(name) || certificate.is_some_and(|certificate| certificate.agrees_with(name))
    }
}

/// The holders of one cache folder's data key.
pub struct Custody {
    folder: PathBuf,
    key: DataKey,
    holders: Vec<Holder>,
    _owned: Option<Owned>,
}

impl Custody {
    /// Looks at a folder, which may be somebody's at that time. `keys` must open it; their files tell who is who where
    /// the folder does not.
    ///
    /// Errors: `NotFound` if it has no key; `NoSecretKey`; `Corrupt`.
    pub fn look(folder: &Path, keys: &SecretKeys) -> Result<Custody> {
        expect_key(folder, keys)?;
        let opened = data_key::open(folder, keys)?;
        let known = || opened.kept.iter().chain(keys.recipients());
        let holders = opened.named.iter().map(|name| Holder::found(name, known())).collect();
        Ok(Custody { folder: folder.to_owned(), key: opened.key, holders, _owned: None })
    }

    /// Takes a folder to change it; it stays ours as long as the result lives. Errors: as `look`; `Usage` with the
    /// owner's process id if somebody else has it.
    pub fn take(folder: &Path, keys: &SecretKeys) -> Result<Custody> {
        expect_key(folder, keys)?;
        let owned = control::own(folder)?;
        Ok(Custody { _owned: Some(owned), ..Custody::look(folder, keys)? })
    }

    /// In the order of the key file.
    pub fn holders(&self) -> &[Holder] {
        &self.holders
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Applies a change, in memory. Names of no holder are let pass. Errors: `Usage` if somebody would be lost whose
    /// certificate is not known, if nobody would be left, or none of `keys`: then nothing has changed.
    pub fn apply(&mut self, change: &Change, keys: &SecretKeys) -> Result<()> {
        let stays = |holder: &&Holder| !change.remove.iter().any(|name| holder.is_named(name));
        let mut holders: Vec<Holder> = self.holders.iter().filter(stays).cloned().collect();
        for holder in holders.iter_mut().filter(|holder| holder.recipient.is_none()) {
            *holder = Holder::found(&holder.name, &change.add);
        }
        for recipient in &change.add {
            if !holders.iter().any(|holder| holder.name.agrees_with(&recipient.key())) {
                holders.push(Holder::known(recipient));
            }
        }
        self.check(&holders, keys).map_err(|error| error.about(self.folder.display()))?;
        self.holders = holders;
        Ok(())
    }

    fn check(&self, holders: &[Holder], keys: &SecretKeys) -> Result<()> {
        if holders.is_empty() {
            let nobody = Error::usage("nobody could open this cache any more");
            return Err(nobody.advise("add somebody in the same command, or destroy the cache with `edxfs purge`"));
        }
        let unknown = holders.iter().filter(|holder| holder.recipient.is_none());
        let unknown: Vec<String> = unknown.map(|holder| holder.name.to_string()).collect();
        if !unknown.is_empty() {
            let message = format!("the certificate of {}, who can open this cache, is not known", unknown.join(", "));
            return Err(Error::usage(message).advise("give it with --add to keep it, or name it with --remove"));
        }
        if !holders.iter().any(|holder| keys.can_open(&holder.name)) {
            let locked_out = Error::usage("the secret keys given could not open this cache any more");
            return Err(locked_out.advise("leave the last removal to somebody whose key stays, or give that key too"));
        }
        Ok(())
    }

    /// Writes the key file for the holders as they are now. Errors: local I/O; `Usage` for too many.
    pub fn write(&self) -> Result<()> {
        let recipients: Vec<Recipient> = self.holders.iter().filter_map(|holder| holder.recipient.clone()).collect();
        data_key::replace(&self.folder, &self.key, &recipients)
    }
}

fn expect_key(folder: &Path, keys: &SecretKeys) -> Result<()> {
    if !data_key::is_in(folder) {
        let none = Error::not_found("no cache with a key is here").about(folder.display());
        return Err(none.advise("the first mount or index run makes one, for every --secret-key that it is given"));
    }
    if keys.is_empty() {
        let locked = Error::new(ErrorKind::NoSecretKey, "a key that opens this cache is needed");
        return Err(locked.about(folder.display()).advise("give one with --secret-key"));
    }
    Ok(())
}
