//! The cache folder's data key: made once, wrapped to the OpenPGP keys given, opened by any of them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::decode::openpgp::{self, SecretKeys};
use crate::error::{Error, Result};
use crate::store::seal::DataKey;

/// An OpenPGP message that holds the 32 bytes.
const FILE: &str = "key.gpg";

/// Opens the folder's data key, or makes one. Errors: `NoSecretKey` if it is wrapped to other keys; `Corrupt`.
pub fn open_or_create(folder: &Path, keys: &SecretKeys) -> Result<DataKey> {
    let path = folder.join(FILE);
    match fs::read(&path) {
        Ok(wrapped) => unwrap(&wrapped, keys).map_err(|error| {
            let advice =
                format!("give a key that has opened this cache before, or remove the folder {}", folder.display());
            error.about(path.display()).advise(advice)
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => create(&path, keys),
        Err(error) => Err(Error::from(error).about(path.display())),
    }
}

fn unwrap(wrapped: &[u8], keys: &SecretKeys) -> Result<DataKey> {
    let bytes = openpgp::unwrap(keys, wrapped)?;
    let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| Error::corrupt("is not a data key"))?;
    Ok(DataKey::from_bytes(*bytes))
}

/// Through a temporary file, so that a crash leaves a whole key or none.
fn create(path: &Path, keys: &SecretKeys) -> Result<DataKey> {
    let key = DataKey::random()?;
    let wrapped = openpgp::wrap(keys, key.expose())?;
    let part = path.with_extension("part");
    let _ = fs::remove_file(&part);
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        file.write_all(&wrapped)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(|error| Error::from(error).about(path.display()))?;
    Ok(key)
}
