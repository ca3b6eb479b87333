//! How a command that goes on later is asked to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::Result;

/// Tells from now on whether SIGINT or SIGTERM has come: the first asks for an end, the second is obeyed at once.
pub fn asked() -> Result<impl Fn() -> bool + Send + Sync> {
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 130, Arc::clone(&stopped))?;
        flag::register(signal, Arc::clone(&stopped))?;
    }
    Ok(move || stopped.load(Ordering::Relaxed))
}
