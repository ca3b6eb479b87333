//! Encrypts as the producer does, with GnuPG: for the package's own recipient, or for somebody else.
#![allow(dead_code)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use edxfs::demo::Made;

use crate::common::run;

/// Who can read a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Czar,
    /// The producer alone: no key here opens it.
    Nobody,
}

/// A keyring with the public keys of a package.
pub struct Keyring {
    home: tempfile::TempDir,
}

impl Keyring {
    pub fn of(made: &Made) -> Keyring {
        let keyring = Keyring::empty();
        let keys = made.secret_key.parent().expect("the key lies in a folder");
        run(keyring.gpg().arg("--import").arg(&made.secret_key).arg(keys.join("master-public.asc")));
        keyring
    }

    pub fn empty() -> Keyring {
        // Short, because the agent's socket lies in it.
        let home = tempfile::Builder::new().prefix("g").tempdir_in("/tmp").expect("a temporary folder");
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).expect("a mode can be set");
        Keyring { home }
    }

    pub fn encrypt(&self, reader: Reader, plain: &[u8]) -> Vec<u8> {
        let recipient = match reader {
            Reader::Czar => "czar@unix.example.org",
            Reader::Nobody => "master@edx.example.org",
        };
        let mut gpg = self.gpg();
        gpg.args(["--always-trust", "--encrypt", "--recipient", recipient]);
        filter(&mut gpg, plain)
    }

    /// A new secret key without a passphrase, in a file below `folder`.
    pub fn new_secret_key(&self, folder: &Path) -> PathBuf {
        self.secret_key_of("", "never", &["never"], folder)
    }

    /// The same, whose year of validity has passed.
    pub fn expired_secret_key(&self, folder: &Path) -> PathBuf {
        self.secret_key_of("", "1y", &["1y"], folder)
    }

    /// One with an encryption subkey whose year has passed, and its successor.
    pub fn renewed_secret_key(&self, folder: &Path) -> PathBuf {
        self.secret_key_of("", "never", &["1y", "never"], folder)
    }

    /// One that decrypts nothing.
    pub fn signing_secret_key(&self, folder: &Path) -> PathBuf {
        self.secret_key_of("", "never", &[], folder)
    }

    /// One behind a passphrase that is nowhere written.
    pub fn locked_secret_key(&self, folder: &Path) -> PathBuf {
        self.secret_key_of("not to be had", "never", &["never"], folder)
    }

    /// With an encryption subkey for each of `subkeys`, its validity.
    fn secret_key_of(&self, passphrase: &str, validity: &str, subkeys: &[&str], folder: &Path) -> PathBuf {
        let made = "20150101T000000!";
        let unasked = ["--pinentry-mode", "loopback", "--passphrase", passphrase];
        let mut gpg = self.gpg();
        let generate = ["--quick-gen-key", "other@example.org", "rsa2048", "default", validity];
        run(gpg.args(["--faked-system-time", made]).args(unasked).args(generate));
        // GnuPG 2.2 gives a key made by algorithm no encryption subkey.
        let listed = run(self.gpg().args(["--with-colons", "--list-keys"]));
        let listed = String::from_utf8(listed.stdout).expect("UTF-8");
        let fingerprint = listed.lines().find_map(|line| line.strip_prefix("fpr:")).expect("a fingerprint");
        let fingerprint = fingerprint.trim_matches(':').to_owned();
        for validity in subkeys {
            let subkey = ["--quick-add-key", &fingerprint, "rsa2048", "encr", validity];
            run(self.gpg().args(["--faked-system-time", made]).args(unasked).args(subkey));
        }
        let file = folder.join("other-secret.asc");
        fs::write(&file, run(self.gpg().args(unasked).args(["--armor", "--export-secret-keys"])).stdout)
            .expect("a file can be made");
        file
    }

    fn gpg(&self) -> Command {
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(self.home.path()).args(["--no-options", "--quiet", "--no-tty", "--batch"]);
        gpg
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).status();
    }
}

/// `gzip`, as the producer calls it.
pub fn gzipped(plain: &[u8]) -> Vec<u8> {
    filter(Command::new("gzip").args(["-9", "-n", "-c"]), plain)
}

/// What a command writes when it is given `input`; fails the test if it fails.
pub fn filter(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let mut stdin = child.stdin.take().expect("it is piped");
    let output = thread::scope(|scope| {
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("a child can be waited for")
    });
    assert!(output.status.success(), "{command:?}: {}", output.status);
    output.stdout
}
