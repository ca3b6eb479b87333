//! The cache folder's data key: made once, wrapped to the OpenPGP keys given, opened by any of them.
//!
//! `key.gpg` is an OpenPGP message. Its plaintext is the data key, 32 bytes, and behind it the public keys that it is
//! wrapped to, as OpenPGP packets, so that it can be wrapped to them again; where these are missing (caches of the
//! first version) it is the 32 bytes alone. So nobody without the data key can read who the recipients are, but for
//! the key IDs that every message names, and nobody without it can make himself one of them: a message that holds the
//! right 32 bytes was written by somebody who knew them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as IoKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::decode::openpgp::{self, KeyName, Recipient, SecretKeys};
use crate::error::{Error, ErrorKind, Result};
use crate::store::seal::DataKey;

pub const FILE: &str = "key.gpg";
/// A key file that is being written; after a crash, what was written of it.
const PART: &str = "key.part";

/// An unwrapped key file.
pub struct Opened {
    pub key: DataKey,
    /// Whom the message says it is encrypted to.
    pub named: Vec<KeyName>,
    /// The keys that lie in it; those of `named` as a rule, but nothing in the format makes sure of that.
    pub kept: Vec<Recipient>,
}

/// Opens the folder's data key, or makes one. Errors: `NoSecretKey` if it is wrapped to other keys; `Corrupt`.
pub(super) fn open_or_create(folder: &Path, keys: &SecretKeys) -> Result<DataKey> {
    match open(folder, keys) {
        // Anything else may pass, and a new key would make the cache worthless.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = DataKey::random()?;
            replace(folder, &key, keys.recipients())?;
            Ok(key)
        }
        opened => opened.map(|opened| opened.key),
    }
}

/// Whether the folder has a data key, or something in its place.
pub(super) fn is_in(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join(FILE)).is_ok()
}

/// Opens the folder's data key. Errors: `NotFound`; `NoSecretKey` if it is wrapped to other keys; `Corrupt`.
pub fn open(folder: &Path, keys: &SecretKeys) -> Result<Opened> {
    let path = folder.join(FILE);
    let wrapped = fs::read(&path).map_err(|error| Error::from(error).about(path.display()))?;
    unwrap(&wrapped, keys).map_err(|error| {
        let advice = format!(
            "give a key that has opened this cache before, or remove the folder {} with `edxfs purge`",
            folder.display()
        );
        error.about(path.display()).advise(advice)
    })
}

fn unwrap(wrapped: &[u8], keys: &SecretKeys) -> Result<Opened> {
    let plain = openpgp::unwrap(keys, wrapped)?;
    let (key, packets) = plain.split_first_chunk::<32>().ok_or_else(|| Error::corrupt("is not a data key"))?;
    let (named, kept) = (openpgp::named_in(wrapped)?, openpgp::from_packets(packets)?);
    Ok(Opened { key: DataKey::from_bytes(*key), named, kept })
}

/// Wraps the folder's data key to `recipients` and to nobody else, and overwrites what it replaces. A crash leaves the
/// key file of before or the new one, whole. Errors: `NoSecretKey` without a recipient; local I/O.
pub(super) fn replace(folder: &Path, key: &DataKey, recipients: &[Recipient]) -> Result<()> {
    let packets = openpgp::to_packets(recipients)?;
    let mut plain = Zeroizing::new(Vec::with_capacity(32 + packets.len()));
    plain.extend_from_slice(key.expose());
    plain.extend_from_slice(&packets);
    let wrapped = openpgp::wrap(recipients, &plain)?;
    let (path, part) = (folder.join(FILE), folder.join(PART));
    let write = || -> io::Result<()> {
        overwrite_and_remove(&part)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        file.write_all(&wrapped)?;
        file.sync_all()?;
        let before = open_to_overwrite(&path)?;
        fs::rename(&part, &path)?;
        File::open(folder)?.sync_all()?;
        // The same data key lies in it, and whoever could open it then must not find it on the disk after a purge.
        before.map_or(Ok(()), overwrite)
    };
    write().map_err(|error| Error::from(error).about(path.display()))
}

/// Overwrites and removes the key file, so that nothing that was sealed under it can be read again, as far as the disk
/// overwrites in place. Does nothing where there is none. Errors: `Internal`, also for what is no plain file.
pub(super) fn destroy(folder: &Path) -> Result<()> {
    for path in [folder.join(FILE), folder.join(PART)] {
        overwrite_and_remove(&path)
            .map_err(|error| {
                Error::internal("the key cannot be destroyed, and nothing else was removed").caused_by(error)
            })
            .map_err(|error| error.about(path.display()))?;
    }
    Ok(File::open(folder)?.sync_all()?)
}

fn overwrite_and_remove(path: &Path) -> io::Result<()> {
    let Some(file) = open_to_overwrite(path)? else { return Ok(()) };
    overwrite(file)?;
    fs::remove_file(path)
}

/// None where there is nothing. Errors: also for what is no plain file.
fn open_to_overwrite(path: &Path) -> io::Result<Option<File>> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() => {}
        Ok(_) => return Err(io::Error::other("it is not a plain file")),
        Err(error) if error.kind() == IoKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).open(path).map(Some)
}

fn overwrite(mut file: File) -> io::Result<()> {
    let bytes = file.metadata()?.len();
    io::copy(&mut io::repeat(0).take(bytes), &mut file)?;
    file.sync_all()
}
