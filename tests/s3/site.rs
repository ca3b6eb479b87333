//! The small package in two buckets, and mounts of them.
#![allow(dead_code)]

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use edxfs::demo::Made;
use edxfs::demo::bucket::{Operation, Reply, Server};
use tempfile::TempDir;

use crate::common::{Mount, key_options, run, small_package};
use crate::reading::quiet;
use crate::refusal::refused_mount;
use crate::servers::{ACCESS_KEY, S3Server, SECRET};

pub const EVENTS: &str = "edx-course-data";
pub const SNAPSHOTS: &str = "course-data";
/// `--timeout` of the mounts of our own server, in seconds.
pub const TIMEOUT: u64 = 3;
pub const ENVIRONMENT: [(&str, &str); 8] = [
    ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
    ("AWS_SECRET_ACCESS_KEY", SECRET),
    ("AWS_REGION", "us-east-1"),
    ("AWS_CONFIG_FILE", "/dev/null"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("NO_PROXY", "127.0.0.1"),
    ("no_proxy", "127.0.0.1"),
];

pub struct Site<S = Server> {
    pub server: S,
    pub made: Made,
    pub timeout: u64,
}

impl<S: S3Server> Site<S> {
    /// With time enough for a server that is slow to answer.
    pub fn start() -> Site<S> {
        let made = small_package();
        let server = S::start();
        for bucket in [EVENTS, SNAPSHOTS] {
            server.add_bucket(bucket);
            server.put_folder(bucket, &made.data.join(bucket));
        }
        Site { server, made, timeout: 30 }
    }

    pub fn options(&self) -> Vec<String> {
        quiet(self.source_options())
    }

    /// Source and keys, without the view.
    pub fn source_options(&self) -> Vec<String> {
        let mut options = key_options(&self.made);
        options.extend(self.server_options());
        options.extend(["--timeout".to_owned(), format!("{}s", self.timeout)]);
        options
    }

    pub fn server_options(&self) -> [String; 3] {
        ["--endpoint-url".to_owned(), self.server.endpoint_url(), "--path-style".to_owned()]
    }

    pub fn mount(&self) -> Mount {
        self.mount_with(&[])
    }

    pub fn mount_with(&self, more: &[&str]) -> Mount {
        let more = more.iter().map(|option| (*option).to_owned());
        let options: Vec<_> = self.options().into_iter().chain(more).collect();
        Mount::start_in(tempfile::tempdir().unwrap(), &options, &ENVIRONMENT)
    }

    /// Exit code and message of a mount that is refused.
    pub fn refusal(&self, environment: &[(&str, &str)]) -> (Option<i32>, String) {
        let scratch = tempfile::tempdir().unwrap();
        refusal_in(&scratch, self.options(), environment)
    }

    /// Replaces a day's object by one with this content in it.
    pub fn put_day(&self, day: &str, object: &[u8]) {
        self.server.put(EVENTS, &day_key(day), object);
    }
}

impl Site<Server> {
    /// Of our own server, that does as it is told.
    pub fn new() -> Site<Server> {
        Site { timeout: TIMEOUT, ..Site::start() }
    }

    /// Answers every request for a body of this key so; `None` as the key means all.
    pub fn answer_gets(&self, key: Option<String>, reply: impl Fn(usize) -> Reply + Send + Sync + 'static) {
        let count = std::sync::atomic::AtomicUsize::new(0);
        self.server.set_hook(move |request| {
            let meant = request.operation == Operation::Get && key.as_ref().is_none_or(|key| request.key == *key);
            match meant {
                true => reply(count.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
                false => Reply::Pass,
            }
        });
    }
}

pub fn refusal_in(scratch: &TempDir, options: Vec<String>, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let point = scratch.path().join("mnt");
    let _ = std::fs::create_dir(&point);
    let cache = scratch.path().join("cache").display().to_string();
    let options: Vec<_> = options.into_iter().chain(["--cache-dir".to_owned(), cache]).collect();
    refused_mount(&options, environment, &point)
}

/// The key in its bucket of a production day.
pub fn day_key(day: &str) -> String {
    format!("unix/edx/events/2015/unix-edx-events-{day}.log.gz.gpg")
}

pub fn all(day: &str) -> String {
    format!("events/all/{day}.log")
}

/// Tells a mount to list anew; what changes is to be waited for.
pub fn hang_up(mount: &Mount) {
    run(Command::new("kill").arg("-HUP").arg(mount.server.id().to_string()));
}

/// The errno of opening and reading a file.
pub fn errno(mount: &Mount, path: &str) -> i32 {
    match mount.read(path) {
        Ok(bytes) => panic!("{path}: {} bytes could be read", bytes.len()),
        Err(error) => error.raw_os_error().unwrap_or(0),
    }
}

/// A file system of its own in memory; unmounted when dropped.
pub struct Disk(TempDir);

impl Disk {
    pub fn of(size: &str) -> Disk {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=0700");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()));
        Disk(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let status = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(std::thread::panicking() || status.is_ok_and(|status| status.into_raw() == 0), "it stays mounted");
    }
}
