//! An S3 server on loopback, for `demo --s3` and for tests: real protocol and signatures, objects in memory or in
//! files, and faults on demand.
//!
//! It keeps what clients of the real service rely on: listings that page in key order, opaque ETags, If-Match, ranges,
//! SigV4, storage classes, and a data czar's policy (no listing outside the organisation's prefix). It is no store:
//! nothing can be written over the protocol.

mod protocol;
mod wire;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder as Connection;
use s3s::service::S3ServiceBuilder;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use self::protocol::{Authority, Protocol};
use self::wire::{Fault, Wire};

/// An access key and its secret.
#[derive(Clone)]
pub struct Credentials {
    pub access_key: String,
    pub secret: String,
}

impl Credentials {
    pub fn new(access_key: &str, secret: &str) -> Self {
        Credentials { access_key: access_key.to_owned(), secret: secret.to_owned() }
    }
}

/// One object to serve. A new ETag for every content; not an MD5, as after a multipart upload.
#[derive(Clone)]
pub struct Object {
    content: Content,
    etag: String,
    modified: SystemTime,
    storage_class: String,
}

#[derive(Clone)]
enum Content {
    Memory(Arc<[u8]>),
    File { path: PathBuf, bytes: u64 },
}

impl Object {
    pub fn memory(bytes: &[u8]) -> Self {
        let etag = format!("{}-2", &blake3::hash(bytes).to_hex()[..32]);
        let content = Content::Memory(bytes.into());
        Object { content, etag, modified: SystemTime::UNIX_EPOCH, storage_class: "STANDARD".to_owned() }
    }

    /// Served from the file by ranges; the file must stay as it is now.
    pub fn file(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let modified = metadata.modified()?;
        let identity = format!("{} {modified:?} {}", metadata.len(), path.display());
        let etag = format!("{}-2", &blake3::hash(identity.as_bytes()).to_hex()[..32]);
        let content = Content::File { path: path.to_owned(), bytes: metadata.len() };
        Ok(Object { content, etag, modified, storage_class: "STANDARD".to_owned() })
    }

    pub fn modified(self, modified: SystemTime) -> Self {
        Object { modified, ..self }
    }

    /// `GLACIER` and `DEEP_ARCHIVE` answer a GET with InvalidObjectState.
    pub fn storage_class(self, class: &str) -> Self {
        Object { storage_class: class.to_owned(), ..self }
    }

    fn bytes(&self) -> u64 {
        match &self.content {
            Content::Memory(content) => content.len() as u64,
            Content::File { bytes, .. } => *bytes,
        }
    }

    fn is_archived(&self) -> bool {
        matches!(self.storage_class.as_str(), "GLACIER" | "DEEP_ARCHIVE")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    List,
    Get,
    Head,
}

/// One request that passed the signature check, as logged and as shown to the hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub operation: Operation,
    pub bucket: String,
    /// The object's key; of a listing its prefix.
    pub key: String,
    /// The Range header as sent.
    pub range: Option<String>,
    pub if_match: Option<String>,
    /// The x-amz-request-payer header as sent.
    pub request_payer: Option<String>,
    pub access_key: String,
    /// The region that the request was signed for.
    pub region: String,
}

/// What the hook wants done with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    Pass,
    /// An HTTP status and an S3 error code instead of an answer.
    Status(u16, &'static str),
    /// 301, naming the region in which the bucket is.
    Redirect(&'static str),
    /// The answer, later.
    Delay(Duration),
    /// The answer, but the connection breaks after so many bytes of the body.
    CutAfter(u64),
    /// The answer, but nothing comes after so many bytes of the body.
    StallAfter(u64),
}

type Hook = Box<dyn Fn(&Request) -> Reply + Send + Sync>;

/// What all connections share.
struct Shared {
    state: Mutex<State>,
    hook: Mutex<Arc<Hook>>,
}

struct State {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    /// Bucket → the organisation whose prefix alone may be listed and read.
    policies: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
    log: Vec<Request>,
    page_keys: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs the request and asks the hook about it.
    fn admit(&self, request: Request) -> Reply {
        let hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reply = hook(&request);
        self.state().log.push(request);
        reply
    }
}

/// Serves until it is dropped; then the port is closed and every connection with it.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Server {
    /// An empty server on a free port of 127.0.0.1.
    pub fn start(credentials: Credentials) -> io::Result<Server> {
        let state = State {
            buckets: BTreeMap::new(),
            policies: BTreeMap::new(),
            secrets: BTreeMap::from([(credentials.access_key, credentials.secret)]),
            log: Vec::new(),
            page_keys: 1000,
        };
        let hook: Hook = Box::new(|_| Reply::Pass);
        let shared = Arc::new(Shared { state: Mutex::new(state), hook: Mutex::new(Arc::new(hook)) });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("s3-server")
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        runtime.spawn(accept(listener, shared.clone()));
        Ok(Server { shared, address, runtime: Some(runtime) })
    }

    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds an empty bucket, or keeps the one there is.
    pub fn add_bucket(&self, bucket: &str) {
        self.shared.state().buckets.entry(bucket.to_owned()).or_default();
    }

    /// Adds or replaces an object; its bucket comes into being with it.
    pub fn put(&self, bucket: &str, key: &str, object: Object) {
        self.shared.state().buckets.entry(bucket.to_owned()).or_default().insert(key.to_owned(), object);
    }

    pub fn delete(&self, bucket: &str, key: &str) {
        if let Some(objects) = self.shared.state().buckets.get_mut(bucket) {
            objects.remove(key);
        }
    }

    /// Every regular file below `root` becomes an object, keyed by its path below `root`.
    pub fn put_folder(&self, bucket: &str, root: &Path) -> io::Result<()> {
        self.add_bucket(bucket);
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let below = path.strip_prefix(root).expect("the walk began at the root");
                let key = below.to_str().ok_or_else(|| io::Error::other("a file name is not UTF-8"))?;
                self.put(bucket, key, Object::file(&path)?);
            }
        }
        Ok(())
    }

    /// From now on this bucket can be listed and read only under `org/`, as edX's policy has it.
    pub fn restrict(&self, bucket: &str, org: &str) {
        self.shared.state().policies.insert(bucket.to_owned(), org.to_owned());
    }

    /// Accepts one more key pair.
    pub fn add_credentials(&self, credentials: Credentials) {
        self.shared.state().secrets.insert(credentials.access_key, credentials.secret);
    }

    /// Most keys in one page of a listing.
    pub fn set_page_keys(&self, keys: usize) {
        self.shared.state().page_keys = keys.max(1);
    }

    /// Asked about every request from now on; it is logged in any case.
    pub fn set_hook(&self, hook: impl Fn(&Request) -> Reply + Send + Sync + 'static) {
        *self.shared.hook.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Box::new(hook));
    }

    /// Takes the log of requests, oldest first.
    pub fn take_log(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared.state().log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(stream, shared.clone()))),
            // Out of descriptors, say: the clients that hold them will go.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// One connection. It has a service of its own because a fault of one answer is played on its own wire.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let fault = Arc::new(Fault::default());
    let mut service = S3ServiceBuilder::new(Protocol { shared: shared.clone(), fault: fault.clone() });
    service.set_auth(Authority { shared });
    let io = TokioIo::new(Wire::new(stream, fault));
    // An error here is a client that went away, or a cut that the hook asked for.
    let _ = Connection::new(TokioExecutor::new()).http1_only().serve_connection(io, service.build()).await;
}
