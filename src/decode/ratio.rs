//! How far one layer may expand its input before it counts as a bomb; counts bytes, decodes nothing.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Plain bytes per coded byte that a layer may reach. Deflate ends at 1,032; logs and tables compress 10- to 60-fold,
/// a table of nothing but NULLs some 200-fold.
const RATIO_LIMIT: u64 = 400;
/// Plain bytes below which the ratio is not asked: small files of one repeated line are honest.
const FREE_BYTES: u64 = 64 << 20;

/// Bytes that went into a layer, seen from its output's side.
#[derive(Clone, Default)]
pub struct Intake(Arc<AtomicU64>);

impl Intake {
    pub fn counting<R>(&self, inner: R) -> Counting<R> {
        Counting { inner, intake: self.clone() }
    }

    /// Adds bytes that came in by another way than the counting reader.
    pub fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Errors: `Corrupt` when `plain_bytes` are too many for what came in.
    pub fn allow(&self, plain_bytes: u64) -> Result<()> {
        let coded_bytes = self.0.load(Ordering::Relaxed);
        if plain_bytes > FREE_BYTES && plain_bytes / RATIO_LIMIT > coded_bytes {
            return Err(Error::corrupt(format!("expands more than {RATIO_LIMIT}-fold, as only a bomb does")));
        }
        Ok(())
    }
}

/// Passes bytes through and counts them.
pub struct Counting<R> {
    inner: R,
    intake: Intake,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.intake.add(bytes as u64);
        Ok(bytes)
    }
}
