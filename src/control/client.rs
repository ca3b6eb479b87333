//! The asking side of the socket.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind as IoKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::control::frames::Frames;
use crate::control::{REPLY_LIMIT, Reply, Request, open_dir, peer, socket_path};
use crate::error::{Error, ErrorKind, Result};

/// An owner that does not answer a short question for so long is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the owner of a cache folder what is answered at once, by one reply; None where nobody serves it.
///
/// Errors: `Refused` where the socket is another user's, `TimedOut`, local I/O; the owner's own where it answers `Failed`.
pub fn ask(cache_dir: &Path, request: Request) -> Result<Option<Reply>> {
    let Some(mut conversation) = Conversation::begin(cache_dir, &request)? else { return Ok(None) };
    conversation.wait_at_most(PATIENCE)?;
    conversation.reply().map(Some).map_err(|error| error.about(cache_dir.display()))
}

/// One request, and what the owner says to it, as long as that takes: the owner bounds its own waits.
pub struct Conversation {
    stream: BufReader<UnixStream>,
    line: Vec<u8>,
    frames: Option<Frames>,
}

impl Conversation {
    /// Sends a request; None where nobody serves the folder. Errors: as `ask`.
    pub fn begin(cache_dir: &Path, request: &Request) -> Result<Option<Conversation>> {
        let begin = || -> Result<Option<Conversation>> {
            let Some(mut stream) = connect(cache_dir)? else { return Ok(None) };
            let mut text = serde_json::to_vec(request).map_err(io::Error::from)?;
            text.push(b'\n');
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.write_all(&text).map_err(silence)?;
            Ok(Some(Conversation { stream: BufReader::new(stream), line: Vec::new(), frames: None }))
        };
        begin().map_err(|error| error.about(cache_dir.display()))
    }

    /// From now on `reply` fails with `TimedOut` after so long, and can be asked again.
    fn wait_at_most(&self, time: Duration) -> Result<()> {
        Ok(self.stream.get_ref().set_read_timeout(Some(time))?)
    }

    /// The next reply. Errors: the owner's own where that is `Failed`; `Unreachable` where the owner has ended.
    pub fn reply(&mut self) -> Result<Reply> {
        self.read_line().map_err(silence)?;
        self.take_reply()
    }

    /// The next reply; None once `stop` says so while the owner works on it, looked at every `interval`. Errors: as `reply`.
    pub fn reply_unless(&mut self, stop: &dyn Fn() -> bool, interval: Duration) -> Result<Option<Reply>> {
        self.stream.get_ref().set_read_timeout(Some(interval))?;
        while let Err(error) = self.read_line() {
            match error.kind() {
                IoKind::WouldBlock | IoKind::TimedOut if stop() => return Ok(None),
                IoKind::WouldBlock | IoKind::TimedOut => {}
                _ => return Err(silence(error)),
            }
        }
        self.stream.get_ref().set_read_timeout(None)?;
        self.take_reply().map(Some)
    }

    /// Reads on until a line is whole, or the stream has ended.
    fn read_line(&mut self) -> io::Result<()> {
        let rest = REPLY_LIMIT - (self.line.len() as u64).min(REPLY_LIMIT);
        (&mut self.stream).take(rest).read_until(b'\n', &mut self.line).map(drop)
    }

    fn take_reply(&mut self) -> Result<Reply> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return Err(ended());
        }
        let reply = serde_json::from_slice(&line).map_err(|error| {
            let message = "the mount's answer cannot be understood; perhaps it is of another version: mount it anew";
            Error::internal(message).caused_by(error)
        })?;
        match reply {
            Reply::Failed(failure) => Err(failure.into()),
            Reply::Opened(_) => {
                self.frames = Some(Frames::new());
                Ok(reply)
            }
            reply => Ok(reply),
        }
    }
}

/// The content of the file that was `Opened`: its end is given only when the owner says that it was everything.
impl Read for Conversation {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(frames) = &mut self.frames else { return Ok(0) };
        if buffer.is_empty() {
            return Ok(0);
        }
        match frames.read(&mut self.stream, buffer) {
            Ok(0) => {
                self.frames = None;
                self.reply().map(|_| 0).map_err(io::Error::from)
            }
            Err(error) if error.kind() == IoKind::UnexpectedEof => Err(ended().into()),
            other => other,
        }
    }
}

fn connect(cache_dir: &Path) -> Result<Option<UnixStream>> {
    let absent = |kind: IoKind| matches!(kind, IoKind::NotFound | IoKind::NotADirectory | IoKind::ConnectionRefused);
    let opened = open_dir(cache_dir).and_then(|dir: File| UnixStream::connect(socket_path(cache_dir, &dir)));
    let stream = match opened {
        Ok(stream) => stream,
        Err(error) if absent(error.kind()) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match peer(&stream) {
        Some(_) => Ok(Some(stream)),
        None => Err(Error::new(ErrorKind::Refused, "the process that serves this cache folder is another user's")),
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::Unreachable, "the mount ended before it had answered")
}

fn silence(error: io::Error) -> Error {
    match error.kind() {
        IoKind::WouldBlock | IoKind::TimedOut => Error::new(ErrorKind::TimedOut, "the mount does not answer"),
        IoKind::ConnectionReset | IoKind::BrokenPipe => ended(),
        _ => error.into(),
    }
}
