//! known, size, open, index on a bounded pool; no paths, no kernel.

pub mod size;
pub mod wait;
