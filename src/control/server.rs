//! The owner's side of the socket: bounded in connections, request length and time.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::control::owner::Owned;
use crate::control::{REQUEST_LIMIT, Reply, Request, open_dir, peer_is_trusted, socket_path};
use crate::error::{Error, Result};

const MAX_CONNECTIONS: usize = 16;
/// A client that neither asks nor reads for so long is dropped.
const PATIENCE: Duration = Duration::from_secs(5);

/// What answers requests; called from several threads.
pub type Answer = Arc<dyn Fn(Request) -> Reply + Send + Sync>;

/// A served cache folder; ends with its drop, the lock last.
pub struct Serving {
    listener: Arc<UnixListener>,
    thread: Option<JoinHandle<()>>,
    dir: File,
    owned: Owned,
}

/// Listens on the folder's socket, in a thread of its own, until the result is dropped.
///
/// A socket left by a crash is replaced: whoever has the lock knows that nobody listens on it. Errors: local I/O.
pub fn serve(owned: Owned, answer: Answer) -> Result<Serving> {
    let dir = open_dir(&owned.dir)?;
    let path = socket_path(&owned.dir, &dir);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let listener = Arc::new(UnixListener::bind(&path).map_err(|error| {
        Error::internal("cannot listen on the control socket").caused_by(error).about(owned.dir.display())
    })?);
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    let thread = {
        let listener = Arc::clone(&listener);
        thread::Builder::new().name("control".into()).spawn(move || accept(&listener, &answer))?
    };
    Ok(Serving { listener, thread: Some(thread), dir, owned })
}

impl Drop for Serving {
    fn drop(&mut self) {
        // SAFETY: the descriptor is open; a shut-down listener makes accept() return.
        unsafe { libc::shutdown(self.listener.as_raw_fd(), libc::SHUT_RDWR) };
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_file(socket_path(&self.owned.dir, &self.dir));
    }
}

fn accept(listener: &UnixListener, answer: &Answer) {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            // EINVAL: shut down by the drop of `Serving`.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return,
            Err(error) => {
                tracing::debug!(%error, "control socket");
                thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        if !peer_is_trusted(&stream) || open.load(Ordering::Relaxed) >= MAX_CONNECTIONS {
            continue;
        }
        let guard = Connection::count(&open);
        let answer = Arc::clone(answer);
        let spawned = thread::Builder::new().name("control-client".into()).spawn(move || {
            let _guard = guard;
            if let Err(error) = converse(&stream, &answer) {
                tracing::debug!(%error, "control connection");
            }
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "cannot answer on the control socket");
        }
    }
}

/// Counts itself while it lives.
struct Connection(Arc<AtomicUsize>);

impl Connection {
    fn count(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Connection(Arc::clone(open))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers line after line until the client closes its end.
fn converse(stream: &UnixStream, answer: &Answer) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let read = (&mut reader).take(REQUEST_LIMIT).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n");
        let reply = match serde_json::from_slice(&line) {
            Ok(request) if whole => answer(request),
            _ => Reply::Failed { message: "this is no request".to_string() },
        };
        let mut text = serde_json::to_vec(&reply).unwrap_or_else(|error| {
            let failed = Reply::Failed { message: error.to_string() };
            serde_json::to_vec(&failed).expect("a struct of one string has a JSON form")
        });
        text.push(b'\n');
        (&*stream).write_all(&text)?;
        if !whole {
            return Ok(());
        }
    }
}
