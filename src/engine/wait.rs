//! How long a caller is willing to wait, and how it says that it has gone away.

/// The patience of one caller.
#[derive(Clone, Copy)]
pub enum Wait<'a> {
    /// Answer at once, or fail with `WouldWait`.
    Never,
    /// Wait while there is progress and this says false; asked about ten times a second.
    Until(&'a (dyn Fn() -> bool + Sync)),
}
