//! What is said over the socket, one JSON object per line each way; a file's content follows its reply in frames.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::control::status::Status;
use crate::engine::size::Size;
use crate::error::{Error, ErrorKind};

/// What can be asked of an owner. Paths are those of the tree: joined by `/`, no leading slash, `""` the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Request {
    Status,
    /// Where the tree can be read, and what it shows. Answer: `Where`, at once.
    Where,
    /// Look for new objects now.
    Refresh,
    /// What stands under a path. Answer: `Item`.
    Item {
        path: String,
    },
    /// A directory's entries, in order of name. Answer: an `Item` each, then `Done`.
    List {
        path: String,
    },
    /// What a file comes from. Answer: `Origin`, at once.
    Origin {
        path: String,
    },
    /// A file, once it is made. Answer: `Opened`, its content in frames, then `Done` or `Failed`.
    Read {
        path: String,
    },
    /// Learn sizes and fill the cache. Answer: `Progress` now and then, an `Unmade` for each that failed, then `Done`.
    Index {
        paths: Vec<String>,
    },
}

impl Request {
    /// Whether the answer holds what a mount would show.
    pub fn is_about_content(&self) -> bool {
        !matches!(self, Request::Status | Request::Where | Request::Refresh)
    }
}

/// What an owner answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum Reply {
    Status(Box<Status>),
    Where(Whereabouts),
    Item(Item),
    Origin(Origin),
    Opened(Opened),
    Progress(Progress),
    Unmade(Failure),
    Done,
    Failed(Failure),
}

/// Who an owner is, and what its tree shows. What an owner of an earlier version does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Whereabouts {
    /// None where the owner is not a mount (`edxfs index`).
    #[serde(with = "super::paths::optional")]
    pub mount_point: Option<PathBuf>,
    pub pid: u32,
    pub orgs: Vec<String>,
    /// Long names and values of the options, given or not, that decide what stands in the files.
    pub shown: BTreeMap<String, String>,
}

/// What a listing shows of one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub name: String,
    /// None for a directory.
    pub size: Option<Size>,
    pub modified: Timestamp,
}

/// What is known of a file that has been opened, and stays so while it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    pub bytes: u64,
    pub modified: Timestamp,
    /// `bucket/key[/entry]`, or what a derived file is made of; empty for a page like README.txt.
    pub source: String,
    /// Of the object that the file comes from; empty where there is not exactly one.
    pub etag: String,
}

/// What a file comes from, as far as that is known without making it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// As in [`Opened`].
    pub source: String,
    pub etag: String,
}

/// How far an index walk has come, in recipes and in encoded bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub done_objects: u64,
    pub total_objects: u64,
    pub done_bytes: u64,
    pub total_bytes: u64,
}

/// An error on its way to another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: ErrorKind,
    pub subject: Option<String>,
    pub message: String,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Failure { kind: error.kind(), subject: error.subject().map(str::to_owned), message: error.message() }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let error = Error::new(failure.kind, failure.message);
        match failure.subject {
            Some(subject) => error.about(subject),
            None => error,
        }
    }
}
