//! `edxfs unmount`: ends a mount and waits until its process is gone.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueHint;

use crate::command::Outcome;
use crate::command::owners::{self, Owner};
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
    // Whose it is can be asked only while it is mounted.
    let owner = owners::of_mount(&args.mount_point, settings);
    let force = fuse::unmount(&args.mount_point)?;
    let ended = match owner {
        Ok(Some(owner)) => see_off(&owner, force),
        Ok(None) => Ok(()),
        Err(error) => {
            let message = format!("unmounted, but who served it did not answer, and may go on: {error}");
            Err(Error::new(error.kind(), message))
        }
    };
    ended.map(|()| Outcome::Done).map_err(|error| error.about(args.mount_point.display()))
}

/// Waits for the end of a mount's process: whoever mounts again at once must find the cache folder free.
fn see_off(owner: &Owner, force: fuse::Force) -> Result<()> {
    if owner.pid == 0 {
        let message = "unmounted, but its process cannot be seen from here, and was neither told to end nor waited for";
        return Err(Error::new(ErrorKind::Refused, message).advise("look for it outside of this container"));
    }
    if force == fuse::Force::Detach && is_alive(owner) {
        end(owner.pid);
    }
    let deadline = Instant::now() + PATIENCE;
    while is_alive(owner) {
        if Instant::now() > deadline {
            let message = format!("unmounted, but its process {} has not ended", owner.pid);
            return Err(Error::new(ErrorKind::TimedOut, message));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Tells a mount's process to end. Detached with files open, the mount lives on in them, and so would its process.
fn end(pid: u32) {
    // SAFETY: takes numbers. It fails only where the process has ended already.
    unsafe { libc::kill(pid.cast_signed(), libc::SIGTERM) };
}

/// A number that has gone to another user's process meanwhile is nothing of ours.
fn is_alive(owner: &Owner) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", owner.pid)).unwrap_or_default();
    runs_as(owner.user, &status)
}

/// Whether the text of a `/proc/<pid>/status` is of a process of this user (proc(5): the second number is the effective one).
fn runs_as(user: u32, status: &str) -> bool {
    let field = |name| status.lines().find_map(|line| line.strip_prefix(name));
    let acts_as = field("Uid:").and_then(|users| users.split_whitespace().nth(1)?.parse().ok());
    // A zombie has let go of everything, but answers signals until its parent looks.
    let state = field("State:").map_or("X", str::trim_start);
    acts_as == Some(user) && !state.starts_with(['Z', 'X'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_running_process_of_the_user_is_the_one() {
        let status = |state| format!("Name:\tedxfs\nState:\t{state}\nPid:\t7\nUid:\t0\t1000\t0\t0\n");
        assert!(runs_as(1000, &status("S (sleeping)")));
        assert!(!runs_as(0, &status("S (sleeping)")), "the number went to somebody else");
        assert!(!runs_as(1000, &status("Z (zombie)")));
        assert!(!runs_as(1000, ""));
    }
}
