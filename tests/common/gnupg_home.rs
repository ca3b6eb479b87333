//! A home folder for GnuPG, whose agent ends with it.
#![allow(dead_code)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// By default the agent stretches passphrases for a tenth of a second, each time; and the memory that it locks does not
/// suffice for many files at once (GnuPG's T3530), so that now and then one of them would get ENOMEM.
const AGENT_OPTIONS: &str = "s2k-count 65536\nauto-expand-secmem\n";

/// Gone when dropped.
pub struct GnupgHome(tempfile::TempDir);

impl GnupgHome {
    pub fn new() -> GnupgHome {
        // Short, because the agent's socket lies in it.
        let home = tempfile::Builder::new().prefix("g").tempdir_in("/tmp").expect("a temporary folder");
        fs::set_permissions(home.path(), Permissions::from_mode(0o700)).expect("it is ours");
        fs::write(home.path().join("gpg-agent.conf"), AGENT_OPTIONS).expect("it is ours");
        GnupgHome(home)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// gpg in this home, on no terminal; a passphrase is given by an option.
    pub fn gpg(&self) -> Command {
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(self.path()).args(["--no-options", "--quiet", "--no-tty"]);
        gpg.args(["--pinentry-mode", "loopback"]);
        gpg
    }

    /// Of the first certificate.
    pub fn fingerprint(&self) -> String {
        let listed = self.gpg().args(["--batch", "--with-colons", "--list-keys"]).output().expect("gpg is installed");
        let listed = String::from_utf8(listed.stdout).expect("UTF-8");
        let fingerprint = listed.lines().find_map(|line| line.strip_prefix("fpr:")).expect("a fingerprint");
        fingerprint.trim_matches(':').to_owned()
    }
}

impl Drop for GnupgHome {
    fn drop(&mut self) {
        let mut kill = Command::new("gpgconf");
        let _ = kill.arg("--homedir").arg(self.path()).args(["--kill", "all"]).stderr(Stdio::null()).status();
    }
}
