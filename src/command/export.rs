//! `edxfs export`: parts of the tree as plain copies, or as one encrypted archive.

mod screen;
mod target;

use std::path::PathBuf;

use clap::ValueHint;
use indicatif::HumanBytes;

use crate::command::access::Access;
use crate::command::export::screen::{Screen, Stoppable};
use crate::command::export::target::Target;
use crate::command::log::{self, Role};
use crate::command::{Outcome, complain, interrupted, text};
use crate::config::Settings;
use crate::config::args::ReadArgs;
use crate::error::{Error, ErrorKind, Result};
use crate::export::{Selection, Totals};

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
        Err(error) if error.kind() == ErrorKind::Interrupted && args.recipient.is_empty() => Ok(interrupted()),
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            complain("stopped; there is no archive");
            Ok(Outcome::Interrupted)
        }
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
