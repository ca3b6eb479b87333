//! The server side: objects that change, a wire that breaks, and credentials that end, each with a mark in the model.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use edxfs::demo::Made;
use edxfs::demo::bucket::{self, Credentials, Reply, Request, Server};

use crate::common::{Mount, key_options, run, wait_for, xattr};
use crate::model::{Model, ObjectNumber};
use crate::servers::address;
use crate::servers::proxy::Proxy;
use crate::versions::{Cast, EVENTS, Object, SNAPSHOTS};

/// How long credentials last. The SDK asks for new ones 10 s before.
const LIFETIME: Duration = Duration::from_secs(15);
/// `--timeout` of the mount.
const TIMEOUT: Duration = Duration::from_secs(10);
/// More than one every few seconds for the longest soak.
const KEYS: usize = 5000;

/// Gives another key each time, as a login that is renewed does.
const LOGIN: &str = "#!/bin/sh\necho >> \"$0.runs\"\n\
    printf '{\"Version\":1,\"AccessKeyId\":\"RUN%s\",\"SecretAccessKey\":\"s\",\"Expiration\":\"%s\"}' \
    \"$(grep -c '' \"$0.runs\")\" \"$(date -u -d '+15 seconds' +%Y-%m-%dT%H:%M:%SZ)\"\n";

/// What the server thinks of the keys that it has seen.
#[derive(Default)]
struct Logins {
    first_used: BTreeMap<String, Instant>,
    /// Requests with a key that had ended by itself; there should be none.
    late: usize,
    /// The keys that end before their time.
    revoked: BTreeSet<String>,
}

pub struct Site {
    server: Server,
    proxy: Proxy,
    logins: Arc<Mutex<Logins>>,
    folder: tempfile::TempDir,
    pub made: Made,
    pub objects: Vec<Object>,
    pub model: Model,
}

impl Site {
    pub fn start() -> Site {
        let Cast { made, objects, files } = Cast::prepare();
        let server = Server::start(Credentials::new("RUN1", "s")).expect("a port is free");
        (2..KEYS).for_each(|run| server.add_credentials(Credentials::new(&format!("RUN{run}"), "s")));
        for bucket in [EVENTS, SNAPSHOTS] {
            server.put_folder(bucket, &made.data.join(bucket)).expect("the package can be read");
        }
        let logins = Arc::<Mutex<Logins>>::default();
        let at_the_door = logins.clone();
        server.set_hook(move |request| at_the_door.lock().unwrap_or_else(PoisonError::into_inner).judge(request));
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_login(folder.path());
        let model = Model::new(objects.len(), files);
        Site { proxy: Proxy::before(address(&server)), server, logins, folder, made, objects, model }
    }

    pub fn mount(&self, more: &[&str]) -> Mount {
        let endpoint = format!("http://{}", self.proxy.address);
        let timeout = format!("{}s", TIMEOUT.as_secs());
        let s3 = ["--endpoint-url", &endpoint, "--path-style", "--region", "us-east-1", "--timeout", &timeout];
        let options = s3.iter().chain(more).map(|option| (*option).to_owned());
        let options: Vec<_> = key_options(&self.made).into_iter().chain(options).collect();
        let config = self.folder.path().join("config").display().to_string();
        let environment = [
            ("AWS_CONFIG_FILE", &*config),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_SECRET_ACCESS_KEY", ""),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("NO_PROXY", "127.0.0.1"),
        ];
        Mount::start_in(tempfile::tempdir().expect("a temporary folder"), &options, &environment)
    }

    /// Puts another version, or takes the object away, and waits until the mount shows it.
    pub fn change(&self, mount: &Mount, number: ObjectNumber, version: Option<usize>) {
        let object = &self.objects[number.0];
        let before = etag(&mount.path(&object.sign));
        self.model.begin(number, version);
        match version {
            Some(version) => {
                let bytes = bucket::Object::memory(&object.versions[version]);
                self.server.put(object.bucket, &object.key, bytes);
            }
            None => self.server.delete(object.bucket, &object.key),
        }
        let paths: Vec<_> = self.model.files.iter().filter(|file| file.object == number).collect();
        let is_shown = |path: &Path| etag(path).is_some() == version.is_some() && etag(path) != before;
        let mut told = None;
        wait_for("a change on the mount", || {
            if told.is_none_or(|told: Instant| told.elapsed() > Duration::from_secs(1)) {
                hang_up(mount);
                told = Some(Instant::now());
            }
            paths.iter().all(|file| is_shown(&mount.path(&file.path)))
        });
        self.model.settle(number);
    }

    /// The server is away for a while.
    pub fn part(&self, length: Duration) {
        self.model.trouble(&[libc::EHOSTUNREACH, libc::ETIMEDOUT]);
        self.proxy.close();
        thread::sleep(length);
        self.proxy.open();
        self.model.calm(TIMEOUT);
    }

    /// The credentials in use end before their time. The client learns that from the server, and nobody else does.
    pub fn revoke(&self) {
        let known = {
            let mut logins = self.logins();
            let used: Vec<_> = logins.first_used.keys().cloned().collect();
            logins.revoked.extend(used);
            logins.first_used.len()
        };
        wait_for("new credentials", || self.logins().first_used.len() > known);
    }

    /// How many credentials were used, and how many requests came with such as had ended.
    pub fn credentials_used(&self) -> (usize, usize) {
        let logins = self.logins();
        (logins.first_used.len(), logins.late)
    }

    fn logins(&self) -> MutexGuard<'_, Logins> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Logins {
    fn judge(&mut self, request: &Request) -> Reply {
        let first = *self.first_used.entry(request.access_key.clone()).or_insert_with(Instant::now);
        let has_ended = first.elapsed() > LIFETIME;
        if self.revoked.contains(&request.access_key) {
            return Reply::Status(400, "ExpiredToken");
        }
        self.late += usize::from(has_ended);
        if has_ended { Reply::Status(400, "ExpiredToken") } else { Reply::Pass }
    }
}

fn write_login(folder: &Path) {
    let script = folder.join("login");
    fs::write(&script, LOGIN).expect("a file can be made");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("a mode can be set");
    let config = format!("[default]\ncredential_process = {}\n", script.display());
    fs::write(folder.join("config"), config).expect("a file can be made");
}

/// What the mount says of the object behind a path; None where there is no such path.
fn etag(path: &Path) -> Option<String> {
    xattr(path, "user.edxfs.etag")
}

pub fn hang_up(mount: &Mount) {
    run(Command::new("kill").arg("-HUP").arg(mount.server.id().to_string()));
}
