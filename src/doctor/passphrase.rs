//! Where the passphrase of a locked key comes from, and whether it comes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::config::PassphraseSource;
use crate::decode::openpgp::KeyHint;
use crate::doctor::{Ask, Case, Report};
use crate::error::{Error, ErrorKind};
use crate::shell::quoted;

const CHECK: &str = "passphrase";

/// Whether any key needs one.
#[derive(Clone, Debug)]
pub enum Wanted {
    No,
    For(KeyHint),
}

/// Asks for it once, whoever is to be asked: a file, a command, or who sits at the terminal.
pub fn check(case: &Case<'_>, wanted: &Wanted, ask: Ask<'_>, report: &mut Report<'_>) {
    let source = &case.settings.passphrase;
    let name = name(source, case.environment.credentials.as_deref());
    if let PassphraseSource::File(path) = source {
        warn_of_mode(CHECK, path, report);
    }
    let Wanted::For(hint) = wanted else {
        return report.ok(CHECK, format!("from {name}, but no key is locked"));
    };
    match (source, ask(hint)) {
        (_, Ok(Some(_))) => report.ok(CHECK, format!("from {name}")),
        (_, Ok(None)) => {
            let message = format!("key {} is locked, and there is no terminal to ask for its passphrase", hint.key_id);
            let error = Error::new(ErrorKind::NoSecretKey, message);
            report.wrong(CHECK, &error.advise("give --passphrase-file or --passphrase-command"));
        }
        (_, Err(error)) => report.wrong(CHECK, &error),
    }
}

fn name(source: &PassphraseSource, credentials: Option<&Path>) -> String {
    match source {
        PassphraseSource::File(path) if credentials.is_some_and(|folder| path.starts_with(folder)) => {
            "the systemd credential edxfs-passphrase".to_owned()
        }
        PassphraseSource::File(path) => format!("the first line of {}", path.display()),
        PassphraseSource::Command(_) => "the command of passphrase-command".to_owned(),
        PassphraseSource::Prompt => "the terminal, so only a mount that is started at one gets it".to_owned(),
    }
}

/// A file that holds a secret, and that others can read.
pub fn warn_of_mode(check: &'static str, path: &Path, report: &mut Report<'_>) {
    let Ok(meta) = fs::metadata(path) else { return };
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let remedy = format!("chmod 600 {}", quoted(path));
        report.warn(check, format!("{}: others can read it (mode {mode:04o}); {remedy}", path.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_told_from_a_file_and_a_command_is_not_shown() {
        let folder = Some(Path::new("/run/credentials/x"));
        let name = |source| name(&source, folder);
        assert!(name(PassphraseSource::File("/run/credentials/x/edxfs-passphrase".into())).contains("systemd"));
        assert!(name(PassphraseSource::File("/home/p".into())).ends_with("of /home/p"));
        assert!(!name(PassphraseSource::Command("echo hunter2".into())).contains("hunter2"));
    }
}
