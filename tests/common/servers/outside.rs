//! Servers that other people made, each a process of its own behind a proxy that keeps the log.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::StorageClass;
use aws_sdk_s3::{Client, error::DisplayErrorContext};
use edxfs::demo::bucket::Request;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::process::Process;
use super::proxy::Proxy;
use super::{ACCESS_KEY, S3Server, SECRET};

/// Keys in a page of moto's listings: it is told when it starts.
const MOTO_PAGE: usize = 3;

/// Which program it is.
pub trait Program {
    /// Most keys in a page of its listings.
    const PAGE_KEYS: usize;

    fn command(port: u16, folder: &TempDir) -> Command;
}

pub type Moto = Outside<MotoProgram>;
pub type Minio = Outside<MinioProgram>;

pub struct MotoProgram;
pub struct MinioProgram;

impl Program for MotoProgram {
    const PAGE_KEYS: usize = MOTO_PAGE;

    fn command(port: u16, _folder: &TempDir) -> Command {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target folder");
        let python = target.join("moto/bin/python");
        assert!(python.exists(), "{} is missing: run scripts/setup-moto once", python.display());
        let mut moto = Command::new(python);
        moto.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
        moto.env("MOTO_S3_DEFAULT_MAX_KEYS", MOTO_PAGE.to_string());
        moto
    }
}

impl Program for MinioProgram {
    const PAGE_KEYS: usize = 1000;

    fn command(port: u16, folder: &TempDir) -> Command {
        let program = env::var_os("EDXFS_MINIO").map(PathBuf::from).expect("EDXFS_MINIO: run scripts/test-minio");
        let mut minio = Command::new(program);
        minio.args(["server", "--quiet", "--address", &format!("127.0.0.1:{port}")]);
        minio.args(["--console-address", "127.0.0.1:0"]).arg(folder.path().join("data"));
        minio.env("MINIO_ROOT_USER", ACCESS_KEY).env("MINIO_ROOT_PASSWORD", SECRET).env("MINIO_BROWSER", "off");
        minio.env("HOME", folder.path()).env("MINIO_UPDATE", "off");
        minio
    }
}

pub struct Outside<P> {
    proxy: Proxy,
    client: Client,
    runtime: Runtime,
    _process: Process,
    _program: std::marker::PhantomData<P>,
}

impl<P: Program> S3Server for Outside<P> {
    fn start() -> Self {
        let process = Process::start(P::command);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = writer(&format!("http://{}", process.address));
        let proxy = Proxy::before(process.address);
        Outside { proxy, client, runtime, _process: process, _program: std::marker::PhantomData }
    }

    fn endpoint_url(&self) -> String {
        format!("http://{}", self.proxy.address)
    }

    fn add_bucket(&self, bucket: &str) {
        self.run(self.client.create_bucket().bucket(bucket).send());
    }

    fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let body = ByteStream::from(bytes.to_vec());
        self.run(self.client.put_object().bucket(bucket).key(key).body(body).send());
    }

    fn put_archived(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let put = self.client.put_object().bucket(bucket).key(key).body(ByteStream::from(bytes.to_vec()));
        self.run(put.storage_class(StorageClass::DeepArchive).send());
    }

    fn delete(&self, bucket: &str, key: &str) {
        self.run(self.client.delete_object().bucket(bucket).key(key).send());
    }

    fn put_folder(&self, bucket: &str, root: &Path) {
        for (key, path) in files(root) {
            self.put(bucket, &key, &fs::read(&path).expect("the file can be read"));
        }
    }

    fn take_log(&self) -> Vec<Request> {
        self.proxy.take_log()
    }

    fn small_pages(&self) -> usize {
        P::PAGE_KEYS
    }

    fn restrict(&self, _bucket: &str, _org: &str) {}

    fn delay(&self, endings: &[String], delay: Duration) {
        self.proxy.delay(endings, delay);
    }
}

impl<P> Outside<P> {
    fn run<T, E: std::error::Error + 'static>(&self, request: impl Future<Output = Result<T, E>>) -> T {
        self.runtime.block_on(request).unwrap_or_else(|error| panic!("{}", DisplayErrorContext(error)))
    }
}

/// A client that puts objects there, past the proxy.
fn writer(endpoint_url: &str) -> Client {
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint_url)
        .force_path_style(true)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new(ACCESS_KEY, SECRET, None, None, "tests"));
    Client::from_conf(config.build())
}

/// Every regular file below a folder, by its path below it.
fn files(root: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder can be listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let key = path.strip_prefix(root).expect("the walk began at the root");
                found.insert(key.to_str().expect("UTF-8").to_owned(), path);
            }
        }
    }
    found
}
