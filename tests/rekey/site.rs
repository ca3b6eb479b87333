//! A cache that the package's own key has made and filled, and the people who may open it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use edxfs::demo::Made;
use tempfile::TempDir;

use crate::common::{EDXFS, Mount, run, small_package};
use crate::fixtures::{self, Gpg};

/// What the cache holds.
pub const DAY: &str = "courses/UniX-CHEM-R1/events/2015-03-04.log";
/// Whose key the package is encrypted to; the others are those of the fixtures.
pub const OWNER: &str = "czar@unix.example.org";

/// Nothing of the user's own.
pub const NO_CONFIGURATION: [&str; 2] = ["--config", "/dev/null"];

pub struct Site {
    pub made: Made,
    pub gpg: Arc<Gpg>,
    pub scratch: TempDir,
    /// The content of `DAY`.
    pub right: Vec<u8>,
}

impl Site {
    pub fn cached() -> Site {
        let scratch = tempfile::tempdir().unwrap();
        let mut site = Site { made: small_package(), gpg: fixtures::gpg(), scratch, right: Vec::new() };
        let read = site.cat(OWNER);
        assert!(read.status.success() && read.stdout.len() > 100, "{}", text(&read.stderr));
        site.right = read.stdout;
        site
    }

    pub fn cache(&self) -> PathBuf {
        self.scratch.path().join("cache")
    }

    pub fn key_file(&self) -> PathBuf {
        self.cache().join("key.gpg")
    }

    /// A file with somebody's certificate.
    pub fn certificate(&self, user: &str) -> String {
        self.file(&format!("{user}.asc"), &fixtures::run(&mut self.gpg.command(&["--armor", "--export", user]), b""))
    }

    pub fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.scratch.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    /// Options that give somebody's secret key.
    pub fn secret(&self, user: &str) -> Vec<String> {
        if user == OWNER {
            let [key, passphrase] = [&self.made.secret_key, &self.made.passphrase_file];
            let pairs = [("--secret-key", key), ("--passphrase-file", passphrase)];
            return pairs.iter().flat_map(|(name, path)| [(*name).to_owned(), path.display().to_string()]).collect();
        }
        vec!["--secret-key".to_owned(), self.file(&format!("{user}.key"), &self.gpg.exported(user, &[]))]
    }

    /// Fingerprints of a certificate and of its subkey.
    pub fn fingerprints(&self, user: &str) -> [String; 2] {
        let key = match user {
            OWNER => self.made.secret_key.display().to_string(),
            _ => self.certificate(user),
        };
        let listed = text(&fixtures::run(&mut self.gpg.command(&["--with-colons", "--show-keys", &key]), b""));
        let found = listed.lines().filter_map(|line| line.strip_prefix("fpr:"));
        let found: Vec<String> = found.map(|rest| rest.trim_matches(':').to_owned()).collect();
        found.try_into().expect("a primary key and a subkey")
    }

    /// The program with somebody's secret key and this cache.
    pub fn edxfs(&self, verb: &str, user: &str, arguments: &[&str]) -> Output {
        self.edxfs_in(&["--org", "unix", "--cache-dir", &self.cache().display().to_string()], verb, user, arguments)
    }

    pub fn edxfs_in(&self, place: &[&str], verb: &str, user: &str, arguments: &[&str]) -> Output {
        // What `cat` writes does not fit into a pipe that nobody reads.
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=1", "60", EDXFS, verb])
            .args(NO_CONFIGURATION)
            .args(place)
            .args(self.secret(user))
            .args(arguments);
        command.stdin(Stdio::null()).output().expect("coreutils are installed")
    }

    /// Fails the test where the program fails; its standard output.
    pub fn rekey(&self, user: &str, arguments: &[&str]) -> String {
        let output = self.edxfs("rekey", user, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "");
        text(&output.stdout)
    }

    /// Exit code and message of a command that must fail and leave the key file as it is.
    pub fn refused(&self, user: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let before = fs::read(self.key_file()).ok();
        let output = self.edxfs("rekey", user, arguments);
        assert_eq!(fs::read(self.key_file()).ok(), before, "{arguments:?}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        (output.status.code(), text(&output.stderr))
    }

    /// Reads `DAY`, which has to be decrypted with the owner's key where the cache does not have it.
    pub fn cat(&self, user: &str) -> Output {
        self.edxfs("cat", user, &["--folder", &self.made.data.display().to_string(), DAY])
    }

    pub fn assert_reads(&self, user: &str) {
        let output = self.cat(user);
        assert!(output.status.success() && output.stdout == self.right, "{user}: {}", text(&output.stderr));
    }

    pub fn assert_locked(&self, user: &str) {
        let output = self.cat(user);
        let message = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{user}: {message}");
        assert!(message.contains("key.gpg: no secret key for its"), "{user}: {message}");
        assert!(message.contains("give a key that has opened this cache before"), "{user}: {message}");
    }

    /// Mounts with somebody's key; the site is given back by `unmount`.
    pub fn mount(&mut self, user: &str) -> Mount {
        let mut options = self.secret(user);
        let folder = self.made.data.display().to_string();
        options.extend(["--org", "unix", "--index", "off", "--folder", &folder].map(str::to_owned));
        Mount::start_in(std::mem::replace(&mut self.scratch, tempfile::tempdir().unwrap()), &options, &[])
    }

    pub fn unmount(&mut self, mount: Mount) {
        self.scratch = mount.stop();
    }

    /// Key IDs that the key file names, by GnuPG.
    pub fn named_by_gnupg(&self) -> Vec<String> {
        let mut list = self.gpg.command(&["--list-packets"]);
        let (_, packets, _) = fixtures::attempt(list.arg(self.key_file()), b"");
        let packets = text(&packets);
        let ids = packets.lines().filter(|line| line.starts_with(":pubkey enc packet:"));
        ids.filter_map(|line| line.rsplit_once("keyid ")).map(|(_, id)| id.to_owned()).collect()
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The last 16 digits.
pub fn key_id(fingerprint: &str) -> &str {
    &fingerprint[24..]
}

pub fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg(from).arg(to));
}

/// Every file below a folder, as its path there; a folder without files counts as one.
pub fn tree(folder: &Path) -> Vec<String> {
    let mut find = Command::new("find");
    let found = text(&run(find.arg(folder).args(["-mindepth", "1", "-printf", "%P\\n"])).stdout);
    let mut found: Vec<String> = found.lines().map(str::to_owned).collect();
    found.sort();
    found
}
