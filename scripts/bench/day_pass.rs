//! One day's pass as the engine does it, with its tallies or without: decrypted and gunzipped in one thread, split into
//! sealed blobs in another.
//!
//! `day_pass with|without LOG.gz.gpg SECRET-KEY PASSPHRASE-FILE ROUNDS` prints the seconds of each round, one a line.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Instant;

use edxfs::decode::openpgp::{Passphrase, SecretKeys};
use edxfs::decode::{Layers, decode};
use edxfs::edx::tracking_log::CourseRule;
use edxfs::engine::outputs::Drafts;
use edxfs::recipe::tallies::{Counting, TallyParams};
use edxfs::recipe::{Part, split};
use edxfs::source::{ETag, ObjectId, ObjectKey};
use edxfs::store::blob::Keep;
use edxfs::store::seal::DataKey;
use edxfs::store::{Shelving, Store};

/// Whether the day is tallied while it is split.
#[derive(Clone, Copy)]
enum Tallies {
    With,
    Without,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tallies, log, key, passphrase, rounds] = arguments.as_slice() else {
        return Err("usage: day_pass with|without LOG.gz.gpg SECRET-KEY PASSPHRASE-FILE ROUNDS".into());
    };
    let tallies = match tallies.as_str() {
        "with" => Tallies::With,
        "without" => Tallies::Without,
        other => return Err(format!("neither with nor without: {other}").into()),
    };
    let passphrase = fs::read_to_string(passphrase)?.lines().next().unwrap_or_default().as_bytes().to_vec();
    let keys = SecretKeys::load(&[PathBuf::from(key)], &mut |_| Ok(Some(Passphrase::new(passphrase.clone()))))?;
    for _ in 0..rounds.parse()? {
        let cache = tempfile::tempdir()?;
        let begun = Instant::now();
        pass(tallies, Path::new(log), &keys, cache.path())?;
        println!("{:.4}", begun.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Into a new cache, as `Recipe::Day` is run.
fn pass(tallies: Tallies, log: &Path, keys: &SecretKeys, cache: &Path) -> Result<(), Box<dyn Error>> {
    let store = Store::open(cache, &DataKey::from_bytes([7; 32]), 20 << 30)?;
    let mut drafts = Drafts::new(&store, Keep::Always, Shelving::Ordinary);
    let mut beside = Drafts::new(&store, Keep::Always, Shelving::Lasting);
    let name = log.file_name().unwrap_or_default().to_string_lossy();
    let mut lines = ahead(decode(Box::new(File::open(log)?), &Layers::of(&name).0, keys)?);
    let part = Part::whole(ObjectId { key: ObjectKey::new(&name), etag: ETag::new(""), bytes: 0 });
    let mut counting = match tallies {
        Tallies::Without => None,
        Tallies::With => Some(Counting::begin(&part, &TallyParams::default(), &mut beside)?),
    };
    split::split(&mut lines, CourseRule::Recall, &mut drafts, counting.as_mut())?;
    counting.map(Counting::finish).transpose()?;
    drafts.publish()?;
    beside.publish()?;
    Ok(())
}

/// Decodes a few buffers ahead of its reader, in a thread of its own.
fn ahead(mut inner: Box<dyn Read + Send>) -> impl Read {
    let (sender, full) = sync_channel(3);
    thread::spawn(move || {
        loop {
            let mut buffer = Vec::with_capacity(1 << 20);
            let read = inner.by_ref().take(1 << 20).read_to_end(&mut buffer);
            let is_last = read.is_err() || buffer.is_empty();
            if sender.send(read.map(|_| buffer)).is_err() || is_last {
                return;
            }
        }
    });
    Ahead { full, buffer: io::Cursor::default() }
}

struct Ahead {
    full: Receiver<io::Result<Vec<u8>>>,
    buffer: io::Cursor<Vec<u8>>,
}

impl Read for Ahead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.buffer.position() == self.buffer.get_ref().len() as u64 {
            // A sender that has gone has sent its empty last buffer before.
            self.buffer = io::Cursor::new(self.full.recv().unwrap_or(Ok(Vec::new()))?);
        }
        self.buffer.read(into)
    }
}
