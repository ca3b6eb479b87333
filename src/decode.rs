//! Stacks decoders by name suffix; bytes in, bytes out; no edX, no file names beyond suffixes.
//!
//! Every reader made here ends with `Ok(0)` only after the layer's own check (OpenPGP's integrity check, gzip's and
//! zip's CRC and length) has passed; before that its bytes are unverified and must not be shown. A failed reader
//! gives the same error for good, as an `io::Error` that `Error::from` takes out again.

pub mod gzip;
mod names;
pub mod openpgp;
mod ranged;
mod ratio;
pub mod tar;
pub mod zip;

use std::fmt;
use std::io::Read;

use crate::decode::openpgp::SecretKeys;
use crate::error::Result;

/// Which codings lie around a content, outermost first; at most four.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Layers(pub Vec<Layer>);

/// One coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    OpenPgp,
    Gzip,
}

impl Layer {
    fn suffix(self) -> &'static str {
        match self {
            Layer::OpenPgp => ".gpg",
            Layer::Gzip => ".gz",
        }
    }
}

impl Layers {
    /// The layers that `name` announces from the right, `.gpg` then `.gz`, and the name without them:
    /// `x.log.gz.gpg` is OpenPGP around gzip around `x.log`.
    pub fn of(name: &str) -> (Layers, &str) {
        peel(name, &[Layer::OpenPgp, Layer::Gzip])
    }

    /// Only an outermost `.gpg`, for contents that are shown compressed (`course.xml.tar.gz.gpg`).
    pub fn openpgp_only(name: &str) -> (Layers, &str) {
        peel(name, &[Layer::OpenPgp])
    }
}

fn peel<'a>(name: &'a str, wanted: &[Layer]) -> (Layers, &'a str) {
    let mut rest = name;
    let mut found = Vec::new();
    for &layer in wanted {
        if let Some(inner) =
            rest.strip_suffix(layer.suffix()).filter(|inner| !inner.is_empty() && !inner.ends_with('/'))
        {
            rest = inner;
            found.push(layer);
        }
    }
    (Layers(found), rest)
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for layer in &self.0 {
            f.write_str(layer.suffix())?;
        }
        Ok(())
    }
}

/// Takes `layers` off `input`, outermost first.
///
/// Input and output: bytes; with no layers the input itself. Errors: `Corrupt`, `NoSecretKey`, `Unsupported`, and
/// whatever the input's own reader gives, here or from a later `read`.
pub fn decode(input: Box<dyn Read + Send>, layers: &Layers, keys: &SecretKeys) -> Result<Box<dyn Read + Send>> {
    layers.0.iter().try_fold(input, |inner, layer| match layer {
        Layer::OpenPgp => openpgp::decrypt(keys, inner),
        Layer::Gzip => Ok(gzip::gunzip(inner)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_peeled_from_the_right_once_each() {
        for (name, layers, rest) in [
            ("x.log.gz.gpg", vec![Layer::OpenPgp, Layer::Gzip], "x.log"),
            ("x.log.gz", vec![Layer::Gzip], "x.log"),
            ("x.sql.gpg", vec![Layer::OpenPgp], "x.sql"),
            ("x.gpg.gz", vec![Layer::Gzip], "x.gpg"),
            ("x.gpg.gpg", vec![Layer::OpenPgp], "x.gpg"),
            ("x.zip", vec![], "x.zip"),
            ("a/.gpg", vec![], "a/.gpg"),
            (".gz", vec![], ".gz"),
        ] {
            assert_eq!(Layers::of(name), (Layers(layers), rest), "{name}");
        }
        let (layers, rest) = Layers::openpgp_only("c.xml.tar.gz.gpg");
        assert_eq!((layers.to_string().as_str(), rest), (".gpg", "c.xml.tar.gz"));
    }
}
