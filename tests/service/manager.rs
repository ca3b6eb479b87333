//! A service manager as far as the tests need one: it owns `$NOTIFY_SOCKET`, starts a main process, listens, and ends it.

use std::fs::{self, File};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::common::{PATIENCE, run};

/// One service and what it says of itself.
pub struct Service {
    pub main: Child,
    pub socket: UnixDatagram,
    pub point: PathBuf,
    log: PathBuf,
}

/// How the address is given.
#[derive(Clone, Copy, Debug)]
pub enum Address {
    Path,
    Abstract,
}

/// A socket to be told on, and its address as `$NOTIFY_SOCKET` names it.
pub fn listen(scratch: &Path, address: Address) -> (UnixDatagram, String) {
    let path = scratch.join("notify").display().to_string();
    let _ = fs::remove_file(&path);
    let (socket, name) = match address {
        Address::Path => (UnixDatagram::bind(&path), path),
        Address::Abstract => {
            let name = SocketAddr::from_abstract_name(&path).expect("it is short");
            (UnixDatagram::bind_addr(&name), format!("@{path}"))
        }
    };
    let socket = socket.expect("nobody else has the name");
    socket.set_read_timeout(Some(PATIENCE)).expect("it is not zero");
    (socket, name)
}

impl Service {
    /// Starts a mount on `point`; standard error goes to a file that `$JOURNAL_STREAM` calls the journal.
    pub fn start(main: &mut Command, point: &Path, scratch: &Path, address: Address) -> Service {
        let (socket, name) = listen(scratch, address);
        let log = scratch.join("journal");
        let journal = File::options().create(true).append(true).open(&log).expect("a log file");
        let stat = journal.metadata().expect("it is open");
        main.env("NOTIFY_SOCKET", name).env("JOURNAL_STREAM", format!("{}:{}", stat.dev(), stat.ino()));
        main.stdin(Stdio::null()).stdout(Stdio::null()).stderr(journal);
        let main = main.spawn().expect("edxfs starts");
        Service { main, socket, point: point.to_path_buf(), log }
    }

    /// The next thing said; the test fails if there is none in time.
    pub fn hear(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{error}: {}", self.journal()));
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    /// Listens until something begins with `word`.
    pub fn hear_until(&self, word: &str) -> String {
        std::iter::repeat_with(|| self.hear()).find(|said| said.starts_with(word)).expect("it does not end")
    }

    /// What has been said and not been listened to.
    pub fn heard(&self) -> String {
        self.socket.set_nonblocking(true).expect("it is open");
        let mut heard = String::new();
        let mut buffer = [0; 4096];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(length) => heard.push_str(&String::from_utf8_lossy(&buffer[..length])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.socket.set_nonblocking(false).expect("it is open");
        heard
    }

    pub fn journal(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn signal(&self, signal: &str) {
        run(Command::new("kill").args([signal, &self.main.id().to_string()]));
    }

    /// Asks it to end, as `systemctl stop` does.
    pub fn stop(&mut self) {
        self.signal("-TERM");
        assert!(self.hear_until("STOPPING=1").contains("STATUS="));
        let status = self.main.wait().expect("it is ours");
        assert!(status.success(), "{status}: {}", self.journal());
    }

    /// The end that nobody has time to prepare for.
    pub fn crash(&mut self) {
        self.main.kill().and_then(|()| self.main.wait().map(drop)).expect("it is ours");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.main.kill();
        let _ = self.main.wait();
        let _ = Command::new("umount").arg("-l").arg(&self.point).stderr(Stdio::null()).status();
    }
}
