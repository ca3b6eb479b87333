//! The client in use, made anew when the server no longer takes its credentials; sends nothing.
//!
//! The SDK renews credentials that say when they expire. It notices neither keys that were replaced in a profile nor a
//! session that was ended before its time, and a mount lives longer than both.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::SharedCredentialsProvider;

use super::clock::ServerClock;
use super::{S3Settings, client};

/// The shortest time between two readings of profiles that may be of no use.
const PAUSE: Duration = Duration::from_secs(3);

/// Which client it was that a request went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u64);

pub struct Session {
    current: Mutex<Current>,
    /// Held by the one renewal under way.
    renewing: tokio::sync::Mutex<()>,
}

struct Current {
    client: Client,
    credentials: Option<SharedCredentialsProvider>,
    generation: Generation,
    since: Instant,
}

impl Current {
    async fn connect(settings: &S3Settings, clock: &ServerClock, generation: Generation) -> Current {
        let (client, credentials) = client::connect(settings, clock).await;
        Current { client, credentials, generation, since: Instant::now() }
    }
}

impl Session {
    pub async fn begin(settings: &S3Settings, clock: &ServerClock) -> Session {
        let current = Current::connect(settings, clock, Generation(0)).await;
        Session { current: Mutex::new(current), renewing: tokio::sync::Mutex::default() }
    }

    pub fn client(&self) -> (Client, Generation) {
        let current = self.current();
        (current.client.clone(), current.generation)
    }

    /// The chain that the credentials come from; None where the SDK has none.
    pub fn credentials(&self) -> Option<SharedCredentialsProvider> {
        self.current().credentials.clone()
    }

    /// Reads environment and profiles anew, unless somebody has done so since. False: that was only just now.
    pub async fn renew(&self, settings: &S3Settings, clock: &ServerClock, refused: Generation) -> bool {
        let _one = self.renewing.lock().await;
        let (generation, age) = {
            let current = self.current();
            (current.generation, current.since.elapsed())
        };
        if generation != refused {
            return true;
        }
        if age < PAUSE {
            return false;
        }
        tracing::info!("S3 refuses the credentials: they are read anew");
        let next = Current::connect(settings, clock, Generation(refused.0 + 1)).await;
        *self.current() = next;
        true
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
