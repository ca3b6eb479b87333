//! Somebody who shall read an archive: a key of GnuPG's making, and what it decrypts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::run;
use crate::gnupg::GnupgHome;

/// An owner of keys, with a home folder for GnuPG that ends with the test.
pub struct Owner {
    home: GnupgHome,
}

impl Owner {
    pub fn new() -> Owner {
        Owner { home: GnupgHome::new() }
    }

    /// With a key for signing and a subkey for encryption.
    pub fn with_key(address: &str) -> Owner {
        let owner = Owner::new();
        owner.make_key(address, "never", &[]);
        owner.add_subkey("encr", "never", &[]);
        owner
    }

    pub fn make_key(&self, address: &str, expiry: &str, more: &[&str]) {
        run(self.gpg().args(more).args(["--quick-gen-key", address, "ed25519", "sign,cert", expiry]));
    }

    pub fn add_subkey(&self, usage: &str, expiry: &str, more: &[&str]) {
        let algorithm = if usage == "encr" { "cv25519" } else { "ed25519" };
        run(self.gpg().args(more).args(["--quick-add-key", &self.fingerprint(), algorithm, usage, expiry]));
    }

    /// Revokes the whole key with the certificate that GnuPG keeps for that.
    pub fn revoke(&self) {
        let file = self.home.path().join("openpgp-revocs.d").join(format!("{}.rev", self.fingerprint()));
        let text = fs::read_to_string(file).expect("GnuPG has made it");
        // A colon guards against accidents.
        let armed = self.home.path().join("revocation.asc");
        fs::write(&armed, text.replace(":-----BEGIN", "-----BEGIN")).expect("it is ours");
        run(self.gpg().arg("--import").arg(armed));
    }

    pub fn fingerprint(&self) -> String {
        self.home.fingerprint()
    }

    /// The certificate, in a file below `folder`.
    pub fn certificate(&self, folder: &Path, name: &str) -> PathBuf {
        self.exported(folder, name, "--export")
    }

    pub fn exported(&self, folder: &Path, name: &str, how: &str) -> PathBuf {
        let file = folder.join(name);
        fs::write(&file, run(self.gpg().args(["--armor", how])).stdout).expect("a file can be made");
        file
    }

    /// Decrypts an archive and unpacks it with tar: the folder with what was in it, and the tar itself.
    pub fn unpack(&self, archive: &Path, into: &Path) -> (PathBuf, PathBuf) {
        fs::create_dir_all(into).expect("it is ours");
        let tar = into.join("plain.tar");
        run(self.gpg().arg("--output").arg(&tar).arg("--decrypt").arg(archive));
        let folder = into.join("unpacked");
        fs::create_dir(&folder).expect("it is ours");
        run(Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(&folder));
        (folder, tar)
    }

    pub fn gpg(&self) -> Command {
        let mut gpg = self.home.gpg();
        gpg.args(["--batch", "--passphrase", ""]);
        gpg
    }
}
