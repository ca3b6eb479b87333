//! kill -9 of the program at the worst moments, and a mount that thousands of names do not make grow.

mod common;

#[path = "crash/killed.rs"]
mod killed;
#[path = "crash/memory.rs"]
mod memory;

#[path = "common/bucket.rs"]
mod bucket;
#[path = "common/servers/mod.rs"]
mod servers;
#[path = "common/truth.rs"]
mod truth;
