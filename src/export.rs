//! Parts of the tree, copied out of it: as plain files into a folder, or as one encrypted archive.
//!
//! ```text
//! selection ──► walk ──► plain   (folder)  ──► files, MANIFEST.tsv
//! which paths   in order └► archive (encrypt) ─► one tar in one OpenPGP message, MANIFEST.tsv its last entry
//! ```
//!
//! Both forms go through the same walk, so that both have the same files in the same order, and through the same
//! `copy`, which counts and hashes. A file that cannot be read is noted in the manifest and told to the [`Watcher`], and
//! the others go on; what cannot be written ends the export.

mod archive;
mod archive_file;
mod copy;
mod folder;
mod manifest;
mod plain;
mod selection;
mod walk;

#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;

pub use crate::export::archive_file::ArchiveFile;
pub use crate::export::selection::Selection;

use crate::control::{Item, Origin};
use crate::encrypt::Recipients;
use crate::error::{Error, Result};
use crate::volume::Contents;

/// The tree as an export sees it. Paths: components joined by `/`, no leading slash, `""` is the root.
pub trait Tree {
    /// What stands under a path. Errors: `NotFound`, and those of the source.
    fn item(&self, path: &str) -> Result<Item>;
    /// A directory's entries.
    fn list(&self, path: &str) -> Result<Vec<Item>>;
    /// What a file comes from; makes nothing.
    fn origin(&self, path: &str) -> Result<Origin>;
    /// A file, complete and verified.
    fn open(&self, path: &str) -> Result<Contents>;
}

/// Who waits for an export. All methods are called often, and from one thread.
pub trait Watcher {
    /// Whether to stop as soon as possible.
    fn wants_stop(&self) -> bool;
    /// So many bytes more have been copied.
    fn copied(&self, bytes: u64);
    /// One file more is done with.
    fn passed(&self, totals: &Totals);
    /// A file, or a folder's listing, could not be read.
    fn failed(&self, path: &str, error: &Error);
}

/// What an export has come to so far, in files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub copied: u64,
    pub copied_bytes: u64,
    /// Were there already.
    pub right: u64,
    pub failed: u64,
}

/// Copies what is selected into `folder`, which is made if only it is missing; goes on where an earlier export ended.
///
/// Errors: `Usage` where the folder cannot be written into or another export does; `NotFound` for a path selected;
/// `Interrupted`; `CacheFull` for a full disk. What is complete stays.
pub fn into_folder(tree: &dyn Tree, selection: &Selection, folder: &Path, watcher: &dyn Watcher) -> Result<Totals> {
    selection.check(tree)?;
    plain::export(tree, selection, folder, watcher)
}

/// Writes what is selected as one encrypted tar; what has been written is worth nothing if this fails. An archive that
/// cannot come to its end, because of a file that fails in its middle or a name that becomes known too late, is begun
/// anew where `out` can be.
///
/// Errors: `NotFound` for a path selected; those of `out`; `Interrupted`; what spoilt the last try.
pub fn into_archive(
    tree: &dyn Tree,
    selection: &Selection,
    recipients: &Recipients,
    out: &mut dyn Rewritable,
    watcher: &dyn Watcher,
) -> Result<Totals> {
    selection.check(tree)?;
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match archive::write(tree, selection, recipients.encrypt(&mut *out)?, watcher)? {
            Ok((message, totals)) => {
                message.finish()?;
                return Ok(totals);
            }
            Err(error) => error,
        };
        if tries == TRIES || !out.begin_anew()? {
            return Err(error.advise("there is no archive; run the export again"));
        }
        tracing::info!("begins the archive anew: {error}");
    }
}

/// How often an archive is begun.
const TRIES: usize = 3;

/// What an archive is written to.
pub trait Rewritable: Write + Send + Sync {
    /// Forgets all that was written; false where that cannot be.
    fn begin_anew(&mut self) -> Result<bool>;
}

/// A time as whole seconds, rounded down, and the nanoseconds that are left.
fn split(time: Timestamp) -> (i64, u32) {
    let nanosecond = time.as_nanosecond();
    let second = i64::try_from(nanosecond.div_euclid(1_000_000_000)).unwrap_or(0);
    (second, u32::try_from(nanosecond.rem_euclid(1_000_000_000)).unwrap_or(0))
}
