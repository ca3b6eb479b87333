//! Bad input, layer by layer, through a real mount: what is damaged fails alone and says so, nothing unverified is read.
//!
//! | file | what is damaged |
//! |---|---|
//! | `damage/days.rs` | day logs: the OpenPGP message, the gzip inside, the recipient |
//! | `damage/archives.rs` | weekly zips: the directory, a member's bytes and CRC, the message inside |
//! | `damage/packages.rs` | exchanged packages, the tar era, opt-in lists |
//! | `damage/bombs.rs` | nothing: it only expands without end |
//! | `damage/cache.rs` | the cache folder between two mounts; what can be read in it |
//! | `damage/secrets.rs` | nothing: what a mount lets others see |

mod common;
#[path = "common/gnupg.rs"]
mod gnupg;
#[path = "common/injury.rs"]
mod injury;
#[path = "common/reading.rs"]
mod reading;
#[path = "common/refusal.rs"]
mod refusal;

#[path = "damage/archives.rs"]
mod archives;
#[path = "damage/bombs.rs"]
mod bombs;
#[path = "damage/cache.rs"]
mod cache;
#[path = "damage/days.rs"]
mod days;
#[path = "damage/packages.rs"]
mod packages;
#[path = "damage/secrets.rs"]
mod secrets;
