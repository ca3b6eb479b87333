//! Key files → unlocked keys; where the passphrase comes from.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::config::{PassphraseSource, Settings};
use crate::decode::openpgp::{KeyHint, Passphrase, SecretKeys};
use crate::error::{Error, ErrorKind, Result};

/// The longest first line of a passphrase file.
const LIMIT: u64 = 4096;

/// Unlocks the key files of the settings. Errors: as `SecretKeys::load`, and as [`passphrase`].
pub fn unlock(settings: &Settings) -> Result<SecretKeys> {
    if settings.keys.is_empty() {
        return Ok(SecretKeys::none());
    }
    let keys = SecretKeys::load(&settings.keys, &mut |hint| passphrase(&settings.passphrase, hint))?;
    for warning in keys.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(keys)
}

/// The passphrase of one key; None once there is no other to try. Errors: `NoSecretKey`, local I/O.
pub fn passphrase(source: &PassphraseSource, hint: &KeyHint) -> Result<Option<Passphrase>> {
    match source {
        // A file and a command say the same every time.
        PassphraseSource::File(_) | PassphraseSource::Command(_) if hint.attempt > 1 => Ok(None),
        PassphraseSource::File(path) => from_file(path).map(Some),
        PassphraseSource::Command(command) => from_command(command).map(Some),
        PassphraseSource::Prompt => from_terminal(hint).map(Some),
    }
}

fn from_file(path: &Path) -> Result<Passphrase> {
    let read = File::open(path).map_err(Error::from).and_then(first_line);
    read.map_err(|error| Error::new(ErrorKind::NoSecretKey, "cannot read the passphrase").caused_by(error))
        .map_err(|error| error.about(path.display()))
}

/// The command's own complaints go to our standard error; it has no part in our input.
fn from_command(command: &str) -> Result<Passphrase> {
    let failed = |why: &dyn std::fmt::Display| {
        Error::new(ErrorKind::NoSecretKey, format!("the passphrase command {why}")).about("--passphrase-command")
    };
    let mut child =
        Command::new("/bin/sh").arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().expect("its standard output was just piped");
    let line = first_line(stdout);
    let status = child.wait()?;
    if !status.success() {
        return Err(failed(&format_args!("failed ({status})")));
    }
    line.map_err(|error| failed(&format_args!("printed no passphrase: {error}")))
}

/// Reads to the end, so that a command is not cut off, keeps the first line, and wipes the rest.
fn first_line(mut input: impl Read) -> Result<Passphrase> {
    // Room for all at once: a vector that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(LIMIT as usize + 1));
    (&mut input).take(LIMIT).read_to_end(&mut text)?;
    io::copy(&mut input, &mut io::sink())?;
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() { Err(Error::usage("the first line is empty")) } else { Ok(Passphrase::new(line.to_vec())) }
}

fn from_terminal(hint: &KeyHint) -> Result<Passphrase> {
    let whose = hint.user_id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
    let again = if hint.attempt > 1 { "that was wrong; " } else { "" };
    let prompt = format!("{again}passphrase of key {}{whose} in {}: ", hint.key_id, hint.file.display());
    let typed = rpassword::prompt_password(prompt).map_err(|error| {
        Error::new(ErrorKind::NoSecretKey, "the key is locked, and there is no terminal to ask for its passphrase")
            .caused_by(error)
            .advise("give --passphrase-file or --passphrase-command")
            .about(hint.file.display())
    })?;
    Ok(Passphrase::new(typed.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_first_line_is_a_passphrase() {
        for text in ["secret\nmore\n", "secret", "secret\r\n"] {
            assert!(first_line(text.as_bytes()).is_ok(), "{text:?}");
        }
        for text in ["", "\n", "\nsecret"] {
            assert!(first_line(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_command_that_fails_gives_no_passphrase() {
        assert!(from_command("echo secret").is_ok());
        let error = from_command("echo secret; exit 3").expect_err("it failed");
        assert_eq!(error.kind(), ErrorKind::NoSecretKey);
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
