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

/// Answers about content at the same time, a thread each: a client with a slow pager may keep its own for long.
pub(super) const MAX_READERS: usize = 64;
/// Connections at the same time: some are kept for those who ask what is answered at once.
pub(super) const MAX_CONNECTIONS: usize = MAX_READERS + 16;
/// A client that asks nothing for so long is dropped, and one that does not read what was answered at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What answers requests; called from several threads. An error is of the connection and ends it.
pub type Answer = Arc<dyn Fn(Request, &mut Replies<'_>) -> io::Result<()> + Send + Sync>;

/// The way back to one client.
pub struct Replies<'a> {
    stream: &'a UnixStream,
    out: BufWriter<&'a UnixStream>,
}

impl<'a> Replies<'a> {
    fn on(stream: &'a UnixStream) -> Self {
        Replies { stream, out: BufWriter::new(stream) }
    }

    /// Sends a reply, sooner or later: at the end of the answer at the latest.
    pub fn send(&mut self, reply: &Reply) -> io::Result<()> {
        let mut text = serde_json::to_vec(reply)?;
        text.push(b'\n');
        self.out.write_all(&text)
    }

    /// Sends a reply if the client can take it now, together with what has been held back; else lets it fall.
    pub fn offer(&mut self, reply: &Reply) -> io::Result<()> {
        let mut polled = libc::pollfd { fd: self.stream.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        // SAFETY: `polled` is the one descriptor that is said, and it is open.
        match unsafe { libc::poll(&raw mut polled, 1, 0) } {
            // A socket can be written to while most of its buffer is free: one line never waits then.
            1 => self.send(reply).and_then(|()| self.flush()),
            _ => Ok(()),
        }
    }

    /// Sends what has been held back.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    pub fn fail(&mut self, error: &Error) -> io::Result<()> {
        self.send(&Reply::Failed(Failure::from(error)))
    }

    /// Sends a file's content after its `Opened`, and how that ended.
    pub fn content(&mut self, content: &mut dyn Read) -> io::Result<()> {
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
    let places = Places::default();
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
        let Some(place) = Place::take(&places.connections, MAX_CONNECTIONS) else {
            // The first line on a new connection never waits.
            let mut replies = Replies::on(&stream);
            let _ = replies.fail(&busy(MAX_CONNECTIONS)).and_then(|()| replies.flush());
            continue;
        };
        let (answer, places) = (Arc::clone(answer), places.clone());
        let spawned = thread::Builder::new().name("control-client".into()).spawn(move || {
            let _place = place;
            if let Err(error) = converse(&stream, peer, &places, &answer) {
                tracing::debug!(%error, "control connection");
            }
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "cannot answer on the control socket");
        }
    }
}

fn busy(clients: usize) -> Error {
    let message = format!("the mount is busy with {clients} other commands");
    Error::new(ErrorKind::Unreachable, message).advise("try again when one of them has ended")
}

/// How many are taken.
#[derive(Clone, Default)]
struct Places {
    connections: Arc<AtomicUsize>,
    readers: Arc<AtomicUsize>,
}

/// Counts itself while it lives.
struct Place(Arc<AtomicUsize>);

impl Place {
    /// None where `most` are taken.
    fn take(taken: &Arc<AtomicUsize>, most: usize) -> Option<Place> {
        let before = taken.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(taken));
        (before < most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers line after line until the client closes its end.
fn converse(stream: &UnixStream, peer: Peer, places: &Places, answer: &Answer) -> io::Result<()> {
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
        let mut replies = Replies::on(stream);
        match serde_json::from_slice::<Request>(&line) {
            Ok(request) if whole && request.is_about_content() => {
                answer_reader(request, peer, places, &mut replies, answer)?;
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

/// Answers what shows something of the tree: to our own user alone, who may read it as slowly as it likes.
fn answer_reader(
    request: Request,
    peer: Peer,
    places: &Places,
    replies: &mut Replies<'_>,
    answer: &Answer,
) -> io::Result<()> {
    if peer.uid != our_uid() {
        return replies.fail(&Error::new(ErrorKind::Refused, "only the user whose mount this is can read it"));
    }
    let Some(_place) = Place::take(&places.readers, MAX_READERS) else { return replies.fail(&busy(MAX_READERS)) };
    replies.stream.set_write_timeout(None)?;
    answer(request, replies)?;
    replies.flush()
}
