//! When a source is listed anew: every so often; sooner while it cannot be listed; at once after the machine has slept
//! over the time. Goes by the clock that runs on while the machine sleeps and that nobody sets.

use std::io;
use std::sync::Weak;
use std::thread;
use std::time::Duration;

use crate::volume::Volume;

/// The first pause after a listing that failed; doubled with each further failure.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// How long the machine may be awake after a sleep before that is noticed.
const NAP: Duration = Duration::from_secs(10);

/// Refreshes a volume in a thread of its own until it is gone, `pause` between two listings; at once if it began with one
/// of an earlier mount.
pub fn start(volume: Weak<Volume>, pause: Duration) -> io::Result<()> {
    let refresh = move || {
        let mut failures = 0;
        if volume.upgrade().is_some_and(|volume| volume.has_refreshed()) {
            wait(pause, &since_boot, &mut thread::sleep);
        }
        while let Some(volume) = volume.upgrade() {
            match volume.refresh() {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, failures, "the source cannot be listed; the last known listing stays");
                }
            }
            drop(volume);
            wait(pause_after(failures, pause), &since_boot, &mut thread::sleep);
        }
    };
    thread::Builder::new().name("refresh".into()).spawn(refresh).map(drop)
}

/// The time to the next listing after so many failures in a row.
fn pause_after(failures: u32, pause: Duration) -> Duration {
    match failures.checked_sub(1) {
        None => pause,
        Some(doublings) => FIRST_RETRY.saturating_mul(2_u32.saturating_pow(doublings)).min(pause),
    }
}

/// Waits until `time` has passed by `now`, in naps, since a sleep's own clock stands still with the machine.
fn wait(time: Duration, now: &dyn Fn() -> Duration, sleep: &mut dyn FnMut(Duration)) {
    let due = now() + time;
    while let Some(rest) = due.checked_sub(now()).filter(|rest| !rest.is_zero()) {
        sleep(rest.min(NAP));
    }
}

/// Time since the machine was started, its sleep included.
fn since_boot() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is one writable timespec; this clock is there since Linux 2.6.39.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const QUARTER: Duration = Duration::from_secs(900);

    #[test]
    fn failures_are_tried_again_soon_and_then_less_often() {
        let pauses: Vec<_> = (0..12).map(|failures| pause_after(failures, QUARTER).as_secs()).collect();
        assert_eq!(pauses, [900, 5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900]);
        assert_eq!(pause_after(u32::MAX, QUARTER), QUARTER);
        assert_eq!(pause_after(1, Duration::from_secs(1)).as_secs(), 1, "never less often than asked for");
    }

    #[test]
    fn a_machine_that_has_slept_over_the_time_waits_no_longer() {
        let clock = Cell::new(Duration::from_secs(100));
        let mut naps = 0;
        let mut sleep = |nap: Duration| {
            naps += 1;
            // The third nap is a night.
            clock.set(clock.get() + if naps == 3 { Duration::from_secs(8 * 3600) } else { nap });
        };
        wait(QUARTER, &|| clock.get(), &mut sleep);
        assert_eq!(naps, 3);
    }

    #[test]
    fn an_undisturbed_wait_is_as_long_as_asked() {
        let clock = Cell::new(since_boot());
        let begun = clock.get();
        wait(Duration::from_millis(25_500), &|| clock.get(), &mut |nap| clock.set(clock.get() + nap));
        assert_eq!((clock.get() - begun).as_millis(), 25_500);
    }
}
