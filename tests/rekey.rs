//! Who can open a cache, and its end, with keys that GnuPG made and the program as scripts call it.
//!
//! - `sharing`:  a second key opens the full cache, a removed one does not; what GnuPG says of the key file
//! - `refusals`: what `rekey` does not do, and that it changes nothing then
//! - `crashes`:  the key file after a crash, and after somebody has meddled with it
//! - `purging`:  the key goes first, then what is ours, and nothing else

mod common;

#[path = "rekey/crashes.rs"]
mod crashes;
#[path = "decode/fixtures.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod fixtures;
#[path = "rekey/purging.rs"]
mod purging;
#[path = "common/refusal.rs"]
mod refusal;
#[path = "rekey/refusals.rs"]
mod refusals;
#[path = "rekey/sharing.rs"]
mod sharing;
#[path = "rekey/site.rs"]
mod site;
