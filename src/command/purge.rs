//! `edxfs purge`: destroys the cache.

use crate::command::log::{self, Role};
use crate::command::{Outcome, complain, exit_code};
use crate::config::Settings;
use crate::config::args::CacheFolderArgs;
use crate::error::Result;
use crate::volume::purge::{Purged, purge};

/// Names of what is left that are printed.
const NAMED: usize = 5;

/// Destroy the cache: first its key, then its files
///
/// Asks nothing and needs no key. Files that are not edxfs's stay. What was cut off is finished by the next purge.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    folder: CacheFolderArgs,
}

/// Goes on with the other organisations' folders after a failure.
pub fn run(_: &Args, settings: &Settings) -> Result<Outcome> {
    log::start(&settings.log, Role::Command)?;
    let mut outcome = Outcome::Done;
    for folder in settings.cache_dirs() {
        match purge(&folder) {
            Ok(Purged::Gone) => {}
            Ok(Purged::NeverThere) => complain(format_args!("{}: there is no cache", folder.display())),
            Ok(Purged::Left(names)) => {
                let more = if names.len() > NAMED { " …" } else { "" };
                let first = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(" ");
                let first = first.replace(char::is_control, "\u{fffd}");
                complain(format_args!("{}: purged; what is not edxfs's stays: {first}{more}", folder.display()));
            }
            Err(error) => {
                complain(&error);
                outcome = Outcome::Reported(exit_code(error.kind()));
            }
        }
    }
    Ok(outcome)
}
