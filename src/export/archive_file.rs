//! The file that an archive is written to: new, of mode 0600, and under its name only once it is complete.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::export::Rewritable;
use crate::export::folder::{Begun, Folder, Lying, Part};

/// Bytes written at a time.
const WRITE_BYTES: usize = 256 << 10;

/// A file begun as `name.part`, which is removed again if the archive does not come to its end.
pub struct ArchiveFile {
    path: PathBuf,
    folder: Folder,
    name: String,
    out: BufWriter<Part>,
    is_complete: bool,
}

impl ArchiveFile {
    /// Errors: `Usage` where something has the name, or the folder cannot be written into.
    pub fn begin(path: &Path) -> Result<Self> {
        Self::begin_in_folder(path).map_err(|error| error.about(path.display()))
    }

    fn begin_in_folder(path: &Path) -> Result<Self> {
        let unusable = |error: io::Error| Error::usage("cannot be written").caused_by(error);
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Error::usage("is no name for a file"))?.to_owned();
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = Folder::open(parent.unwrap_or(Path::new("."))).map_err(unusable)?;
        match folder.lying(&name).map_err(unusable)? {
            Lying::Nothing => {}
            Lying::File { .. } => {
                return Err(Error::usage("exists already").advise("remove it, or give another name"));
            }
            Lying::Other => return Err(Error::usage("is a folder or a link").advise("name a new file")),
        }
        let part = match folder.begin(&format!("{name}.part")).map_err(unusable)? {
            Begun::Part(part) => part,
            Begun::Busy => return Err(Error::usage("another export is writing it").advise("give another name")),
            Begun::Blocked => {
                return Err(Error::usage("a folder or a link has the name that its .part file needs"));
            }
        };
        let out = BufWriter::with_capacity(WRITE_BYTES, part);
        Ok(ArchiveFile { path: path.into(), folder, name, out, is_complete: false })
    }

    /// Gives the file its name. Errors: local I/O; `Usage` where something else has taken the name meanwhile.
    pub fn finish(mut self) -> Result<()> {
        self.give_name().map_err(|error| error.about(self.path.display()))?;
        self.is_complete = true;
        Ok(())
    }

    fn give_name(&mut self) -> Result<()> {
        self.out.flush()?;
        if self.folder.lying(&self.name)? != Lying::Nothing {
            return Err(Error::usage("has come into being meanwhile").advise("give another name"));
        }
        Ok(self.folder.publish(self.out.get_ref(), &self.name, None)?)
    }
}

impl Rewritable for ArchiveFile {
    fn begin_anew(&mut self) -> Result<bool> {
        self.out.flush()?;
        self.out.get_mut().clear()?;
        Ok(true)
    }
}

impl Write for ArchiveFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for ArchiveFile {
    fn drop(&mut self) {
        if !self.is_complete
            && let Err(error) = self.folder.give_up(self.out.get_ref())
        {
            tracing::warn!("cannot remove {}.part: {error}", self.path.display());
        }
    }
}
