//! Has the process behind a request gone, or is it about to?
//!
//! fuser answers FUSE_INTERRUPT with ENOSYS, and then the kernel lets a caller go only when its request is answered:
//! not even `kill -9` ends it before. So while a request waits we look at the caller's pending signals ourselves.

use std::fs;
use std::io;

/// The thread that made a request.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// None where it cannot be seen from here: another pid namespace (the kernel says 0), or /proc hides it.
    thread: Option<u32>,
}

impl Caller {
    /// `pid` as the request has it, which is the id of a thread.
    pub fn new(pid: u32) -> Self {
        let seen = pid != 0 && fs::metadata(format!("/proc/{pid}/status")).is_ok();
        Caller { thread: seen.then_some(pid) }
    }

    /// True if it died, is being killed, or has a signal that it wants to handle now. One read of /proc.
    pub fn has_gone(&self) -> bool {
        let Some(thread) = self.thread else { return false };
        match fs::read_to_string(format!("/proc/{thread}/status")) {
            Ok(status) => is_interrupted(&status),
            Err(error) => matches!(error.kind(), io::ErrorKind::NotFound) || error.raw_os_error() == Some(libc::ESRCH),
        }
    }
}

/// Signals that do not ask a program to give up what it does: a terminal resized, a child that ended, a profiler's
/// tick, a runtime's preemption (Go sends SIGURG all the time), and stops, which wait as they do on any disk.
const HARMLESS: [i32; 11] = [
    libc::SIGCHLD,
    libc::SIGCONT,
    libc::SIGSTOP,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGURG,
    libc::SIGWINCH,
    libc::SIGIO,
    libc::SIGVTALRM,
    libc::SIGPROF,
];

/// `status` is the text of /proc/TID/status. A signal that would end the process shows as a pending SIGKILL in each
/// of its threads; one that it catches is pending until the system call returns.
fn is_interrupted(status: &str) -> bool {
    let mask = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0)
    };
    let pending = mask("SigPnd") | mask("ShdPnd");
    let harmless = HARMLESS.iter().fold(0, |set, signal| set | bit(*signal));
    let heeded = pending & !mask("SigBlk") & !mask("SigIgn") & !harmless;
    heeded != 0 || pending & bit(libc::SIGKILL) != 0
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(pending: u64, shared: u64, blocked: u64, ignored: u64) -> String {
        format!(
            "Name:\tcat\nPid:\t7\nSigQ:\t1/9\nSigPnd:\t{pending:016x}\nShdPnd:\t{shared:016x}\n\
             SigBlk:\t{blocked:016x}\nSigIgn:\t{ignored:016x}\nSigCgt:\t0000000000000000\n"
        )
    }

    #[test]
    fn a_signal_that_is_neither_blocked_nor_ignored_interrupts() {
        let int = bit(libc::SIGINT);
        assert!(is_interrupted(&status(int, 0, 0, 0)));
        assert!(is_interrupted(&status(0, int, 0, 0)));
        assert!(!is_interrupted(&status(0, int, int, 0)));
        assert!(!is_interrupted(&status(0, int, 0, int)));
        assert!(!is_interrupted(&status(0, 0, 0, 0)));
    }

    #[test]
    fn sigkill_always_interrupts_and_a_resized_terminal_never() {
        let kill = bit(libc::SIGKILL);
        assert!(is_interrupted(&status(kill, 0, u64::MAX, u64::MAX)));
        assert!(!is_interrupted(&status(0, bit(libc::SIGWINCH) | bit(libc::SIGCHLD), 0, 0)));
    }

    #[test]
    fn a_caller_that_cannot_be_seen_is_waited_for() {
        assert!(!Caller::new(0).has_gone());
        assert!(!Caller::new(u32::MAX).has_gone());
        assert!(!Caller::new(std::process::id()).has_gone());
    }

    #[test]
    fn a_caller_that_died_has_gone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep is everywhere");
        let caller = Caller::new(child.id());
        assert!(!caller.has_gone());
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        assert!(caller.has_gone());
    }
}
