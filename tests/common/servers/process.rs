//! A server that is a program of its own: started on a free port of 127.0.0.1, ended with the test.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to begin: Python and Go have much to load, and other tests run beside.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Process {
    child: Child,
    pub address: SocketAddr,
    /// Its log and its data.
    _folder: TempDir,
}

impl Process {
    /// Starts what `command` makes of a port and a folder of its own, and waits until it accepts connections.
    ///
    /// Somebody else may take the port before the server does: then it ends, and another port is tried.
    pub fn start(command: impl Fn(u16, &TempDir) -> Command) -> Process {
        for _ in 0..5 {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let address = free_address();
            let log = File::create(folder.path().join("log")).expect("a log file");
            let program = command(address.port(), &folder);
            let mut child = dying_with_us(&program)
                .stdin(Stdio::null())
                .stdout(log.try_clone().expect("a descriptor"))
                .stderr(log)
                .spawn()
                .unwrap_or_else(|error| panic!("{program:?}: {error}"));
            if accepts(&mut child, address) {
                return Process { child, address, _folder: folder };
            }
            eprintln!("{program:?} ended: {}", fs::read_to_string(folder.path().join("log")).unwrap_or_default());
        }
        panic!("the server does not start");
    }
}

/// The same command, killed by the kernel should the test not come to its end.
fn dying_with_us(program: &Command) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program.get_program()).args(program.get_args());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it is bound")
}

/// Whether the server came up; not if it ended first.
fn accepts(child: &mut Child, address: SocketAddr) -> bool {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if child.try_wait().expect("a child can be waited for").is_some() {
            return false;
        }
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("a server does not accept connections");
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
