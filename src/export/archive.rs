//! A pax tar: what is selected, in order, owned by root, and the manifest as its last entry. The same content gives the
//! same bytes. Streamed: memory holds the manifest's lines, about 200 bytes a file.

use std::io::{self, Read, Write};

use jiff::Timestamp;
use tar::{Builder, EntryType, Header};

use crate::control::{Item, Opened};
use crate::error::{Error, ErrorKind, Result};
use crate::export::copy::measured;
use crate::export::manifest::{self, Record};
use crate::export::walk::{self, Entry, Sink, Step};
use crate::export::{Selection, Totals, Tree, Watcher, split};

/// Of files and folders: whoever unpacks it can work with it, and nobody else.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;
/// The size field of a header holds eleven octal digits.
const LARGEST_IN_HEADER: u64 = (1 << 33) - 1;

/// Writes the whole tar, and gives `out` back. The outer error ends the export. The inner one is of what has been
/// written: it cannot be gone on with, and another try may come to its end.
pub fn write<W: Write>(
    tree: &dyn Tree,
    selection: &Selection,
    out: W,
    watcher: &dyn Watcher,
) -> Result<Result<(W, Totals)>> {
    let (manifest, newest) = (manifest::HEADER.to_owned(), Timestamp::UNIX_EPOCH);
    let (tar, totals, spoilt) = (Builder::new(out), Totals::default(), None);
    let mut archive = Archive { tree, watcher, tar, manifest, newest, totals, spoilt };
    let walked = walk::walk(tree, selection, watcher, &mut archive);
    let Archive { mut tar, manifest, newest, totals, spoilt, .. } = archive;
    match (spoilt, walked) {
        (Some(error), _) => return Ok(Err(error)),
        (None, walked) => walked?,
    }
    // As new as the newest thing in it: the archive says nothing of when it was made.
    append(&mut tar, manifest::NAME, EntryType::Regular, manifest.len() as u64, newest, &mut manifest.as_bytes())?;
    Ok(Ok((tar.into_inner()?, totals)))
}

struct Archive<'a, W: Write> {
    tree: &'a dyn Tree,
    watcher: &'a dyn Watcher,
    tar: Builder<W>,
    manifest: String,
    newest: Timestamp,
    totals: Totals,
    /// Why what has been written is no archive.
    spoilt: Option<Error>,
}

impl<W: Write> Archive<'_, W> {
    /// Ends the walk.
    fn spoil(&mut self, error: Error) -> Error {
        self.spoilt = Some(error.clone());
        error
    }

    fn note(&mut self, path: &str, record: &Record) {
        self.manifest.push_str(&record.line(path));
    }
}

impl<W: Write> Sink for Archive<'_, W> {
    fn enter(&mut self, path: &str, item: &Item) -> Result<Step> {
        self.newest = self.newest.max(item.modified);
        append(&mut self.tar, path, EntryType::Directory, 0, item.modified, &mut io::empty())?;
        Ok(Step::Into)
    }

    fn leave(&mut self, _: &str, _: &Item) -> Result<()> {
        Ok(())
    }

    fn file(&mut self, entry: &Entry<'_>) -> Result<()> {
        let path = entry.path;
        let mut contents = match walk::open(self.tree, entry) {
            Ok(None) => return Ok(()),
            Ok(Some(contents)) => contents,
            Err(error) => return self.failed(path, error),
        };
        let Opened { bytes, modified, source, etag } = contents.opened.clone();
        let tar = &mut self.tar;
        let written = measured(&mut contents, self.watcher, |reader| {
            append(tar, path, EntryType::Regular, bytes, modified, reader)
        })?;
        let sums = match written {
            Ok(sums) => sums,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            // Its size stands in the archive already.
            Err(error) => return Err(self.spoil(error.about(path).advise("it failed in its middle"))),
        };
        self.newest = self.newest.max(modified);
        self.totals.copied += 1;
        self.totals.copied_bytes += bytes;
        self.note(path, &Record { sums: Some(sums), source, etag, error: String::new() });
        self.watcher.passed(&self.totals);
        Ok(())
    }

    fn late(&mut self, path: &str) -> Result<()> {
        let error = Error::new(ErrorKind::Changed, "became known only when what follows it had been written");
        Err(self.spoil(error.about(path)))
    }

    fn failed(&mut self, path: &str, error: Error) -> Result<()> {
        if error.kind() == ErrorKind::Interrupted {
            return Err(error);
        }
        self.watcher.failed(path, &error);
        self.totals.failed += 1;
        self.note(path, &Record::failed(None, &error));
        self.watcher.passed(&self.totals);
        Ok(())
    }
}

/// One entry: a pax header for what its own header cannot say, the header, the content.
fn append(
    tar: &mut Builder<impl Write>,
    path: &str,
    kind: EntryType,
    bytes: u64,
    modified: Timestamp,
    content: &mut dyn Read,
) -> io::Result<()> {
    let (seconds, nanoseconds) = split(modified);
    let mut header = Header::new_ustar();
    let mut extensions = Vec::new();
    if !path.is_ascii() || header.set_path(path).is_err() {
        extensions.push(("path", path.to_owned()));
        // A path that does not fit may have left its beginning in it.
        header = Header::new_ustar();
        header.set_path(stand_in(path))?;
    }
    if bytes > LARGEST_IN_HEADER {
        extensions.push(("size", bytes.to_string()));
    }
    if nanoseconds > 0 || seconds < 0 {
        extensions.push(("mtime", decimal(modified)));
    }
    tar.append_pax_extensions(extensions.iter().map(|(key, value)| (*key, value.as_bytes())))?;
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory { FOLDER_MODE } else { FILE_MODE });
    header.set_uid(0);
    header.set_gid(0);
    header.set_username("root")?;
    header.set_groupname("root")?;
    header.set_size(bytes);
    header.set_mtime(u64::try_from(seconds).unwrap_or(0));
    header.set_cksum();
    tar.append(&header, content)
}

/// What readers that know nothing of pax see in place of a name too long, or not ASCII.
fn stand_in(path: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    let name = path.trim_end_matches('/').chars().map(plain).collect::<String>().replace("..", "__");
    let end = if path.ends_with('/') { "/" } else { "" };
    format!("{}{end}", &name[name.len().saturating_sub(90)..].trim_start_matches('/'))
}

/// Seconds with as many decimals as it takes.
fn decimal(time: Timestamp) -> String {
    let nanosecond = time.as_nanosecond();
    let (sign, nanosecond) = (if nanosecond < 0 { "-" } else { "" }, nanosecond.unsigned_abs());
    let text = format!("{sign}{}.{:09}", nanosecond / 1_000_000_000, nanosecond % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
