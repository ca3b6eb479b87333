//! Mounts of ours that a crash has left: whoever goes there is told that the transport endpoint is not connected.

use std::fs;

use crate::doctor::{Case, Report};
use crate::fuse::{is_dead, mount_table};
use crate::shell::quoted;

const CHECK: &str = "stale mount";

/// Says something only where there is one. It keeps no other mount from working, and a new mount there takes it off.
pub fn check(case: &Case<'_>, report: &mut Report<'_>) {
    let table = fs::read(case.machine.proc.join("self/mountinfo")).unwrap_or_default();
    for mounted in mount_table(&table).iter().filter(|mounted| mounted.is_ours()) {
        if is_dead(&mounted.point) {
            let at = mounted.point.display();
            let text = "its process has gone: `Transport endpoint is not connected`";
            report.warn(CHECK, format!("{at}: {text}; fusermount3 -u -z {}", quoted(&mounted.point)));
        }
    }
}
