//! `edxfs sync`: a local mirror of the encrypted objects.

use clap::ValueHint;
use std::path::{Path, PathBuf};

use crate::command::bar::OverObjects;
use crate::command::log::{self, Role};
use crate::command::{Outcome, complain, hygiene, interrupted, stopping};
use crate::config::args::{CommonArgs, MirrorArgs, OrgArgs, SourceArgs};
use crate::config::{Settings, SourceSettings};
use crate::error::{Error, ErrorKind, Result};
use crate::mirror::{self, Layout, Mirror, Origin, Synced};
use crate::source::folder::FolderSource;
use crate::volume;

/// Mirror the encrypted objects into a folder that --folder mounts
///
/// Fetches what is new or has changed, several objects at a time; a file is complete or absent, and nothing is ever
/// deleted. Stopped, it goes on later where it was. Needs no key. Several organisations share the folder.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of the mirror; made if there is none
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
    #[command(flatten)]
    mirror: MirrorArgs,
    #[command(flatten)]
    org: OrgArgs,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    common: CommonArgs,
}

pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    hygiene::harden()?;
    log::start(&settings.log, Role::Command)?;
    let origins = settings.orgs.iter().map(|org| origin(settings, org)).collect::<Result<Vec<_>>>()?;
    check_apart(&args.dir, settings)?;
    let mut mirror = Mirror::open(&args.dir, settings.backup.as_deref())?;
    let stop = stopping::asked()?;
    let bar = OverObjects::start();
    let synced = mirror.sync(&origins, &|now| bar.show(now), &stop);
    bar.clear();
    match synced {
        Ok(synced) => Ok(report(&synced)),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(interrupted()),
        Err(error) => Err(error),
    }
}

fn origin(settings: &Settings, org: &str) -> Result<Origin> {
    let org = org.to_owned();
    let source = volume::connect(settings, &org)?;
    let layout = match &settings.source {
        SourceSettings::Folder(_) => Layout::Folder { org },
        SourceSettings::S3(s3) => Layout::Buckets { org, events_bucket: s3.events_bucket.clone() },
    };
    Ok(Origin { source, layout })
}

/// A folder that is copied into itself would be its own source.
fn check_apart(dir: &Path, settings: &Settings) -> Result<()> {
    let SourceSettings::Folder(source) = &settings.source else { return Ok(()) };
    for ground in FolderSource::new(source)?.grounds()? {
        if !mirror::lies_in(dir, &ground)? && !mirror::lies_in(&ground, dir)? {
            continue;
        }
        let error = Error::usage(format!("lies in the source {}, or the other way round", ground.display()));
        let advice = "give another folder, or name the buckets to fetch from: --profile or --events-bucket goes before \
                      a `folder` in the configuration file";
        return Err(error.advise(advice).about(dir.display()));
    }
    Ok(())
}

fn report(synced: &Synced) -> Outcome {
    let Synced { fetched_objects, fetched_bytes, current_objects, failed } = synced;
    tracing::info!(fetched_objects, fetched_bytes, current_objects, failed_objects = failed.len(), "synced");
    for (object, error) in failed {
        complain(error.clone().about(object.as_str().escape_debug()));
    }
    if failed.is_empty() { Outcome::Done } else { Outcome::Reported(1) }
}
