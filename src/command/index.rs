//! `edxfs index`: learns sizes and fills the free cache, in the foreground.

use crate::command::access::Access;
use crate::command::bar::OverObjects;
use crate::command::log::{self, Role};
use crate::command::{Outcome, complain, interrupted, stopping, text};
use crate::config::Settings;
use crate::config::args::ReadArgs;
use crate::error::{ErrorKind, Result};

/// Learn sizes and fill the free cache, with a progress bar
///
/// Without PATH: all event days and the newest snapshot. Stopped, it goes on later where it was.
#[derive(clap::Args)]
pub struct Args {
    /// Paths in the tree, as seen under the mount point
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    #[command(flatten)]
    read: ReadArgs,
}

pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    log::start(&settings.log, Role::Command)?;
    let paths = args.paths.iter().map(|path| text::tree_path(path)).collect::<Result<Vec<_>>>()?;
    let access = Access::start(settings)?;
    let stop = stopping::asked()?;
    let bar = OverObjects::start();
    let indexed = access.index(&paths, &|now| bar.show(now), &stop);
    bar.clear();
    match indexed {
        Ok(indexed) => {
            for (object, error) in &indexed.failed {
                complain(error.clone().about(object));
            }
            Ok(if indexed.failed.is_empty() { Outcome::Done } else { Outcome::Reported(1) })
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(interrupted()),
        Err(error) => Err(error),
    }
}
