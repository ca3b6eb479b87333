//! Commands that must end by themselves, in time, whatever happens.
#![allow(dead_code)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::EDXFS;

/// How long a command may take to say no.
const LIMIT: Duration = Duration::from_secs(30);

/// Exit code and standard error of a mount that is refused. Fails the test if it mounts, or stays.
pub fn refused_mount(options: &[String], environment: &[(&str, &str)], point: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(EDXFS);
    command.arg("mount").args(options).arg("--foreground").arg(point).envs(environment.iter().copied());
    let output = bounded(&mut command);
    let _ = Command::new("umount").arg("-l").arg(point).stderr(Stdio::null()).status();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Runs a command; after the limit it is killed and the test fails.
pub fn bounded(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let begun = Instant::now();
    while child.try_wait().expect("a child can be waited for").is_none() {
        if begun.elapsed() > LIMIT {
            let _ = child.kill();
            let output = child.wait_with_output().expect("a child can be waited for");
            panic!("{command:?} does not end: {}", String::from_utf8_lossy(&output.stderr));
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("a child can be waited for")
}
