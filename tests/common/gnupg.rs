//! Encrypts as the producer does, with GnuPG: for the package's own recipient, or for somebody else.
#![allow(dead_code)]

#[path = "gnupg_home.rs"]
mod home;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use edxfs::demo::Made;

pub use self::home::GnupgHome;
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
    home: GnupgHome,
}

impl Keyring {
    pub fn of(made: &Made) -> Keyring {
        let keyring = Keyring::empty();
        let keys = made.secret_key.parent().expect("the key lies in a folder");
        run(keyring.gpg().arg("--import").arg(&made.secret_key).arg(keys.join("master-public.asc")));
        keyring
    }

    pub fn empty() -> Keyring {
        Keyring { home: GnupgHome::new() }
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
        let unasked = ["--passphrase", passphrase];
        let mut gpg = self.gpg();
        let generate = ["--quick-gen-key", "other@example.org", "rsa2048", "default", validity];
        run(gpg.args(["--faked-system-time", made]).args(unasked).args(generate));
        // GnuPG 2.2 gives a key made by algorithm no encryption subkey.
        let fingerprint = self.home.fingerprint();
        for validity in subkeys {
            let subkey = ["--quick-add-key", &fingerprint, "rsa2048", "encr", validity];
            run(self.gpg().args(["--faked-system-time", made]).args(unasked).args(subkey));
        }
        let file = folder.join("other-secret.asc");
        let exported = run(self.gpg().args(unasked).args(["--armor", "--export-secret-keys"])).stdout;
        let mut private = OpenOptions::new();
        private.write(true).create(true).truncate(true).mode(0o600);
        private.open(&file).and_then(|mut file| file.write_all(&exported)).expect("a file can be made");
        file
    }

    fn gpg(&self) -> Command {
        let mut gpg = self.home.gpg();
        gpg.arg("--batch");
        gpg
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
