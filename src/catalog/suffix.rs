//! Codings by name suffix, right to left.

use crate::decode::{Layer, Layers};

/// Takes `.gpg` and `.gz` off a log's name: the layers, outermost first, and what remains.
pub(super) fn peel(name: &str) -> (Layers, &str) {
    let (mut layers, rest) = peel_gpg(name);
    match rest.strip_suffix(".gz") {
        Some(rest) => {
            layers.0.push(Layer::Gzip);
            (layers, rest)
        }
        None => (layers, rest),
    }
}

/// Takes `.gpg` alone off: a package's members are shown as edX encrypted them, so `course.xml.tar.gz` stays whole.
pub(super) fn peel_gpg(name: &str) -> (Layers, &str) {
    match name.strip_suffix(".gpg") {
        Some(rest) => (Layers(vec![Layer::OpenPgp]), rest),
        None => (Layers::default(), name),
    }
}
