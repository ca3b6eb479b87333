//! Where an export goes to.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::command::text;
use crate::encrypt::Recipients;
use crate::error::{Error, Result};
use crate::export::{self, ArchiveFile, Rewritable, Selection, Totals, Tree, Watcher};

pub enum Target<'a> {
    Folder(&'a Path),
    File(Recipients, Box<ArchiveFile>),
    Stdout(Recipients),
}

impl<'a> Target<'a> {
    /// Checks what can be checked before a passphrase is asked for.
    pub fn of(to: &'a Path, certificates: &[PathBuf]) -> Result<Target<'a>> {
        if certificates.is_empty() {
            let encrypted = to.extension().is_some_and(|extension| extension == "gpg" || extension == "pgp");
            return match to.as_os_str() == "-" || encrypted && !to.exists() {
                false => Ok(Target::Folder(to)),
                true => {
                    let error = Error::usage("is no name for a folder of plain copies");
                    Err(error.advise("say who may read an archive, with --recipient").about(to.display()))
                }
            };
        }
        let recipients = Recipients::load(certificates)?;
        match to.as_os_str() == "-" {
            true if io::stdout().is_terminal() => Err(Error::usage("an archive is nothing for a terminal")),
            true => Ok(Target::Stdout(recipients)),
            false => Ok(Target::File(recipients, Box::new(ArchiveFile::begin(to)?))),
        }
    }

    /// Exports what is selected. Errors: those of the two forms.
    pub fn fill(self, tree: &dyn Tree, selection: &Selection, watcher: &dyn Watcher) -> Result<Totals> {
        match self {
            Target::Folder(folder) => export::into_folder(tree, selection, folder, watcher),
            Target::File(recipients, mut file) => {
                let totals = export::into_archive(tree, selection, &recipients, &mut *file, watcher)?;
                file.finish()?;
                Ok(totals)
            }
            Target::Stdout(recipients) => {
                let mut out = Stdout(BufWriter::new(text::unbuffered_stdout()?));
                let totals = export::into_archive(tree, selection, &recipients, &mut out, watcher)?;
                out.flush().map_err(|error| Error::from(error).about("standard output"))?;
                Ok(totals)
            }
        }
    }
}

/// What has been written is gone.
struct Stdout(BufWriter<File>);

impl Rewritable for Stdout {
    fn begin_anew(&mut self) -> Result<bool> {
        Ok(false)
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
