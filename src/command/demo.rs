//! `edxfs demo`: a data package made up on the spot, and mounted.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::ValueHint;

use crate::command::background::{self, Ready};
use crate::command::demo_source::{demo_settings, serve_buckets};
use crate::command::log::{self, LogFile, Role};
use crate::command::scratch::{OwnFolder, Scratch};
use crate::command::session::serve;
use crate::command::{Outcome, hygiene, mount_point, text};
use crate::config::args::CommonArgs;
use crate::config::{Detachment, Settings};
use crate::demo::{self, Plan};
use crate::error::Result;

/// Make a small data package and mount it
///
/// It is encrypted as the producer does it, and gone when the mount ends. Needs gpg, gzip and zip. With --folder the package is only made, and stays.
#[derive(clap::Args)]
pub struct Args {
    /// Where to mount; made if it is missing
    #[arg(value_name = "MOUNTPOINT", value_hint = ValueHint::DirPath, default_value = "edxfs-demo")]
    mount_point: PathBuf,
    /// Mount from an S3 server on this machine instead of a folder
    #[arg(long)]
    s3: bool,
    /// Days of events
    #[arg(long, value_name = "N", default_value_t = Plan::default().days)]
    days: u32,
    /// Events of one day
    #[arg(long, value_name = "N", default_value_t = Plan::default().events_per_day)]
    events_per_day: u32,
    /// Course runs, each smaller than the one before
    #[arg(long, value_name = "N", default_value_t = Plan::default().courses, value_parser = clap::value_parser!(u32).range(1..=999))]
    courses: u32,
    /// The same seed makes the same data
    #[arg(long, value_name = "N", default_value_t = Plan::default().seed)]
    seed: u64,
    /// Only make the package, in this folder
    #[arg(id = "package", long = "folder", value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["s3", "mount_point"])]
    package: Option<PathBuf>,
    #[command(flatten)]
    common: CommonArgs,
}

pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    hygiene::harden()?;
    let plan = Plan {
        seed: args.seed,
        days: args.days,
        events_per_day: args.events_per_day,
        courses: args.courses,
        ..Plan::default()
    };
    if let Some(folder) = &args.package {
        fs::create_dir_all(folder)?;
        demo::generate(folder, &plan)?;
        return Ok(Outcome::Done);
    }
    let mut settings = settings.clone();
    settings.log.default_file.set_file_name("demo.log");
    let log = log::start(&settings.log, Role::Mount(settings.detachment))?;
    match settings.detachment {
        Detachment::Foreground => show(args, &plan, settings, log, &mut || Ok(())),
        Detachment::Background => background::run(settings.log.stderr, |ready| show(args, &plan, settings, log, ready)),
    }
}

fn show(args: &Args, plan: &Plan, settings: Settings, log: Option<LogFile>, ready: Ready) -> Result<Outcome> {
    let folder = OwnFolder::make(&args.mount_point)?;
    let scratch = Scratch::make(&settings.temp_dir)?;
    let _ = writeln!(io::stderr(), "making a data package of {} days…", plan.days);
    let package = scratch.path().join("package");
    fs::create_dir(&package)?;
    let made = demo::generate(&package, plan)?;
    let server = if args.s3 { Some(serve_buckets(&made)?) } else { None };
    let settings = demo_settings(settings, &made, scratch.path(), server.as_ref());
    let mount_point = mount_point::prepare(folder.path(), &settings)?;
    serve(&settings, &mount_point, log, &mut || {
        let _ = write!(io::stdout(), "{}", text::after_demo(&args.mount_point));
        ready()
    })
}
