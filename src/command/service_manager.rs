//! Telling the service manager how far a mount has come: sd_notify(3).
//!
//! The protocol is one datagram of `NAME=value` lines. The crates for it (sd-notify 0.5) take the address for a path and
//! so do not reach a manager that listens on an abstract socket, which is what containers have.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// For a manager that is busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who waits to be told, if anybody does. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ServiceManager {
    address: Option<SocketAddr>,
}

/// What a mount comes to, with one line on it that `systemctl status` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State<'a> {
    Starting(&'a str),
    /// The mount answers; also after `Reloading`.
    Ready(&'a str),
    Reloading(&'a str),
    Stopping(&'a str),
}

impl ServiceManager {
    /// The one that listens at `$NOTIFY_SOCKET`: a path, or a name behind `@`. None, or one that cannot be: nobody is told.
    pub fn at(notify_socket: Option<&OsStr>) -> Self {
        let address = notify_socket.and_then(|name| match name.as_bytes().split_first() {
            Some((b'@', name)) => SocketAddr::from_abstract_name(name).ok(),
            Some((b'/', _)) => SocketAddr::from_pathname(name).ok(),
            _ => None,
        });
        ServiceManager { address }
    }

    /// Waits a little where the manager is busy, as it hears each state once; goes on without one that has gone.
    pub fn tell(&self, state: State) {
        let Some(address) = &self.address else { return };
        let sent = UnixDatagram::unbound().and_then(|socket| {
            socket.set_write_timeout(Some(PATIENCE))?;
            socket.send_to_addr(message(state)?.as_bytes(), address)
        });
        if let Err(error) = sent {
            tracing::warn!("the service manager cannot be told: {error}");
        }
    }
}

fn message(state: State) -> io::Result<String> {
    Ok(match state {
        State::Starting(status) => format!("STATUS={}\n", one_line(status)),
        State::Ready(status) => format!("READY=1\nSTATUS={}\n", one_line(status)),
        State::Reloading(status) => {
            format!("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS={}\n", monotonic_micros()?, one_line(status))
        }
        State::Stopping(status) => format!("STOPPING=1\nSTATUS={}\n", one_line(status)),
    })
}

/// A line end in it would begin another variable.
fn one_line(status: &str) -> String {
    status.replace(char::is_control, " ")
}

/// When a reload began; since systemd 253 a reload without it counts as failed.
fn monotonic_micros() -> io::Result<i64> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is writable.
    match unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) } {
        0 => Ok(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_line_whatever_it_quotes() {
        let message = message(State::Ready("S3 says\nREADY=0\r")).expect("it needs no clock");
        assert_eq!(message, "READY=1\nSTATUS=S3 says READY=0 \n");
    }

    #[test]
    fn an_address_of_no_kind_is_nobody() {
        for name in ["", "relative", "vsock:2:1234"] {
            assert!(ServiceManager::at(Some(OsStr::new(name))).address.is_none(), "{name}");
        }
        assert!(ServiceManager::at(Some(OsStr::new("@edxfs"))).address.is_some());
    }
}
