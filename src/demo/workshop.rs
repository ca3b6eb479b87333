//! Turns plaintexts into files of the package: gzip and OpenPGP around them, a plain copy beside them if wanted.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::{GzBuilder, write::GzEncoder};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::demo::gnupg::{Encryption, Keyring};
use crate::demo::organisation::Organisation;
use crate::demo::plan::{Compression, Plan, modified};
use crate::error::{Error, Result};

/// Gzip's own time stamp and name in every file, so that equal content gives equal bytes.
const GZIP_TIME: u32 = 1_425_168_000;
const GZIP_NAME: &str = "tmpGUgftP";

/// Where and with what a package is made.
pub struct Workshop<'a> {
    pub plan: &'a Plan,
    pub org: &'a Organisation,
    pub keyring: &'a Keyring,
    /// The package itself: keys are paths below it.
    pub data: PathBuf,
    /// Where plain copies go.
    pub plain: Option<PathBuf>,
    /// What is put together before it goes below `data`.
    pub scratch: PathBuf,
}

impl Workshop<'_> {
    /// One day log: gzip, then OpenPGP. `plain`: the key of its plain copy.
    pub fn day_log(&self, key: &str, date: Date, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
        let target = new_file(&self.data, key)?;
        let level = match self.plan.compression {
            Compression::Producer => 9,
            Compression::Fast => 1,
        };
        let plain_key = key.trim_end_matches(".gz.gpg");
        let mut tee = Tee { plain: self.plain_copy(plain_key)?, coded: gzip(self.keyring.encrypt_to(&target)?, level) };
        let written = write(&mut tee).and_then(|()| tee.finish()).map_err(Error::from);
        written.and_then(Encryption::finish).map_err(|error| error.about(key))?;
        set_modified(&target, modified(date))
    }

    /// One encrypted file at any path. `plain_key`: the key of its plain copy.
    pub fn encrypted(&self, target: &Path, plain_key: &str, content: &[u8], date: Date) -> Result<()> {
        if let Some(mut plain) = self.plain_copy(plain_key)? {
            plain.write_all(content)?;
            plain.flush()?;
        }
        let mut encryption = self.keyring.encrypt_to(target)?;
        // GnuPG's own complaint says more than the broken pipe that it leaves.
        let written = encryption.write_all(content);
        encryption.finish().map_err(|error| error.about(plain_key))?;
        written?;
        set_modified(target, modified(date))
    }

    /// One file as it is, below `data`.
    pub fn as_is(&self, key: &str, content: &[u8], date: Date) -> Result<()> {
        let target = new_file(&self.data, key)?;
        fs::write(&target, content)?;
        set_modified(&target, modified(date))
    }

    fn plain_copy(&self, key: &str) -> Result<Option<BufWriter<File>>> {
        let Some(plain) = &self.plain else { return Ok(None) };
        Ok(Some(BufWriter::new(File::create(new_file(plain, key)?)?)))
    }
}

/// Gzip around a writer, as CPython writes it: a name, a time, level 9.
pub fn gzip<W: Write>(inner: W, level: u32) -> GzEncoder<W> {
    GzBuilder::new().filename(GZIP_NAME).mtime(GZIP_TIME).write(inner, flate2::Compression::new(level))
}

/// Content as one gzip member.
pub fn gzipped(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = gzip(Vec::new(), 9);
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

/// The path of a key below a folder, its folders made.
pub fn new_file(below: &Path, key: &str) -> Result<PathBuf> {
    let path = below.join(key);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| Error::from(error).about(parent.display()))?;
    }
    Ok(path)
}

pub fn set_modified(path: &Path, modified: Timestamp) -> Result<()> {
    let file = File::options().append(true).open(path)?;
    Ok(file.set_modified(modified.into())?)
}

/// Does the jobs, `threads` at a time; the first error ends it. What a job makes must not depend on the others.
pub fn work<J: Sync>(jobs: &[J], threads: usize, one: impl Fn(&J) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = one(job) {
                        next.store(jobs.len(), Ordering::Relaxed);
                        failure.lock().expect("nobody panics while holding it").get_or_insert(error);
                        return;
                    }
                }
            });
        }
    });
    failure.into_inner().expect("nobody panics while holding it").map_or(Ok(()), Err)
}

/// Writes to the plain copy, if there is one, and on to the coded file.
struct Tee {
    plain: Option<BufWriter<File>>,
    coded: GzEncoder<Encryption>,
}

impl Tee {
    fn finish(self) -> io::Result<Encryption> {
        if let Some(mut plain) = self.plain {
            plain.flush()?;
        }
        self.coded.finish()
    }
}

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(plain) = &mut self.plain {
            plain.write_all(bytes)?;
        }
        self.coded.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
