//! Leaving the terminal: the parent waits until the child says that its mount answers, or why it does not.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;

use crate::command::{Outcome, complain, exit_code};
use crate::config::StderrKind;
use crate::error::{Error, Result};

/// What a job calls once it has come up.
pub type Ready<'a> = &'a mut dyn FnMut() -> Result<()>;

/// First byte of the child's message when all is well; otherwise it is the exit code.
const READY: u8 = 0;

/// Runs `job` in a child process, which keeps the terminal (for a passphrase) until it calls its argument.
///
/// Must be called before any thread exists: a child has only the thread that forked. Returns in the parent what is to be
/// its end, in the child what the job returned.
pub fn run(stderr: StderrKind, job: impl FnOnce(Ready) -> Result<Outcome>) -> Result<Outcome> {
    let (reader, writer) = io::pipe()?;
    // SAFETY: no other thread exists, so that the child may go on as any process.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error().into()),
        0 => {
            drop(reader);
            child(stderr, writer, job)
        }
        pid => {
            drop(writer);
            parent(reader, pid)
        }
    }
}

fn parent(mut reader: PipeReader, pid: libc::pid_t) -> Result<Outcome> {
    let mut message = Vec::new();
    reader.read_to_end(&mut message)?;
    match message.split_first() {
        Some((&READY, _)) => Ok(Outcome::Done),
        Some((&code, text)) => {
            complain(String::from_utf8_lossy(text));
            Ok(Outcome::Reported(code))
        }
        None => {
            let mut status = 0;
            // SAFETY: `pid` is our child and `status` is writable.
            unsafe { libc::waitpid(pid, &raw mut status, 0) };
            let how = if libc::WIFSIGNALED(status) {
                format!("was ended by signal {}", libc::WTERMSIG(status))
            } else {
                format!("ended with code {}", libc::WEXITSTATUS(status))
            };
            Err(Error::internal(format!("the background process {how} before the mount answered")))
        }
    }
}

fn child(stderr: StderrKind, writer: PipeWriter, job: impl FnOnce(Ready) -> Result<Outcome>) -> Result<Outcome> {
    let mut waiting = Some(writer);
    let mut ready = || match waiting.take() {
        Some(mut writer) => {
            detach(stderr)?;
            Ok(writer.write_all(&[READY])?)
        }
        None => Ok(()),
    };
    let result = job(&mut ready);
    match (result, waiting) {
        (Err(error), Some(mut writer)) => {
            let code = exit_code(error.kind());
            let mut message = vec![code];
            message.extend_from_slice(error.to_string().as_bytes());
            writer.write_all(&message)?;
            Ok(Outcome::Reported(code))
        }
        (Err(error), None) => {
            tracing::error!("{error}");
            Ok(Outcome::Reported(exit_code(error.kind())))
        }
        (result, _) => result,
    }
}

/// A session of its own, no folder kept busy, no terminal held.
fn detach(stderr: StderrKind) -> Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    std::env::set_current_dir("/")?;
    let streams = match stderr {
        StderrKind::Journal => 0..=1,
        StderrKind::Other => 0..=2,
    };
    for stream in streams {
        // SAFETY: both are open descriptors.
        if unsafe { libc::dup2(null.as_raw_fd(), stream) } == -1 {
            return Err(io::Error::last_os_error().into());
        }
    }
    // SAFETY: takes nothing; it fails only for a group's leader, which a fresh child is not.
    unsafe { libc::setsid() };
    Ok(())
}
