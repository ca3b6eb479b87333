//! `edxfs unmount`: ends a mount and waits until its process is gone.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueHint;

use crate::command::{Outcome, owners};
use crate::config::Settings;
use crate::config::args::CommonArgs;
use crate::error::{Error, ErrorKind, Result};
use crate::fuse;

/// Unmount, also with files open
#[derive(clap::Args)]
pub struct Args {
    /// Where it is mounted
    #[arg(value_name = "MOUNTPOINT", value_hint = ValueHint::DirPath)]
    mount_point: PathBuf,
    /// Only take off what a crash has left there
    #[arg(long)]
    dead: bool,
    #[command(flatten)]
    common: CommonArgs,
}

/// A mount that is told to end writes out what it has learned; more than this is a fault.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    if args.dead {
        return fuse::detach_stale(&args.mount_point).map(|()| Outcome::Done);
    }
    let owner = owners::of_mount(&args.mount_point, settings);
    let force = fuse::unmount(&args.mount_point)?;
    let Some(owner) = owner else { return Ok(Outcome::Done) };
    if force == fuse::Force::Detach {
        end(owner.pid);
    }
    // Whoever mounts again at once must find the cache folder free.
    let deadline = Instant::now() + PATIENCE;
    while is_alive(owner.pid) {
        if Instant::now() > deadline {
            let message = format!("unmounted, but its process {} has not ended", owner.pid);
            return Err(Error::new(ErrorKind::TimedOut, message).about(args.mount_point.display()));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(Outcome::Done)
}

/// Tells a mount's process to end. Detached with files open, the mount lives on in them, and so would its process.
fn end(pid: u32) {
    // SAFETY: takes numbers. It fails only where the process has ended already.
    unsafe { libc::kill(pid.cast_signed(), libc::SIGTERM) };
}

fn is_alive(pid: u32) -> bool {
    // A zombie has let go of everything, but answers signals until its parent looks.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}
