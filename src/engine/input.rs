//! A recipe's encoded input: read from the source, counted, throttled, decoded a few buffers ahead of its reader.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::decode::openpgp::SecretKeys;
use crate::decode::zip::{Ranged, open_entry};
use crate::decode::{Layers, decode};
use crate::engine::flight::Progress;
use crate::error::{Error, Result};
use crate::recipe::Part;
use crate::source::{ObjectId, Source};

/// What reading an input needs, shared with the reading thread.
#[derive(Clone)]
pub struct Encoded {
    pub source: Arc<dyn Source>,
    pub keys: SecretKeys,
    /// Grows with every byte that any run reads.
    pub moved: Arc<AtomicU64>,
    /// Bytes a second that a run may read while nobody waits for it.
    pub background_rate: Option<u64>,
}

/// Who is told of each byte read: one run.
pub trait Watch: Send + Sync {
    fn progress(&self) -> &Progress;
}

impl Encoded {
    /// The part with `layers` taken off. Errors name the part.
    fn decoded(&self, part: &Part, layers: &Layers, watch: Arc<dyn Watch>) -> Result<Box<dyn Read + Send>> {
        let name = part.name();
        let encoded = self.encoded(part, watch).map_err(|e| e.about(&name))?;
        let plain = decode(encoded, layers, &self.keys).map_err(|e| e.about(&name))?;
        Ok(Box::new(Named { inner: plain, name }))
    }

    /// As `decoded`, decoding in a thread of its own.
    pub fn decoded_ahead(&self, part: &Part, layers: &Layers, watch: Arc<dyn Watch>) -> Result<Box<dyn Read + Send>> {
        Ok(Box::new(Ahead::new(self.decoded(part, layers, watch)?)))
    }

    fn encoded(&self, part: &Part, watch: Arc<dyn Watch>) -> Result<Box<dyn Read + Send>> {
        let object = ObjectRanges { encoded: self.clone(), id: part.object.clone(), watch };
        match &part.entry {
            None => object.read(0..part.object.bytes),
            // What the producer failed to encrypt is common, never known, and must not cost a request each time.
            Some(entry) if (entry.compressed, entry.bytes, entry.crc32.unwrap_or(0)) == (0, 0, 0) => {
                Ok(Box::new(io::empty()))
            }
            // An entry without a CRC lies in a tar, as it is.
            Some(entry) if entry.crc32.is_none() => object.read(entry.offset..entry.offset + entry.compressed),
            Some(entry) => open_entry(&object, entry),
        }
    }
}

struct ObjectRanges {
    encoded: Encoded,
    id: ObjectId,
    watch: Arc<dyn Watch>,
}

impl Ranged for ObjectRanges {
    fn bytes(&self) -> u64 {
        self.id.bytes
    }

    fn read(&self, range: Range<u64>) -> Result<Box<dyn Read + Send>> {
        let inner = self.encoded.source.open(&self.id, range)?;
        let throttle = self.encoded.background_rate.map(Throttle::new);
        Ok(Box::new(Counted { inner, watch: self.watch.clone(), moved: self.encoded.moved.clone(), throttle }))
    }
}

struct Counted {
    inner: Box<dyn Read + Send>,
    watch: Arc<dyn Watch>,
    moved: Arc<AtomicU64>,
    throttle: Option<Throttle>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        let progress = self.watch.progress();
        progress.done_bytes.fetch_add(n as u64, Ordering::Relaxed);
        self.moved.fetch_add(n as u64, Ordering::Relaxed);
        if let Some(throttle) = &mut self.throttle {
            throttle.pass(n as u64, progress);
        }
        Ok(n)
    }
}

/// Sleeps so that the bytes passed stay below a rate, as long as nobody waits for them.
struct Throttle {
    rate: u64,
    begun: Instant,
    passed: u64,
}

impl Throttle {
    fn new(rate: u64) -> Self {
        Throttle { rate: rate.max(1), begun: Instant::now(), passed: 0 }
    }

    fn pass(&mut self, bytes: u64, progress: &Progress) {
        self.passed += bytes;
        let due = Duration::from_secs_f64(self.passed as f64 / self.rate as f64);
        while self.begun.elapsed() < due && progress.waiting.load(Ordering::Relaxed) == 0 {
            thread::sleep((due - self.begun.elapsed().min(due)).min(Duration::from_millis(50)));
        }
    }
}

/// Adds to every error which part it is about.
struct Named {
    inner: Box<dyn Read + Send>,
    name: String,
}

impl Read for Named {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|e| Error::from(e).about(&self.name).into())
    }
}

const AHEAD_BYTES: usize = 1 << 20;
const AHEAD_BUFFERS: usize = 3;

/// Reads ahead in a thread of its own, so that decoding and what is done with the bytes go on side by side.
struct Ahead {
    full: Receiver<io::Result<Vec<u8>>>,
    empty: SyncSender<Vec<u8>>,
    current: Vec<u8>,
    position: usize,
    ended: bool,
}

impl Ahead {
    fn new(mut inner: Box<dyn Read + Send>) -> Self {
        let (send_full, full) = sync_channel(AHEAD_BUFFERS);
        let (empty, take_empty) = sync_channel::<Vec<u8>>(AHEAD_BUFFERS + 1);
        thread::spawn(move || {
            loop {
                let mut buffer = take_empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(AHEAD_BYTES));
                buffer.resize(AHEAD_BYTES, 0);
                let filled = fill(&mut *inner, &mut buffer);
                let last = !matches!(filled, Ok(n) if n > 0);
                let message = filled.map(|n| {
                    buffer.truncate(n);
                    buffer
                });
                if send_full.send(message).is_err() || last {
                    return;
                }
            }
        });
        Ahead { full, empty, current: Vec::new(), position: 0, ended: false }
    }

    /// The next bytes, none at the end.
    fn advance(&mut self) -> io::Result<()> {
        let next = self.full.recv().map_err(|_| io::Error::from(Error::internal("the decoding thread has gone")))??;
        let used = std::mem::replace(&mut self.current, next);
        self.position = 0;
        self.ended = self.current.is_empty();
        if used.capacity() > 0 {
            // Full or closed: the buffer is simply freed.
            let _ = self.empty.try_send(used);
        }
        Ok(())
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position == self.current.len() && !self.ended {
            self.advance()?;
        }
        let n = buffer.len().min(self.current.len() - self.position);
        buffer[..n].copy_from_slice(&self.current[self.position..self.position + n]);
        self.position += n;
        Ok(n)
    }
}

fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
