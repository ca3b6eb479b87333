//! One error for the whole crate: a kind for code, a subject and a message for people, a source for the cause.
//!
//! No errno and no exit code here: `fuse/errno.rs` and `command` map kinds to those. Waiters of one run share an
//! error, so it is cheap to clone. Messages start lower case, end without a full stop, and never hold learner data.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as code has to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorKind {
    /// No such object, name or file.
    NotFound,
    /// The object's ETag is no longer the one asked for.
    Changed,
    /// None of the secret keys given can open this OpenPGP message.
    NoSecretKey,
    /// Damaged, truncated or malformed input; a failed integrity check; a limit against bombs exceeded.
    Corrupt,
    /// Well-formed input in a form that we do not read.
    Unsupported,
    /// The source refuses access (HTTP 403, EACCES).
    Refused,
    /// The source refuses whoever asks, whatever for: no credentials, or such as it does not know or that have ended.
    NoCredentials,
    /// The object lies in an archived storage class.
    Archived,
    /// The source cannot be reached after retries.
    Unreachable,
    /// No progress within the stated time.
    TimedOut,
    /// The cache cannot hold the file, or its disk is full.
    CacheFull,
    /// A remade file differs from its record.
    NotReproducible,
    /// The caller was interrupted while it waited.
    Interrupted,
    /// The caller asked not to wait, and the answer would need undecoded days.
    WouldWait,
    /// What the user typed or configured cannot be followed.
    Usage,
    /// A local operation failed, or something in our own code that should not.
    Internal,
}

impl ErrorKind {
    /// True if the same bytes will fail again: the content is at fault, not the way to it.
    pub fn is_about_content(self) -> bool {
        matches!(self, ErrorKind::Corrupt | ErrorKind::Unsupported | ErrorKind::NoSecretKey)
    }

    /// True if the source could not be asked, whatever it would have said.
    pub fn is_away(self) -> bool {
        matches!(self, ErrorKind::Unreachable | ErrorKind::TimedOut)
    }
}

/// `subject: message: source`, shared by everybody who waited for the same thing.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    subject: Option<String>,
    message: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Arc::new(Inner { kind, subject: None, message: message.into(), source: None }))
    }

    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Names the file or object that the error is about; the innermost layer that knows it wins.
    pub fn about(self, subject: impl fmt::Display) -> Self {
        if self.0.subject.is_some() {
            return self;
        }
        self.change(|inner| inner.subject = Some(subject.to_string()))
    }

    /// Attaches the cause.
    pub fn caused_by(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.change(|inner| inner.source = Some(Arc::new(source)))
    }

    /// Adds what the reader of the message can do about it: `…; {advice}`.
    pub fn advise(self, advice: impl fmt::Display) -> Self {
        self.change(|inner| inner.message = format!("{}; {advice}", inner.message))
    }

    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file or object that this is about, where a layer has said so.
    pub fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// The message without its subject, with the chain of causes.
    pub fn message(&self) -> String {
        let mut text = self.0.message.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    fn change(mut self, edit: impl FnOnce(&mut Inner)) -> Self {
        edit(Arc::make_mut(&mut self.0));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(subject) = &self.0.subject {
            write!(f, "{subject}: ")?;
        }
        f.write_str(&self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|e| e as &(dyn StdError + 'static))
    }
}

/// Local I/O fails as `Internal`, a full disk as `CacheFull`; an `Error` that travelled through `io::Error` comes out whole.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
            let inner = error.into_inner().expect("an inner error was just seen");
            return *inner.downcast::<Error>().expect("its type was just checked");
        }
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::CacheFull,
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => ErrorKind::Corrupt,
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::Refused,
            io::ErrorKind::Interrupted => ErrorKind::Interrupted,
            _ => ErrorKind::Internal,
        };
        Error::new(kind, error.to_string())
    }
}

/// So that decoders can be `Read`: the error travels inside and `Error::from` takes it out again.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_a_trip_through_io_error() {
        let error = Error::corrupt("bad CRC").about("a.gz").advise("fetch it again");
        let back = Error::from(io::Error::from(error));
        assert_eq!(back.kind(), ErrorKind::Corrupt);
        assert_eq!(back.to_string(), "a.gz: bad CRC; fetch it again");
    }

    #[test]
    fn the_innermost_subject_wins() {
        assert_eq!(Error::corrupt("x").about("entry").about("package").subject(), Some("entry"));
    }
}
