//! The owner's side of the socket: bounded in connections, request length and time.

use std::fs::{self, File, Permissions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::control::owner::Owned;
use crate::control::{Failure, Peer, REQUEST_LIMIT, Reply, Request, frames, open_dir, our_uid, peer, socket_path};
use crate::error::{Error, ErrorKind, Result};

/// One thread each; a reader with a slow pager may keep its own for long.
pub(super) const MAX_CONNECTIONS: usize = 64;
/// A client that asks nothing for so long is dropped, and one that does not read a short answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What answers requests; called from several threads. An error is of the connection and ends it.
pub type Answer = Arc<dyn Fn(Request, &mut Replies<'_>) -> io::Result<()> + Send + Sync>;

/// The way back to one client.
pub struct Replies<'a> {
    stream: &'a UnixStream,
    out: BufWriter<&'a UnixStream>,
}

impl<'a> Replies<'a> {
    /// Sends a reply, sooner or later: at the end of the answer at the latest.
    pub fn send(&mut self, reply: &Reply) -> io::Result<()> {
        let mut text = serde_json::to_vec(reply)?;
        text.push(b'\n');
        self.out.write_all(&text)
    }

    /// Sends what has been held back.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    pub fn fail(&mut self, error: &Error) -> io::Result<()> {
        self.send(&Reply::Failed(Failure::from(error)))
    }

    /// Sends a file's content after its `Opened`, and how that ended. The client may read as slowly as it likes.
    pub fn content(&mut self, content: &mut dyn Read) -> io::Result<()> {
        self.stream.set_write_timeout(None)?;
        match frames::write(content, &mut self.out)? {
            Ok(()) => self.send(&Reply::Done),
            Err(error) => self.fail(&Error::from(error)),
        }
    }

    /// Whether the client has closed its end: nobody waits for the answer any more.
    pub fn nobody_listens(&self) -> impl Fn() -> bool + Sync + use<'a> {
        let stream = self.stream;
        move || {
            let mut byte = 0_u8;
            // SAFETY: the descriptor is open and the buffer is the one byte that is said.
            let peeked = unsafe {
                let buffer = (&raw mut byte).cast();
                libc::recv(stream.as_raw_fd(), buffer, 1, libc::MSG_PEEK | libc::MSG_DONTWAIT)
            };
            peeked == 0
        }
    }
}

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
        let Some(peer) = peer(&stream).filter(|peer| [our_uid(), 0].contains(&peer.uid)) else { continue };
        if open.load(Ordering::Relaxed) >= MAX_CONNECTIONS {
            continue;
        }
        let guard = Connection::count(&open);
        let answer = Arc::clone(answer);
        let spawned = thread::Builder::new().name("control-client".into()).spawn(move || {
            let _guard = guard;
            if let Err(error) = converse(&stream, peer, &answer) {
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
fn converse(stream: &UnixStream, peer: Peer, answer: &Answer) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let read = (&mut reader).take(REQUEST_LIMIT).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        let whole = line.ends_with(b"\n");
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut replies = Replies { stream, out: BufWriter::new(stream) };
        match serde_json::from_slice::<Request>(&line) {
            Ok(request) if whole && request.is_about_content() && peer.uid != our_uid() => {
                replies.fail(&Error::new(ErrorKind::Refused, "only the user whose mount this is can read it"))?;
            }
            Ok(request) if whole => answer(request, &mut replies)?,
            _ => replies.fail(&Error::usage("this is no request"))?,
        }
        replies.flush()?;
        if !whole {
            return Ok(());
        }
    }
}
