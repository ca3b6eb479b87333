//! GnuPG child processes: keys made once, then one `gpg` for each file with its plaintext on standard input, as the
//! producer does. That makes GnuPG compress what is gzip already and write partial lengths.

use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::error::{Error, Result};

/// The two recipients: the organisation's data czar, and the producer's master key, whose secret is thrown away.
const CZAR: &str = "czar@unix.example.org";
const MASTER: &str = "master@edx.example.org";
pub const PASSPHRASE: &str = "correct horse demo staple";
/// By default the agent measures how many rounds make a tenth of a second, several times, and every reader of the key
/// pays for them; nobody has to guess this passphrase.
const AGENT_OPTIONS: &str = "s2k-count 1048576\n";

/// A GnuPG home folder of our own with both keys; it goes, with its agent, when this is dropped.
pub struct Keyring {
    home: PathBuf,
}

impl Keyring {
    /// Makes both keys, RSA 2048 with an encryption subkey; takes about a second.
    /// Errors: `Usage` if there is no GnuPG; `Internal` if it fails.
    pub fn create() -> Result<Self> {
        let keyring = Keyring { home: new_home()? };
        fs::write(keyring.home.join("gpg-agent.conf"), AGENT_OPTIONS)?;
        keyring.make_key(CZAR, &format!("Passphrase: {PASSPHRASE}"))?;
        keyring.make_key(MASTER, "%no-protection")?;
        Ok(keyring)
    }

    /// The czar's secret key, ASCII-armoured, protected by `PASSPHRASE`.
    pub fn czar_secret(&self) -> Result<Vec<u8>> {
        let mut gpg = self.gpg();
        gpg.args(["--pinentry-mode", "loopback", "--passphrase-fd", "0", "--armor", "--export-secret-keys", CZAR]);
        output_of(gpg, PASSPHRASE.as_bytes())
    }

    /// The master's public key, ASCII-armoured.
    pub fn master_public(&self) -> Result<Vec<u8>> {
        let mut gpg = self.gpg();
        gpg.args(["--armor", "--export", MASTER]);
        output_of(gpg, b"")
    }

    /// Begins an encrypted file for both recipients.
    pub fn encrypt_to(&self, output: &Path) -> Result<Encryption> {
        let mut gpg = self.gpg();
        gpg.args(["--encrypt", "--recipient", CZAR, "--recipient", MASTER, "--always-trust", "--output"]).arg(output);
        let mut child = spawn(&mut gpg)?;
        let stdin = child.stdin.take();
        Ok(Encryption { child, stdin })
    }

    fn gpg(&self) -> Command {
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(&self.home).args(["--no-options", "--quiet", "--no-tty", "--batch"]);
        gpg
    }

    fn make_key(&self, email: &str, protection: &str) -> Result<()> {
        let (name, _) = email.split_once('@').unwrap_or((email, ""));
        let parameters = format!(
            "Key-Type: RSA\nKey-Length: 2048\n{protection}\nKey-Usage: sign\nSubkey-Type: RSA\nSubkey-Length: 2048\n\
             Subkey-Usage: encrypt\nName-Real: Demo {name}\nName-Email: {email}\nExpire-Date: 0\n%commit\n"
        );
        let mut gpg = self.gpg();
        gpg.args(["--pinentry-mode", "loopback", "--gen-key"]);
        output_of(gpg, parameters.as_bytes()).map(drop)
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        // Nothing can be done about an agent that will not end; it ends itself when its folder is gone.
        let _ = Command::new("gpgconf").arg("--homedir").arg(&self.home).args(["--kill", "all"]).status();
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// A file being encrypted; without `finish` it is incomplete.
pub struct Encryption {
    child: Child,
    stdin: Option<std::process::ChildStdin>,
}

impl Encryption {
    /// Waits until the file is whole.
    pub fn finish(mut self) -> Result<()> {
        drop(self.stdin.take());
        wait(&mut self.child)
    }
}

impl Write for Encryption {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stdin.as_mut().map_or(Ok(0), |stdin| stdin.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Encryption {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // After `finish` this asks for a status that is already known.
        let _ = self.child.wait();
    }
}

/// Short, because the agent's socket lies in it and a socket's path may have at most 107 bytes.
fn new_home() -> Result<PathBuf> {
    for attempt in 0..10_000 {
        let home = std::env::temp_dir().join(format!("edxfs-demo-{}-{attempt}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&home) {
            Ok(()) => return Ok(home),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::from(error).about(home.display())),
        }
    }
    Err(Error::internal("no free name for a temporary folder"))
}

fn spawn(gpg: &mut Command) -> Result<Child> {
    gpg.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    gpg.spawn().map_err(|error| missing_tool("gpg", "gnupg", error))
}

/// Says which package holds a program that cannot be run.
pub fn missing_tool(program: &str, package: &str, error: io::Error) -> Error {
    if error.kind() != io::ErrorKind::NotFound {
        return Error::internal(format!("cannot run {program}")).caused_by(error);
    }
    Error::usage(format!("cannot make a demo package without the program {program}"))
        .advise(format!("install the package {package} (apt-get install {package}, dnf install {package})"))
}

fn output_of(mut gpg: Command, input: &[u8]) -> Result<Vec<u8>> {
    let mut child = spawn(&mut gpg)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input)?;
    }
    let mut output = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut output)?;
    }
    wait(&mut child)?;
    Ok(output)
}

fn wait(child: &mut Child) -> Result<()> {
    let mut message = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut message)?;
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    Err(Error::internal(format!("gpg failed ({status}): {}", message.trim())))
}
