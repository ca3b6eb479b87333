//! What a process does to itself before it reads the first key or opens the first of many files.

use std::env;
use std::process::ExitCode;

use crate::error::Result;

/// No core file, no reading of our memory by the user's other processes, no file that others can read.
pub fn harden() -> Result<()> {
    raise_open_files();
    give_back_large_lists();
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `none` is a valid rlimit; prctl and umask take numbers.
    let failed = unsafe {
        libc::umask(0o077);
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none) != 0 || libc::prctl(libc::PR_SET_DUMPABLE, 0) != 0
    };
    if failed { Err(std::io::Error::last_os_error().into()) } else { Ok(()) }
}

/// Says where home is, as the user database has it, where nobody has: the AWS SDK reads profiles and sessions below `HOME`
/// alone, and systemd gives services of the system none. Must be called before any thread exists.
pub fn have_a_home() {
    if env::var_os("HOME").is_none_or(|home| home.is_empty())
        && let Some(home) = env::home_dir()
    {
        // SAFETY: nobody else reads or writes the environment, as there is no other thread.
        unsafe { env::set_var("HOME", home) };
    }
}

/// Allows as many open files as the system lets us: a day of many courses is written to as many files at once.
fn raise_open_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit for both calls.
    let raised = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_cur.max(limit.rlim_max.min(1 << 16));
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) == 0
        }
    };
    if !raised {
        tracing::debug!("the limit of open files stays as it is");
    }
}

/// Has lists of a mebibyte and more mapped and unmapped each by itself. Else the allocator takes the largest that was
/// freed for the usual, and keeps room for it in the arena of every thread that has listed a folder of many days.
fn give_back_large_lists() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt takes numbers, and may be called at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
    }
}

/// Ends the process the way `cat | head` expects; the Rust runtime has SIGPIPE ignored.
pub fn die_of_sigpipe() -> ExitCode {
    // SAFETY: both calls take numbers; there is nothing left to clean up.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::raise(libc::SIGPIPE);
    }
    ExitCode::from(141)
}
