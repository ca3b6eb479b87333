//! A real mount from a real S3 protocol server on loopback, with the faults that S3 has. What needs no fault of the
//! server's runs on every server of `common/servers`.
//!
//! | file | what is shown |
//! |---|---|
//! | `s3/whole.rs` | the whole tree, listed by pages under the prefix alone; what one table costs |
//! | `s3/changes.rs` | objects that change, go and come under a mount |
//! | `s3/trouble.rs` | S3 away, slow, refusing, overloaded, cut off |
//! | `s3/years.rs` | what comes in the long run: S3 away at the start, rotated logs, a smaller budget, a clock that jumps |
//! | `s3/mirror.rs` | `edxfs sync`: what it fetches, and what it leaves in the folder |
//! | `s3/broken_sync.rs` | `edxfs sync` killed, stopped, refused, out of room |
//! | `s3/room.rs` | a cache that is too small, a disk that is full |

mod common;
#[path = "common/gnupg.rs"]
mod gnupg;
#[path = "common/injury.rs"]
mod injury;
#[path = "common/reading.rs"]
mod reading;
#[path = "common/refusal.rs"]
mod refusal;
#[path = "common/servers/mod.rs"]
mod servers;

#[path = "s3/broken_sync.rs"]
mod broken_sync;
#[path = "s3/changes.rs"]
mod changes;
#[path = "s3/mirror.rs"]
mod mirror;
#[path = "s3/room.rs"]
mod room;
#[path = "s3/site.rs"]
mod site;
#[path = "s3/trouble.rs"]
mod trouble;
#[path = "s3/whole.rs"]
mod whole;
#[path = "s3/years.rs"]
mod years;
