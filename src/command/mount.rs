//! `edxfs mount`: the tree under a mount point, until it is unmounted.

use std::path::PathBuf;

use clap::ValueHint;

use crate::command::log::{self, Role};
use crate::command::session::serve;
use crate::command::{Outcome, background, hygiene, mount_point};
use crate::config::args::{CacheArgs, CommonArgs, DerivedArgs, KeyArgs, OrgArgs, SourceArgs, ViewArgs};
use crate::config::{Detachment, Settings};
use crate::error::Result;

/// Mount the data package
///
/// Returns once the mount answers. SIGTERM and SIGINT unmount it; SIGHUP looks for new objects and reopens the log file.
#[derive(clap::Args)]
pub struct Args {
    /// Empty folder to mount on
    #[arg(value_name = "MOUNTPOINT", value_hint = ValueHint::DirPath)]
    mount_point: PathBuf,
    #[command(flatten)]
    org: OrgArgs,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    cache: CacheArgs,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    derived: DerivedArgs,
    #[command(flatten)]
    common: CommonArgs,
}

pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    hygiene::harden()?;
    let mount_point = mount_point::prepare(&args.mount_point, settings)?;
    let log = log::start(&settings.log, Role::Mount(settings.detachment))?;
    match settings.detachment {
        Detachment::Foreground => serve(settings, &mount_point, log, &mut || Ok(())),
        Detachment::Background => {
            background::run(settings.log.stderr, |ready| serve(settings, &mount_point, log, ready))
        }
    }
}
