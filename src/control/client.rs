//! The asking side of the socket.

use std::io::{BufRead, BufReader, ErrorKind as IoKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::control::{REPLY_LIMIT, Reply, Request, open_dir, peer_is_trusted, socket_path};
use crate::error::{Error, ErrorKind, Result};

/// An owner that does not answer for so long is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the owner of a cache folder; None where nobody serves it.
///
/// Errors: `Refused` where the socket is another user's, `TimedOut`, local I/O; `Internal` with the owner's own message
/// where it answers `Failed`.
pub fn ask(cache_dir: &Path, request: Request) -> Result<Option<Reply>> {
    match converse(cache_dir, request) {
        Ok(Some(Reply::Failed { message })) => Err(Error::internal(message)),
        other => other.map_err(|error| error.about(cache_dir.display())),
    }
}

fn converse(cache_dir: &Path, request: Request) -> Result<Option<Reply>> {
    let dir = match open_dir(cache_dir) {
        Ok(dir) => dir,
        Err(error) if absent(error.kind()) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut stream = match UnixStream::connect(socket_path(cache_dir, &dir)) {
        Ok(stream) => stream,
        Err(error) if absent(error.kind()) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !peer_is_trusted(&stream) {
        return Err(Error::new(ErrorKind::Refused, "the process that serves this cache folder is another user's"));
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut text = serde_json::to_vec(&request).map_err(std::io::Error::from)?;
    text.push(b'\n');
    stream.write_all(&text).map_err(silence)?;
    let mut line = Vec::new();
    BufReader::new(&stream).take(REPLY_LIMIT).read_until(b'\n', &mut line).map_err(silence)?;
    let reply = serde_json::from_slice(&line);
    Ok(Some(reply.map_err(|error| Error::internal("the mount gave no sensible answer").caused_by(error))?))
}

fn absent(kind: IoKind) -> bool {
    matches!(kind, IoKind::NotFound | IoKind::NotADirectory | IoKind::ConnectionRefused)
}

fn silence(error: std::io::Error) -> Error {
    match error.kind() {
        IoKind::WouldBlock | IoKind::TimedOut => Error::new(ErrorKind::TimedOut, "the mount does not answer"),
        _ => error.into(),
    }
}
