//! One file's bytes on their way out: counted, hashed, and exactly as many as were announced.

use std::fmt::Write as _;
use std::io::{self, Read};

use ring::digest::{Context, SHA256};

use crate::error::{Error, ErrorKind, Result};
use crate::export::Watcher;
use crate::volume::Contents;

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sums {
    pub bytes: u64,
    /// 64 hex digits.
    pub sha256: String,
}

/// Has `consume` read an opened file to its end. The outer error is `consume`'s own, the inner one of the file, of a
/// length that is not the one announced, or `Interrupted`.
pub(super) fn measured(
    contents: &mut Contents,
    watcher: &dyn Watcher,
    consume: impl FnOnce(&mut dyn Read) -> io::Result<()>,
) -> io::Result<Result<Sums>> {
    let mut reader = Measured {
        inner: &mut *contents.reader,
        watcher,
        left: contents.opened.bytes,
        digest: Context::new(&SHA256),
        ended: Ended::NotYet,
    };
    let consumed = consume(&mut reader);
    match (reader.ended, consumed) {
        (Ended::Failed(error), _) => Ok(Err(error)),
        (_, Err(error)) => Err(error),
        (Ended::NotYet, Ok(())) => Ok(Err(Error::internal("was not read to its end"))),
        (Ended::Well, Ok(())) => Ok(Ok(Sums { bytes: contents.opened.bytes, sha256: hex(reader.digest) })),
    }
}

struct Measured<'a> {
    inner: &'a mut dyn Read,
    watcher: &'a dyn Watcher,
    /// Bytes announced that have not come yet.
    left: u64,
    digest: Context,
    ended: Ended,
}

enum Ended {
    NotYet,
    Well,
    Failed(Error),
}

impl Measured<'_> {
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.watcher.wants_stop() {
            return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
        }
        let bytes = self.inner.read(buffer)?;
        match self.left.checked_sub(bytes as u64) {
            None => return Err(Error::internal("is longer than it said when it was opened")),
            Some(left) if bytes == 0 && left > 0 => {
                return Err(Error::corrupt(format!(
                    "ends {left} bytes before the end that it told when it was opened"
                )));
            }
            Some(left) => self.left = left,
        }
        self.digest.update(&buffer[..bytes]);
        self.watcher.copied(bytes as u64);
        Ok(bytes)
    }
}

impl Read for Measured<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.next(buffer) {
            Ok(bytes) => {
                if bytes == 0 && !buffer.is_empty() {
                    self.ended = Ended::Well;
                }
                Ok(bytes)
            }
            Err(error) => {
                self.ended = Ended::Failed(error.clone());
                Err(error.into())
            }
        }
    }
}

fn hex(digest: Context) -> String {
    digest.finish().as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
