//! One line of `problems.tsv`.

use crate::error::{Error, ErrorKind};
use crate::source::ObjectMeta;

/// What is wrong with an object or one of its entries, and what its reader can do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The object's key.
    pub object: String,
    /// The entry's name in the object; empty: the object itself.
    pub entry: String,
    pub what: String,
    /// How often this cause occurs in the object.
    pub count: u64,
    /// Name of the error that opening it gives; empty where it opens, or is not shown.
    pub errno: &'static str,
    pub what_to_do: String,
}

impl Problem {
    pub(super) fn new(object: &ObjectMeta, what: impl Into<String>, advice: &str) -> Problem {
        Problem {
            object: object.id.key.as_str().to_owned(),
            entry: String::new(),
            what: what.into(),
            count: 1,
            errno: "",
            what_to_do: advice.to_owned(),
        }
    }

    pub(super) fn entry(self, entry: &str) -> Problem {
        Problem { entry: entry.to_owned(), ..self }
    }

    pub(super) fn times(self, count: u64) -> Problem {
        Problem { count, ..self }
    }

    pub(super) fn errno(self, errno: &'static str) -> Problem {
        Problem { errno, ..self }
    }

    /// A zip or tar whose directory cannot be had.
    pub(super) fn unreadable(object: &ObjectMeta, error: &Error) -> Problem {
        let what = format!("cannot read the package's directory: {}", error.message());
        let (errno, advice) = match error.kind() {
            ErrorKind::Refused => ("EACCES", "ask for access to this object"),
            ErrorKind::NoCredentials => ("EACCES", "renew the credentials"),
            ErrorKind::Archived => ("EACCES", RESTORE),
            ErrorKind::Unreachable => ("EHOSTUNREACH", "wait for the next refresh"),
            ErrorKind::TimedOut => ("ETIMEDOUT", "wait for the next refresh"),
            ErrorKind::Changed => ("ESTALE", "wait for the next refresh"),
            _ => ("EIO", "compare the object's size with the source; ask edX for the package again"),
        };
        Problem::new(object, what, advice).errno(errno)
    }
}

pub(super) const RESTORE: &str = "restore the object from its archived storage class first";
