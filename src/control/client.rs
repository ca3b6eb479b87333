//! The asking side of the socket.

use std::io::{self, BufRead, BufReader, ErrorKind as IoKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::control::frames::Frames;
use crate::control::reach::{Trust, connect};
use crate::control::{REPLY_LIMIT, Reply, Request, Whereabouts, our_uid};
use crate::error::{Error, ErrorKind, Result};

/// An owner that does not answer a short question for so long is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the owner of a cache folder what is answered at once, by one reply; None where nobody serves it. The process id in
/// the reply is what the kernel says, not what the owner says of itself: 0 where the process cannot be seen from here.
///
/// Errors: `Usage` and `Refused` where the folder, or who listens in it, is not this user's alone (root may ask of everybody's
/// what shows nothing of the tree); `TimedOut`; local I/O; the owner's own where it answers `Failed`.
pub fn ask(cache_dir: &Path, request: Request) -> Result<Option<Reply>> {
    ask_by(cache_dir, request, Instant::now() + PATIENCE)
}

/// As [`ask`], with an end of patience of the caller's own.
pub fn ask_by(cache_dir: &Path, request: Request, deadline: Instant) -> Result<Option<Reply>> {
    let Some(mut conversation) = Conversation::begin_by(cache_dir, &request, deadline)? else { return Ok(None) };
    conversation.reply_by(deadline).map(Some).map_err(|error| error.about(cache_dir.display()))
}

/// One request, and what the owner says to it, as long as that takes: the owner bounds its own waits.
pub struct Conversation {
    stream: BufReader<UnixStream>,
    /// The owner's process.
    pid: u32,
    line: Vec<u8>,
    frames: Option<Frames>,
}

impl Conversation {
    /// Sends a request; None where nobody serves the folder. Errors: as `ask`.
    pub fn begin(cache_dir: &Path, request: &Request) -> Result<Option<Conversation>> {
        Conversation::begin_by(cache_dir, request, Instant::now() + PATIENCE)
    }

    fn begin_by(cache_dir: &Path, request: &Request, deadline: Instant) -> Result<Option<Conversation>> {
        let begin = || -> Result<Option<Conversation>> {
            let trust = if our_uid() == 0 && !request.is_about_content() { Trust::Anybodys } else { Trust::OurOwn };
            let Some((mut stream, peer)) = connect(cache_dir, trust, left(deadline).map_err(silence)?)? else {
                return Ok(None);
            };
            let mut text = serde_json::to_vec(request).map_err(io::Error::from)?;
            text.push(b'\n');
            stream.set_write_timeout(Some(left(deadline).map_err(silence)?))?;
            match stream.write_all(&text) {
                // It has hung up, and may have said why.
                Err(error) if error.kind() == IoKind::BrokenPipe => {}
                written => written.map_err(silence)?,
            }
            Ok(Some(Conversation { stream: BufReader::new(stream), pid: peer.pid, line: Vec::new(), frames: None }))
        };
        begin().map_err(|error| error.about(cache_dir.display()))
    }

    /// The one reply. Errors: as `ask`.
    fn reply_by(&mut self, deadline: Instant) -> Result<Reply> {
        self.read_line(Some(deadline)).map_err(silence)?;
        Ok(match self.take_reply()? {
            Reply::Status(mut status) => {
                status.pid = self.pid;
                Reply::Status(status)
            }
            Reply::Where(place) => Reply::Where(Whereabouts { pid: self.pid, ..place }),
            reply => reply,
        })
    }

    /// The next reply. Errors: the owner's own where that is `Failed`; `Unreachable` where the owner has ended.
    pub fn reply(&mut self) -> Result<Reply> {
        self.read_line(None).map_err(silence)?;
        self.take_reply()
    }

    /// The next reply; None once `stop` says so while the owner works on it, looked at every `interval`. Errors: as `reply`.
    pub fn reply_unless(&mut self, stop: &dyn Fn() -> bool, interval: Duration) -> Result<Option<Reply>> {
        self.stream.get_ref().set_read_timeout(Some(interval))?;
        while let Err(error) = self.read_line(None) {
            match error.kind() {
                IoKind::WouldBlock | IoKind::TimedOut if stop() => return Ok(None),
                IoKind::WouldBlock | IoKind::TimedOut => {}
                _ => return Err(silence(error)),
            }
        }
        self.stream.get_ref().set_read_timeout(None)?;
        self.take_reply().map(Some)
    }

    /// Reads on until a line is whole, or the stream has ended; not beyond a deadline, however small the pieces are.
    fn read_line(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        while !self.line.ends_with(b"\n") && self.line.len() < REPLY_LIMIT {
            if let Some(deadline) = deadline {
                self.stream.get_ref().set_read_timeout(Some(left(deadline)?))?;
            }
            let piece = match self.stream.fill_buf() {
                Err(error) if error.kind() == IoKind::Interrupted => continue,
                piece => piece?,
            };
            let end = piece.iter().position(|byte| *byte == b'\n').map_or(piece.len(), |at| at + 1);
            let taken = end.min(REPLY_LIMIT - self.line.len());
            if taken == 0 {
                break;
            }
            self.line.extend_from_slice(&piece[..taken]);
            self.stream.consume(taken);
        }
        Ok(())
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

/// What is left of somebody's patience. Errors: `TimedOut`.
fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(IoKind::TimedOut.into()),
        left => Ok(left),
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
