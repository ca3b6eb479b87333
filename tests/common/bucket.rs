//! A data package behind an S3 server, for mounts: what they fetched, and answers that come late.
#![allow(dead_code)]

use std::time::Duration;

use edxfs::demo::Made;
use edxfs::demo::bucket::{Operation, Reply, Server};

use crate::common::{Mount, key_options, wait_for};
use crate::servers::{ACCESS_KEY, S3Server, SECRET};

/// Credentials, and nothing of the user's own.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
    ("AWS_SECRET_ACCESS_KEY", SECRET),
    ("AWS_SESSION_TOKEN", ""),
    ("AWS_CONFIG_FILE", "/dev/null"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("NO_PROXY", "127.0.0.1"),
];

pub struct Bucket<S = Server> {
    pub server: S,
    keys: Vec<String>,
}

impl<S: S3Server> Bucket<S> {
    pub fn serve(made: &Made) -> Bucket<S> {
        let server = S::start();
        for bucket in ["edx-course-data", "course-data"] {
            server.add_bucket(bucket);
            server.put_folder(bucket, &made.data.join(bucket));
        }
        Bucket { server, keys: key_options(made) }
    }

    pub fn mount(&self, options: &[&str]) -> Mount {
        self.mount_in(tempfile::tempdir().expect("a temporary folder"), options)
    }

    /// Mounts where an earlier mount has left its cache.
    pub fn mount_in(&self, scratch: tempfile::TempDir, options: &[&str]) -> Mount {
        let own = options.iter().map(|option| (*option).to_owned()).collect();
        Mount::start_in(scratch, &[own, self.options()].concat(), ENVIRONMENT)
    }

    /// The options that read it; they need `ENVIRONMENT`.
    pub fn options(&self) -> Vec<String> {
        let s3 = ["--endpoint-url", &self.server.endpoint_url(), "--path-style", "--region", "us-east-1"];
        [s3.map(str::to_owned).to_vec(), self.keys.clone()].concat()
    }

    /// Keys of the objects asked for since the last call, in that order.
    pub fn fetches(&self) -> Vec<String> {
        let gets = self.server.take_log().into_iter().filter(|request| request.operation == Operation::Get);
        gets.map(|request| request.key).collect()
    }

    pub fn delay(&self, endings: &[String], delay: Duration) {
        self.server.delay(endings, delay);
    }
}

impl Bucket<Server> {
    /// From now on objects whose key ends so come after some time, or not at all after some bytes: what `reply` says.
    pub fn answer(&self, endings: &[String], reply: Reply) {
        let endings = endings.to_vec();
        self.server.set_hook(move |request| {
            let meant = request.operation == Operation::Get && endings.iter().any(|end| request.key.ends_with(end));
            if meant { reply.clone() } else { Reply::Pass }
        });
    }
}

/// Waits until so many runs are under way.
pub fn wait_for_runs(mount: &Mount, runs: usize) {
    wait_for("a decode", || mount.status()["running"].as_array().is_some_and(|running| running.len() >= runs));
}
