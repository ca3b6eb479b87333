//! Tells the kernel which of the names it keeps lead elsewhere after a change, and nothing about those that do not.
//!
//! All on one thread of its own: told from a request's thread, the kernel would wait for that request. A change is
//! only a nudge; what has changed is found by asking the volume anew about every name that the kernel may keep. So
//! changes that come while it asks are one change, and a stream of them costs a fixed share of one processor.

use std::ffi::OsStr;
use std::sync::Weak;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use fuser::{INodeNo, Notifier};

use super::inode::Kept;
use super::operations::Operations;

/// A pass is followed by a pause of this many times its own length, within limits.
const REST: u32 = 4;
const SHORTEST_REST: Duration = Duration::from_millis(200);
const LONGEST_REST: Duration = Duration::from_secs(5);

/// A lookup that began before a change may be answered after the first pass over it.
const PASSES: usize = 2;

/// Works off changes until there is no mount, or nobody who could tell of any.
pub fn follow(changes: &Receiver<()>, operations: &Weak<Operations>, notifier: &Notifier) {
    while changes.recv().is_ok() {
        for _ in 0..PASSES {
            while changes.try_recv().is_ok() {}
            let Some(operations) = operations.upgrade() else { return };
            let begun = Instant::now();
            let (names, refuted) = pass(&operations, notifier);
            drop(operations);
            tracing::debug!(names, refuted, elapsed = ?begun.elapsed(), "kernel caches follow a change");
            thread::sleep((begun.elapsed() * REST).clamp(SHORTEST_REST, LONGEST_REST));
        }
    }
}

/// Looks at every name; how many there are, and how many the kernel had to be told of.
fn pass(operations: &Operations, notifier: &Notifier) -> (usize, usize) {
    let names = operations.inodes.kept();
    let mut refuted = 0;
    for kept in &names {
        if operations.still_leads(kept) {
            if kept.is_directory() {
                // Its time may have changed. A negative offset leaves pages alone.
                tell(notifier.inval_inode(INodeNo(kept.ino), -1, 0));
            }
        } else {
            refute(kept, operations, notifier);
            refuted += 1;
        }
    }
    (names.len(), refuted)
}

fn refute(kept: &Kept, operations: &Operations, notifier: &Notifier) {
    let (parent, name) = kept.path.rsplit_once('/').unwrap_or(("", &kept.path));
    // Without its directory the kernel has no name to forget.
    if let Some(parent) = operations.inodes.directory(parent) {
        tell(notifier.inval_entry(INodeNo(parent), OsStr::new(name)));
    }
    operations.inodes.drop_path(kept.ino, &kept.path);
}

fn tell(told: std::io::Result<()>) {
    if let Err(error) = told {
        tracing::trace!("the kernel had nothing to forget: {error}");
    }
}
