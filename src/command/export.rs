//! `edxfs export`: parts of the tree as plain copies, or as one encrypted archive.

mod screen;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::ValueHint;
use indicatif::HumanBytes;

use crate::command::access::Access;
use crate::command::export::screen::{Screen, Stoppable};
use crate::command::log::{self, Role};
use crate::command::{Outcome, complain, interrupted, text};
use crate::config::Settings;
use crate::config::args::ReadArgs;
use crate::encrypt::Recipients;
use crate::error::{Error, ErrorKind, Result};
use crate::export::{self, ArchiveFile, Rewritable, Selection, Totals, Tree, Watcher};

/// Copy parts of the tree into a folder, or into one encrypted archive
///
/// Paths keep their place: `courses/X` comes to DIR/courses/X. What is in DIR already is not copied again, so that an
/// export that was stopped goes on, and nothing in DIR is deleted. DIR/MANIFEST.tsv says what each file is, and what
/// could not be read. With --recipient it is one tar instead, encrypted on its way: nothing is plain on any disk.
#[derive(clap::Args)]
#[command(override_usage = "edxfs export [OPTIONS] <PATH>... <DIR>\n       \
                            edxfs export [OPTIONS] <PATH>... --recipient <CERT> <FILE.tar.gpg>")]
pub struct Args {
    /// Paths in the tree, as seen under the mount point; `/` is all that it lists. The last one says where to: a folder
    /// for the copies; with --recipient a new file, or `-` for standard output
    // One list, because options may stand between the paths and the last.
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
    /// OpenPGP certificate (`gpg --export`) of who shall be able to read the archive; may be repeated
    #[arg(long, value_name = "CERT", value_hint = ValueHint::FilePath)]
    recipient: Vec<PathBuf>,
    #[command(flatten)]
    read: ReadArgs,
}

pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    log::start(&settings.log, Role::Command)?;
    let (to, paths) = args.paths.split_last().expect("clap demands one");
    let selection = selection(paths)?;
    let target = Target::of(to, &args.recipient)?;
    let access = Access::start(settings)?;
    let screen = Screen::start()?;
    let exported = target.fill(&Stoppable { access: &access, screen: &screen }, &selection, &screen);
    screen.clear();
    match exported {
        Ok(totals) => {
            complain(summary(&totals));
            Ok(if totals.failed == 0 { Outcome::Done } else { Outcome::Reported(1) })
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(interrupted()),
        Err(error) => Err(error),
    }
}

fn selection(paths: &[PathBuf]) -> Result<Selection> {
    if paths.is_empty() {
        return Err(Error::usage("one argument is missing: name what to export, then where to"));
    }
    let inner = |path: &PathBuf| match path.to_str() {
        Some(path) => text::tree_path(path).map_err(|error| error.about(path)),
        None => Err(Error::not_found("no such file or directory").about(path.display())),
    };
    Ok(Selection::of(paths.iter().map(inner).collect::<Result<Vec<_>>>()?))
}

/// Where to.
enum Target<'a> {
    Folder(&'a Path),
    File(Recipients, Box<ArchiveFile>),
    Stdout(Recipients),
}

impl<'a> Target<'a> {
    /// Checks what can be checked before a passphrase is asked for.
    fn of(to: &'a Path, certificates: &[PathBuf]) -> Result<Target<'a>> {
        if certificates.is_empty() {
            let encrypted = to.extension().is_some_and(|extension| extension == "gpg" || extension == "pgp");
            return match encrypted && !to.exists() {
                true => {
                    Err(Error::usage("looks like an encrypted file").advise("say who may read it, with --recipient"))
                }
                false => Ok(Target::Folder(to)),
            }
            .map_err(|error| error.about(to.display()));
        }
        let recipients = Recipients::load(certificates)?;
        match to.as_os_str() == "-" {
            true if io::stdout().is_terminal() => Err(Error::usage("an archive is nothing for a terminal")),
            true => Ok(Target::Stdout(recipients)),
            false => Ok(Target::File(recipients, Box::new(ArchiveFile::begin(to)?))),
        }
    }

    fn fill(self, tree: &dyn Tree, selection: &Selection, watcher: &dyn Watcher) -> Result<Totals> {
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

fn summary(totals: &Totals) -> String {
    let files = |count: u64| if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
    let mut text = format!("{} copied ({})", files(totals.copied), HumanBytes(totals.copied_bytes));
    if totals.right > 0 {
        text += &format!(", {} already right", files(totals.right));
    }
    if totals.failed > 0 {
        text += &format!(", {} not copied", totals.failed);
    }
    text
}
