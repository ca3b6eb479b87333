//! Runs the real programs; one GnuPG home for all tests of this binary.

use std::io::{Cursor, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use edxfs::decode::openpgp::{self, SecretKeys};
use edxfs::decode::zip::Ranged;
use edxfs::error::Result;

/// Runs a program with `input` on its standard input; its standard output. Panics if it fails.
pub fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let (status, output, complaint) = attempt(command, input);
    assert!(status, "{command:?}: {complaint}");
    output
}

pub fn attempt(command: &mut Command, input: &[u8]) -> (bool, Vec<u8>, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    let mut stdin = child.stdin.take().expect("piped");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).ok());
        child.wait_with_output().expect("ends")
    });
    (output.status.success(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}

pub fn python(script: &str, arguments: &[&Path]) -> Vec<u8> {
    run(Command::new("python3").arg("-c").arg(script).args(arguments), b"")
}

/// Lines like those of a tracking log.
pub fn log_lines(bytes: usize) -> Vec<u8> {
    let mut lines = Vec::with_capacity(bytes + 200);
    for (number, noise) in (0u64..).zip(noise(8 * bytes / 40).chunks_exact(8).cycle()) {
        let noise = u64::from_le_bytes(noise.try_into().expect("eight"));
        writeln!(lines, r#"{{"username": "u{number}", "event_type": "play_video", "event": "{noise:x}"}}"#).unwrap();
        if lines.len() >= bytes {
            break;
        }
    }
    lines
}

/// Bytes that do not compress, the same every time.
pub fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}

pub fn boxed(bytes: &[u8]) -> Box<dyn Read + Send> {
    Box::new(Cursor::new(bytes.to_vec()))
}

pub fn decrypted(keys: &SecretKeys, message: &[u8]) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    openpgp::decrypt(keys, boxed(message))?.read_to_end(&mut plain)?;
    Ok(plain)
}

pub fn loaded(key_file: &[u8]) -> SecretKeys {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, key_file).unwrap();
    SecretKeys::load(&[file], &mut |_| Ok(None)).unwrap()
}

/// An archive in memory that notes each request.
pub struct Archive {
    pub content: Vec<u8>,
    pub requests: Mutex<Vec<std::ops::Range<u64>>>,
}

impl Archive {
    pub fn new(content: Vec<u8>) -> Self {
        Archive { content, requests: Mutex::default() }
    }

    pub fn take_requests(&self) -> Vec<std::ops::Range<u64>> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

impl Ranged for Archive {
    fn bytes(&self) -> u64 {
        self.content.len() as u64
    }

    fn read(&self, range: std::ops::Range<u64>) -> Result<Box<dyn Read + Send>> {
        assert!(range.start < range.end && range.end <= self.bytes(), "{range:?}");
        self.requests.lock().unwrap().push(range.clone());
        Ok(boxed(&self.content[range.start as usize..range.end as usize]))
    }
}

/// A GnuPG home with the keys below; gone, with its agent, when the tests end.
pub struct Gpg {
    home: PathBuf,
}

/// Two RSA keys as data czars have them.
pub const CZAR: &str = "czar@example.org";
pub const MASTER: &str = "master@example.org";
pub const CURVE25519: &str = "curve@example.org";
pub const NIST: &str = "nist@example.org";
pub const ELGAMAL: &str = "elgamal@example.org";
pub const EXPIRED: &str = "expired@example.org";
pub const LOCKED: &str = "locked@example.org";
pub const SIGNER: &str = "signer@example.org";
pub const PASSPHRASE: &str = "correct horse";
/// A moment when the key of `EXPIRED` was still good.
pub const LONG_AGO: &str = "20120601T000000";

pub fn gpg() -> Arc<Gpg> {
    static SHARED: OnceLock<Arc<Gpg>> = OnceLock::new();
    SHARED
        .get_or_init(|| {
            let home = std::env::temp_dir().join(format!("edxfs-gpg-{}", std::process::id()));
            std::fs::DirBuilder::new().mode(0o700).create(&home).unwrap();
            let gpg = Arc::new(Gpg { home });
            // Statics are never dropped, and an agent left behind outlives the tests.
            unsafe { libc::atexit(remove_home) };
            gpg.generate();
            gpg
        })
        .clone()
}

extern "C" fn remove_home() {
    let home = std::env::temp_dir().join(format!("edxfs-gpg-{}", std::process::id()));
    let _ = Command::new("gpgconf").arg("--homedir").arg(&home).args(["--kill", "all"]).status();
    let _ = std::fs::remove_dir_all(home);
}

impl Gpg {
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(&self.home).args([
            "--batch",
            "--no-tty",
            "--quiet",
            "--pinentry-mode",
            "loopback",
        ]);
        command.args(["--trust-model", "always"]).args(arguments);
        command
    }

    /// The producer's way: plaintext on standard input, several recipients.
    pub fn encrypted(&self, plain: &[u8], recipients: &[&str], options: &[&str]) -> Vec<u8> {
        let mut command = self.command(options);
        for recipient in recipients {
            command.args(["--recipient", recipient]);
        }
        run(command.arg("--encrypt"), plain)
    }

    pub fn exported(&self, user: &str, options: &[&str]) -> Vec<u8> {
        let mut arguments = vec!["--passphrase", if user == LOCKED { PASSPHRASE } else { "" }];
        arguments.extend(options);
        arguments.extend(["--export-secret-keys", user]);
        run(&mut self.command(&arguments), b"")
    }

    pub fn keys(&self, user: &str) -> SecretKeys {
        loaded(&self.exported(user, &[]))
    }

    fn generate(&self) {
        let rsa = "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign\nSubkey-Type: RSA\nSubkey-Length: 2048\nSubkey-Usage: encrypt\n";
        let nist = "Key-Type: ECDSA\nKey-Curve: nistp256\nSubkey-Type: ECDH\nSubkey-Curve: nistp256\n";
        let curve = "Key-Type: EDDSA\nKey-Curve: ed25519\nSubkey-Type: ECDH\nSubkey-Curve: cv25519\n";
        let elgamal = "Key-Type: DSA\nKey-Length: 1024\nSubkey-Type: ELG-E\nSubkey-Length: 1024\n";
        let signer = "Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign\n";
        for (user, kind, rest, options) in [
            (CZAR, rsa, "%no-protection\nExpire-Date: 0\n", &[][..]),
            (MASTER, rsa, "%no-protection\nExpire-Date: 0\n", &[]),
            (NIST, nist, "%no-protection\nExpire-Date: 0\n", &[]),
            (CURVE25519, curve, "%no-protection\nExpire-Date: 0\n", &[]),
            (ELGAMAL, elgamal, "%no-protection\nExpire-Date: 0\n", &[]),
            (SIGNER, signer, "%no-protection\nExpire-Date: 0\n", &[]),
            (EXPIRED, rsa, "%no-protection\nExpire-Date: 1y\n", &["--faked-system-time", "20120101T000000"]),
            (LOCKED, rsa, "Passphrase: correct horse\nExpire-Date: 0\n", &[]),
        ] {
            let batch = format!("{kind}Name-Email: {user}\n{rest}%commit\n");
            let mut arguments = options.to_vec();
            arguments.extend(["--gen-key"]);
            run(&mut self.command(&arguments), batch.as_bytes());
        }
    }
}

/// Where the packets of a binary message begin, as far as their headers have one length (session keys do).
pub fn body_offset(message: &[u8]) -> usize {
    let mut at = 0;
    // GnuPG writes session keys with the old header and two length bytes (0x85), or one (0x84).
    loop {
        match message[at] {
            0x85 => at += 3 + usize::from(u16::from_be_bytes([message[at + 1], message[at + 2]])),
            0x84 => at += 2 + usize::from(message[at + 1]),
            _ => return at,
        }
    }
}
