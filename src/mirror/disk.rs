//! Small durable steps on the local disk, and what its errors mean here.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// A local error about a path; a full disk says how to go on.
pub fn local(error: io::Error, path: &Path) -> Error {
    let error = Error::from(error);
    let error = match error.kind() {
        ErrorKind::CacheFull => Error::new(ErrorKind::CacheFull, "the disk is full")
            .advise("make room on it, then run it again: it goes on where it stopped"),
        _ => error,
    };
    error.about(path.display())
}

/// Makes the folders above a file, of mode 0700. Errors: local I/O.
pub fn make_parents(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => in_the_way(parent),
        _ => local(error, parent),
    })
}

/// Something else lies where a file or a folder of the mirror belongs.
pub fn in_the_way(path: &Path) -> Error {
    Error::usage("something else is in the place of a file or folder of the mirror")
        .advise("move it away, then run it again")
        .about(path.display())
}

/// Makes a new name in a folder last.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Whether two names are links to one file.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    identity(one).is_some() && identity(one) == identity(other)
}
