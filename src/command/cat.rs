//! `edxfs cat`: files' contents, without FUSE.

use std::io;

use crate::command::access::{Access, copy};
use crate::command::log::{self, Role};
use crate::command::{Outcome, complain, text};
use crate::config::Settings;
use crate::config::args::ReadArgs;
use crate::error::Result;

/// Write files of the tree to standard output, without FUSE
///
/// Goes through the mount where one has the cache folder, with the mount's view options.
#[derive(clap::Args)]
pub struct Args {
    /// Paths in the tree, as seen under the mount point
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
    #[command(flatten)]
    read: ReadArgs,
}

pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    log::start(&settings.log, Role::Command)?;
    let access = Access::start(settings)?;
    let mut out = text::unbuffered_stdout()?;
    let mut outcome = Outcome::Done;
    for path in &args.paths {
        let copied = match text::tree_path(path) {
            Ok(inner) => match access.open(&inner, &|| false) {
                Ok(mut contents) => copy(&mut contents.reader, &mut out),
                Err(error) => Ok(Err(error)),
            },
            Err(error) => Ok(Err(error)),
        };
        match copied {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                complain(error.about(path));
                outcome = Outcome::Reported(1);
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Outcome::PipeClosed),
            Err(error) => return Err(crate::error::Error::from(error).about("standard output")),
        }
    }
    Ok(outcome)
}
