//! `edxfs status`: what mounts say of themselves.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::ValueHint;

use crate::command::owners::{self, Owner};
use crate::command::{Outcome, complain, exit_code, text};
use crate::config::Settings;
use crate::config::args::{CacheArgs, CommonArgs, OrgArgs};
use crate::control::{self, Reply, Request};
use crate::error::{Error, Result};

/// Show what a mount has cached, fetched and is doing
///
/// Without MOUNTPOINT: of the organisations given, else of every mount of yours.
#[derive(clap::Args)]
pub struct Args {
    /// Where it is mounted
    #[arg(value_name = "MOUNTPOINT", value_hint = ValueHint::DirPath)]
    mount_point: Option<PathBuf>,
    /// One JSON object per mount, one a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    org: OrgArgs,
    #[command(flatten)]
    cache: CacheArgs,
    #[command(flatten)]
    common: CommonArgs,
}

pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let owners = match &args.mount_point {
        Some(mount_point) => {
            let nobody = || Error::not_found("no mount of edxfs answers for it").about(mount_point.display());
            let nobody = || nobody().advise("if its cache folder is in an unusual place, give --cache-dir");
            vec![Ok(owners::of_mount(mount_point, settings)?.ok_or_else(nobody)?)]
        }
        None => owners::all(settings),
    };
    if owners.is_empty() {
        complain("nothing is mounted");
        return Ok(Outcome::Reported(1));
    }
    let mut out = io::stdout().lock();
    let mut outcome = Outcome::Done;
    // Several organisations under one mount point have several cache folders and one status.
    let mut told = Vec::new();
    for owner in owners {
        let who = owner.as_ref().ok().map(|owner| (owner.pid, owner.mount_point.clone()));
        if who.is_some() && told.contains(&who) {
            continue;
        }
        match owner.and_then(|owner| report(&owner, args)) {
            Ok(text) if write!(out, "{text}").and_then(|()| out.flush()).is_err() => return Ok(Outcome::PipeClosed),
            Ok(_) => told.push(who),
            Err(error) => {
                outcome = Outcome::Reported(exit_code(error.kind()));
                complain(error);
            }
        }
    }
    Ok(outcome)
}

fn report(owner: &Owner, args: &Args) -> Result<String> {
    let Some(Reply::Status(status)) = control::ask(&owner.cache_dir, Request::Status)? else {
        return Err(Error::not_found("its process has just ended").about(owner.cache_dir.display()));
    };
    match args.json {
        true => Ok(text::json_line(&status)?),
        // What another user's mount says of itself must not steer root's terminal.
        false => Ok(status.to_string().replace(|c: char| c.is_control() && c != '\n', "?")),
    }
}
