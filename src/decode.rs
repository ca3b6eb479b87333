//! Stacks decoders by name suffix; bytes in, bytes out; no edX, no file names beyond suffixes.

pub mod gzip;
pub mod openpgp;
pub mod tar;
pub mod zip;

use std::fmt;

/// Which codings lie around a content, outermost first; at most four.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Layers(pub Vec<Layer>);

/// One coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    OpenPgp,
    Gzip,
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for layer in &self.0 {
            f.write_str(match layer {
                Layer::OpenPgp => ".gpg",
                Layer::Gzip => ".gz",
            })?;
        }
        Ok(())
    }
}
