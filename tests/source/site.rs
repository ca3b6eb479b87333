//! The two kinds of source under one interface, and the profiles that the S3 client finds its credentials in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use edxfs::demo::bucket::Server;
use edxfs::source::Source;
use edxfs::source::folder::FolderSource;
use edxfs::source::s3::{PathStyle, S3Settings, S3Source};

use crate::servers::{ACCESS_KEY, S3Server, SECRET};

pub const EVENTS: &str = "edx-course-data";
pub const SNAPSHOTS: &str = "course-data";

/// Points the SDK at profiles of ours, before anything has read the environment.
fn profiles() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("source");
        // What an earlier run has left.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let script = folder.join("credentials");
        // Each run gives another key, which has all but expired.
        let text = "#!/bin/sh\necho >> \"$0.runs\"\n\
            printf '{\"Version\":1,\"AccessKeyId\":\"RUN%s\",\"SecretAccessKey\":\"s\",\"Expiration\":\"%s\"}' \
            \"$(grep -c '' \"$0.runs\")\" \"$(date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ)\"\n";
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        let config = format!(
            "[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET}\n\
             [profile wrong]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = other\n\
             [profile none]\noutput = json\n\
             [profile process]\ncredential_process = {}\n",
            script.display()
        );
        fs::write(folder.join("config"), config).unwrap();
        // SAFETY: every test comes here before it does anything else, so no other thread reads the environment yet.
        unsafe {
            for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
                std::env::remove_var(name);
            }
            std::env::set_var("AWS_CONFIG_FILE", folder.join("config"));
            std::env::set_var("AWS_SHARED_CREDENTIALS_FILE", folder.join("credentials.ini"));
            std::env::set_var("AWS_EC2_METADATA_DISABLED", "true");
            std::env::set_var("NO_PROXY", "127.0.0.1");
        }
    });
}

/// Puts keys into the profile `replaced` of the credentials file.
pub fn replace_keys(access_key: &str, secret: &str) {
    profiles();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("source");
    let text = format!("[replaced]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret}\n");
    fs::write(folder.join("credentials.new"), text).unwrap();
    fs::rename(folder.join("credentials.new"), folder.join("credentials.ini")).unwrap();
}

/// Our own, that does as it is told.
pub fn server() -> Server {
    start()
}

/// A server with two empty buckets.
pub fn start<S: S3Server>() -> S {
    profiles();
    let server = S::start();
    server.add_bucket(EVENTS);
    server.add_bucket(SNAPSHOTS);
    server
}

pub fn settings(server: &impl S3Server) -> S3Settings {
    S3Settings {
        endpoint_url: Some(server.endpoint_url()),
        path_style: PathStyle::On,
        timeout: Duration::from_secs(20),
        ..S3Settings::edx("ChalmersX")
    }
}

pub fn connect(server: &impl S3Server) -> S3Source {
    S3Source::connect(settings(server)).unwrap()
}

/// A source and the other side of it.
pub trait Site {
    fn start() -> Self;
    fn source(&self) -> &dyn Source;
    fn put(&self, bucket: &str, key: &str, bytes: &[u8]);
    fn delete(&self, bucket: &str, key: &str);
}

pub struct Bucket<S>(S, S3Source);

impl<S: S3Server> Site for Bucket<S> {
    fn start() -> Self {
        let server = start();
        let source = connect(&server);
        Bucket(server, source)
    }
    fn source(&self) -> &dyn Source {
        &self.1
    }
    fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        self.0.put(bucket, key, bytes);
    }
    fn delete(&self, bucket: &str, key: &str) {
        self.0.delete(bucket, key);
    }
}

pub struct Folder(tempfile::TempDir, FolderSource);

impl Site for Folder {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mirror = FolderSource::new(folder.path()).unwrap();
        Folder(folder, mirror)
    }
    fn source(&self) -> &dyn Source {
        &self.1
    }
    fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let path = self.0.path().join(bucket).join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path.with_extension("new"), bytes).unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    }
    fn delete(&self, bucket: &str, key: &str) {
        fs::remove_file(self.0.path().join(bucket).join(key)).unwrap();
    }
}

/// Makes a test of each function, on a folder and on each server: `fn it_holds<P: Site>()`.
macro_rules! on_every_site {
    ($($test:ident),+ $(,)?) => {
        mod on_every_site {
            mod folder {
                $(
                    #[test]
                    fn $test() {
                        crate::$test::<crate::site::Folder>();
                    }
                )+
            }
            $(
                fn $test<S: crate::servers::S3Server>() {
                    crate::$test::<crate::site::Bucket<S>>();
                }
            )+
            crate::servers::on_every_server!($($test),+);
        }
    };
}

pub(crate) use on_every_site;
