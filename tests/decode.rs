//! Decoders against what GnuPG, gzip, Info-ZIP, Python and GNU tar write, whole and damaged.
//!
//! - `openpgp`: every form of message and key file that `data-package.md` 3 lists, and those that are refused
//! - `damage`:  cuts and flipped bits are never taken for the plaintext
//! - `gzip`, `zip`, `tar`: forms, refusals, requests counted, bombs

#[path = "decode/damage.rs"]
mod damage;
#[path = "decode/fixtures.rs"]
mod fixtures;
#[path = "common/gnupg_home.rs"]
mod gnupg_home;
#[path = "decode/gzip.rs"]
mod gzip;
#[path = "decode/openpgp.rs"]
mod openpgp;
#[path = "decode/recipients.rs"]
mod recipients;
#[path = "decode/tar.rs"]
mod tar;
#[path = "decode/zip.rs"]
mod zip;
