//! One part of one object as a stream that outlives broken connections; no other version's bytes ever.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::failure::{Failure, FailureKind};
use super::{ATTEMPTS, Link, S3Source, Threads};
use crate::error::{Error, ErrorKind, Result};
use crate::source::{ObjectId, ObjectReader};

/// Bytes handed over at once; with those in the channel, what a reader may be ahead of its user: 2 MiB.
const BLOCK_BYTES: usize = 256 << 10;
const BLOCKS: usize = 6;

/// Waits for the first answer, so that a refusal is an error of the open.
pub fn open(source: &S3Source, id: &ObjectId, range: Range<u64>) -> Result<ObjectReader> {
    if range.is_empty() {
        return Ok(Box::new(io::empty()));
    }
    let part = Part::new(source.link.clone(), id, range)?;
    let left = part.end - part.at;
    source.link.fetched_objects.fetch_add(1, Ordering::Relaxed);
    let body = source.threads.run(part.get())?;
    let (sender, blocks) = mpsc::channel(BLOCKS);
    let task = source.threads.runtime().spawn(part.pump(body, sender));
    let threads = source.threads.clone();
    Ok(Box::new(PartReader { id: id.clone(), blocks, block: Vec::new(), at: 0, left, failed: None, task, threads }))
}

/// The blocking end.
struct PartReader {
    id: ObjectId,
    blocks: Receiver<Result<Vec<u8>>>,
    block: Vec<u8>,
    at: usize,
    left: u64,
    failed: Option<Error>,
    task: JoinHandle<()>,
    /// Keeps the task running when the source is dropped before its readers.
    #[expect(dead_code, reason = "held, not used")]
    threads: Arc<Threads>,
}

impl PartReader {
    fn next_block(&mut self) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let next = self.blocks.blocking_recv();
        match next.unwrap_or_else(|| Err(Error::internal("the transfer ended early"))) {
            Ok(block) => (self.block, self.at) = (block, 0),
            Err(error) => return Err(self.failed.insert(error.about(&self.id)).clone()),
        }
        Ok(())
    }
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        if self.at == self.block.len() {
            self.next_block()?;
        }
        let bytes = buffer.len().min(self.block.len() - self.at);
        buffer[..bytes].copy_from_slice(&self.block[self.at..self.at + bytes]);
        self.at += bytes;
        self.left -= bytes as u64;
        Ok(bytes)
    }
}

impl Drop for PartReader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The asynchronous end: what is still to fetch.
struct Part {
    link: Arc<Link>,
    bucket: String,
    key: String,
    etag: String,
    at: u64,
    end: u64,
}

/// Why a body gave no more bytes.
enum Breakage {
    Ended,
    Failed(String),
    Stalled,
}

impl Part {
    fn new(link: Arc<Link>, id: &ObjectId, range: Range<u64>) -> Result<Self> {
        let Some((bucket, key)) = id.key.as_str().split_once('/') else {
            return Err(Error::not_found("not a bucket and a key"));
        };
        let (bucket, key, etag) = (bucket.to_owned(), key.to_owned(), id.etag.as_str().to_owned());
        Ok(Part { link, bucket, key, etag, at: range.start, end: range.end })
    }

    /// The body from `at` to `end`; the client repeats what is worth repeating.
    async fn get(&self) -> Result<ByteStream> {
        let request = |client: Client, settings| {
            client
                .get_object()
                .bucket(&self.bucket)
                .key(&self.key)
                .if_match(format!("\"{}\"", self.etag))
                .range(format!("bytes={}-{}", self.at, self.end - 1))
                .set_request_payer(self.link.settings.requester_pays.header())
                .customize()
                .config_override(settings)
                .send()
        };
        match self.link.send(&self.bucket, request).await {
            Ok(answer) => self.checked(answer),
            Err(failure) => Err(self.error(&failure)),
        }
    }

    /// Some servers know neither If-Match nor ranges and answer with whatever they have.
    fn checked(&self, answer: GetObjectOutput) -> Result<ByteStream> {
        if answer.e_tag().is_some_and(|etag| etag.trim_matches('"') != self.etag) {
            return Err(Error::new(ErrorKind::Changed, "has changed since it was listed").advise("open it again"));
        }
        let wanted = format!("bytes {}-{}/", self.at, self.end - 1);
        match answer.content_range() {
            Some(range) if range.starts_with(&wanted) => Ok(answer.body),
            Some(range) if range.starts_with(&format!("bytes {}-", self.at)) => {
                Err(Error::corrupt(format!("ends before byte {}: the server gives {range}", self.end)))
            }
            None if self.at == 0 && answer.content_length().and_then(|n| u64::try_from(n).ok()) == Some(self.end) => {
                Ok(answer.body)
            }
            _ => Err(Error::unsupported("the server does not answer with the range that was asked for")),
        }
    }

    fn error(&self, failure: &Failure) -> Error {
        match failure.kind {
            FailureKind::NoKey => Error::new(ErrorKind::Changed, "was deleted since it was listed"),
            FailureKind::OtherVersion => failure.error().advise("open it again"),
            FailureKind::Denied if failure.is_of_permissions() => failure
                .error()
                .advise("the access key needs s3:GetObject on it, or --requester-pays if the bucket asks for it"),
            _ => failure.error(),
        }
    }

    /// Until all is handed over, an error is, or nobody listens any more.
    async fn pump(mut self, body: ByteStream, blocks: Sender<Result<Vec<u8>>>) {
        if let Err(error) = self.hand_over(body, &blocks).await {
            // A reader that is gone wants no error either.
            let _ = blocks.send(Err(error)).await;
        }
    }

    async fn hand_over(&mut self, mut body: ByteStream, blocks: &Sender<Result<Vec<u8>>>) -> Result<()> {
        let mut block = Vec::new();
        let mut progress = Instant::now();
        let mut setbacks = Setbacks { count: 0, since: self.at };
        while self.at < self.end {
            match self.more(&mut body, &mut block, progress).await {
                Ok(()) => progress = Instant::now(),
                Err(breakage) => body = self.resume(breakage, &mut setbacks, progress).await?,
            }
            if block.len() >= BLOCK_BYTES || self.at == self.end {
                if blocks.send(Ok(std::mem::take(&mut block))).await.is_err() {
                    return Ok(());
                }
                // Waiting for a slow user is no fault of the server's.
                progress = Instant::now();
            }
        }
        Ok(())
    }

    async fn more(&mut self, body: &mut ByteStream, block: &mut Vec<u8>, since: Instant) -> Result<(), Breakage> {
        let patience = self.link.patience().min(self.time_left(since));
        let bytes = match timeout(patience, body.next()).await {
            Ok(Some(Ok(bytes))) => bytes,
            Ok(Some(Err(error))) => return Err(Breakage::Failed(error.to_string())),
            Ok(None) => return Err(Breakage::Ended),
            Err(_) => return Err(Breakage::Stalled),
        };
        let most = usize::try_from(self.end - self.at).map_or(bytes.len(), |left| left.min(bytes.len()));
        block.extend_from_slice(&bytes[..most]);
        self.at += most as u64;
        self.link.fetched_bytes.fetch_add(most as u64, Ordering::Relaxed);
        Ok(())
    }

    async fn resume(&self, breakage: Breakage, setbacks: &mut Setbacks, since: Instant) -> Result<ByteStream> {
        let attempt = setbacks.add(self.at);
        if attempt >= ATTEMPTS || self.time_left(since).is_zero() {
            return Err(breakage.error());
        }
        tracing::debug!("{}/{}: resumed at byte {} of {}", self.bucket, self.key, self.at, self.end);
        let pause = Duration::from_millis(100 << attempt).min(self.time_left(since));
        sleep(pause).await;
        timeout(self.time_left(since), self.get()).await.unwrap_or_else(|_| Err(breakage.error()))
    }

    fn time_left(&self, since: Instant) -> Duration {
        self.link.settings.timeout.saturating_sub(since.elapsed())
    }
}

/// Breakages in a row; a block's worth of bytes in between ends the row.
struct Setbacks {
    count: u32,
    since: u64,
}

impl Setbacks {
    fn add(&mut self, at: u64) -> u32 {
        let row = if at - self.since >= BLOCK_BYTES as u64 { 0 } else { self.count };
        *self = Setbacks { count: row + 1, since: at };
        self.count
    }
}

impl Breakage {
    fn error(&self) -> Error {
        match self {
            Breakage::Stalled => Error::new(ErrorKind::TimedOut, "S3 sends nothing any more"),
            Breakage::Ended => Error::new(ErrorKind::Unreachable, "S3 breaks off again and again"),
            Breakage::Failed(cause) => {
                Error::new(ErrorKind::Unreachable, format!("S3 breaks off again and again ({cause})"))
            }
        }
        .advise("check the network; it is tried again when opened again")
    }
}
