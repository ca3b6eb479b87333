//! Content as gzip, the same bytes each time.

use crate::decode::gzip::gzip;
use crate::error::Result;
use crate::recipe::make::{Inputs, Summary};
use crate::recipe::{Artifact, Output, Outputs};

/// What an upgrade of the library may change: the bytes it writes.
pub const GZIP: &str = "zlib-rs 0.6.8";

/// Gzips a finished artifact into `Output::Whole`. Errors: the artifact's; `CacheFull` by the outputs.
pub fn make(content: &Artifact, inputs: &dyn Inputs, outputs: &mut dyn Outputs) -> Result<Summary> {
    let mut plain = inputs.artifact(content)?;
    let slot = outputs.create(&Output::Whole)?;
    gzip(&mut plain, &mut |bytes| outputs.append(slot, bytes))?;
    Ok(Summary::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_names_the_library_that_is_built_in() {
        let lock = include_str!("../../Cargo.lock");
        let (_, package) = lock.split_once("\nname = \"zlib-rs\"\n").expect("the compressor is in the lock file");
        let version = package.lines().next().and_then(|line| line.strip_prefix("version = ")).expect("a version");
        assert_eq!(GZIP, format!("zlib-rs {}", version.trim_matches('"')));
        assert!(!package.contains("\nname = \"zlib-rs\"\n"), "one version only");
    }
}
