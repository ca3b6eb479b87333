//! The two buckets of a data package; the only S3 client and the only async runtime, and no retry policy elsewhere.
//!
//! Credentials come from the SDK's own chain (environment, profile, SSO, role, web identity, credential process,
//! instance), which renews those that expire. A request is tried up to [`ATTEMPTS`] times with back-off; no wait
//! without progress lasts longer than [`S3Settings::timeout`].

mod client;
mod clock;
mod failure;
mod listing;
pub mod probe;
mod reader;
mod session;

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::RequestPayer;
use tokio::runtime::Runtime;

pub use self::clock::Clocks;
use self::clock::ServerClock;
use self::failure::Failure;
use self::session::Session;
use crate::error::{Error, Result};
use crate::source::{ObjectId, ObjectMeta, ObjectReader, Source, Traffic};

/// Tries of one request, the first included.
pub const ATTEMPTS: u32 = 5;

/// Where the buckets are and how to talk to them.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// In any case; keys have it in lower case.
    pub org: String,
    /// Holds `{org}/{site}/events/…` and `{org}/rdx/…`.
    pub events_bucket: String,
    /// Holds `{org}-{date}.zip`, `email-opt-in/…` and the tar era.
    pub snapshots_bucket: String,
    /// None: Amazon's own, or what the profile says.
    pub endpoint_url: Option<String>,
    /// None: what environment or profile say, else us-east-1; a bucket elsewhere is followed where it is.
    pub region: Option<String>,
    /// None: what the environment says.
    pub profile: Option<String>,
    pub path_style: PathStyle,
    pub requester_pays: RequesterPays,
    /// Longest wait without progress.
    pub timeout: Duration,
}

impl S3Settings {
    /// edX's own buckets.
    pub fn edx(org: &str) -> Self {
        S3Settings {
            org: org.to_owned(),
            events_bucket: "edx-course-data".to_owned(),
            snapshots_bucket: "course-data".to_owned(),
            endpoint_url: None,
            region: None,
            profile: None,
            path_style: PathStyle::Off,
            requester_pays: RequesterPays::Off,
            timeout: Duration::from_secs(60),
        }
    }
}

/// Whether a bucket is named in the path (`host/bucket/key`) instead of the host (`bucket.host/key`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathStyle {
    #[default]
    Off,
    On,
}

/// Whether we agree to pay for what we fetch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequesterPays {
    #[default]
    Off,
    On,
}

impl RequesterPays {
    fn header(self) -> Option<RequestPayer> {
        match self {
            RequesterPays::Off => None,
            RequesterPays::On => Some(RequestPayer::Requester),
        }
    }
}

/// Both buckets as one source; a key is `bucket/key`.
pub struct S3Source {
    link: Arc<Link>,
    threads: Arc<Threads>,
}

/// What every request needs; tasks hold it, so it must not hold the runtime that they run on.
struct Link {
    settings: S3Settings,
    session: Session,
    clock: ServerClock,
    /// Where buckets really are, as learned from redirects.
    regions: Mutex<BTreeMap<String, Region>>,
    fetched_bytes: AtomicU64,
    fetched_objects: AtomicU64,
}

/// The runtime; ends without waiting for its tasks, whoever lets go of it last.
struct Threads(Option<Runtime>);

impl S3Source {
    /// Reads the environment and the profile, and starts the runtime's threads; asks no bucket yet.
    ///
    /// Errors: `Usage` for an empty organisation or bucket name; `Internal` if no thread can be started.
    pub fn connect(settings: S3Settings) -> Result<S3Source> {
        let settings = S3Settings { org: settings.org.to_lowercase(), ..settings };
        for (option, value) in [
            ("--org", &settings.org),
            ("--events-bucket", &settings.events_bucket),
            ("--snapshots-bucket", &settings.snapshots_bucket),
        ] {
            if value.is_empty() || value.contains('/') {
                return Err(Error::usage(format!("{option}: \"{value}\" is not a name")));
            }
        }
        let threads = Threads::start()?;
        let clock = ServerClock::default();
        let session = threads.run(Session::begin(&settings, &clock));
        let link = Link {
            settings,
            session,
            clock,
            regions: Mutex::default(),
            fetched_bytes: AtomicU64::new(0),
            fetched_objects: AtomicU64::new(0),
        };
        Ok(S3Source { link: Arc::new(link), threads: Arc::new(threads) })
    }
}

impl Source for S3Source {
    fn list(&self) -> Result<Vec<ObjectMeta>> {
        self.threads.run(listing::list(self.link.clone()))
    }

    fn open(&self, id: &ObjectId, range: Range<u64>) -> Result<ObjectReader> {
        reader::open(self, id, range).map_err(|error| error.about(id))
    }

    fn traffic(&self) -> Traffic {
        Traffic {
            fetched_bytes: self.link.fetched_bytes.load(Ordering::Relaxed),
            fetched_objects: self.link.fetched_objects.load(Ordering::Relaxed),
        }
    }
}

impl Link {
    /// Sends a request to where its bucket is, following the server's word to another region, and once more where
    /// credentials that it refuses can be read anew.
    async fn send<T, E, F>(&self, bucket: &str, request: impl Fn(Client, Builder) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let (mut hops, mut is_renewed) = (0, false);
        loop {
            let (client, generation) = self.session.client();
            let region = self.regions().get(bucket).or(client.config().region()).cloned();
            let error = match request(client, Builder::new().region(region.clone())).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let failure = Failure::of(&error);
            let may_be_renewed = !is_renewed && failure.is_of_credentials();
            if may_be_renewed && self.session.renew(&self.settings, &self.clock, generation).await {
                is_renewed = true;
                continue;
            }
            let told = failure.region.clone().map(Region::new);
            if told.is_none() || told == region || hops == 2 {
                return Err(failure);
            }
            hops += 1;
            self.regions().extend(told.map(|region| (bucket.to_owned(), region)));
        }
    }

    fn regions(&self) -> MutexGuard<'_, BTreeMap<String, Region>> {
        self.regions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The longest wait for one answer or one more byte before it is worth asking again.
    fn patience(&self) -> Duration {
        self.settings.timeout / 3
    }
}

impl Threads {
    fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("edxfs-s3")
            .enable_all()
            .build()
            .map_err(|error| Error::internal("cannot start the S3 client's threads").caused_by(error))?;
        Ok(Threads(Some(runtime)))
    }

    fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("it is taken only on drop")
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime().block_on(work)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
