//! One run, many waiters; nothing about what runs.
//!
//! A flight is made queued. Whoever claims it runs it: normally the thread that waits for a slot, but a run that
//! needs it as an input claims it at once, so that runs which hold all slots never wait for one that has none.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::wait::Wait;
use crate::error::{Error, ErrorKind, Result};

/// How often a waiter looks whether its caller has gone.
const POLL: Duration = Duration::from_millis(100);

/// How far a run has come.
#[derive(Debug, Default)]
pub struct Progress {
    /// Encoded bytes read so far.
    pub done_bytes: AtomicU64,
    /// Encoded bytes that there are to read; 0 where not known, or where other runs' outputs are read instead.
    pub total_bytes: AtomicU64,
    /// Callers waiting for this run now: while there is one, nothing throttles it.
    pub waiting: AtomicUsize,
}

#[derive(Debug)]
enum State<T> {
    Queued,
    Running,
    Done(Result<T>),
}

/// A run that is queued, under way or done.
#[derive(Debug)]
pub struct Flight<T> {
    state: Mutex<State<T>>,
    done: Condvar,
    /// What is being made, for `status`; names an object, never a person.
    pub label: String,
    pub progress: Progress,
}

impl<T: Clone> Flight<T> {
    fn new(label: String) -> Self {
        Flight { state: Mutex::new(State::Queued), done: Condvar::new(), label, progress: Progress::default() }
    }

    /// True for exactly one caller, who must then run it and `finish`.
    pub fn claim(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let queued = matches!(*state, State::Queued);
        if queued {
            *state = State::Running;
        }
        queued
    }

    pub fn is_running(&self) -> bool {
        matches!(*self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Running)
    }

    fn finish(&self, result: Result<T>) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Done(result);
        self.done.notify_all();
    }

    /// Waits for the result. `moved` counts anything the engine does: while it grows, a queued flight is not stuck, nor
    /// is one that lives on what other runs make.
    ///
    /// Errors: the run's own; `Interrupted` when the caller has gone; `TimedOut` after `patience` without progress.
    pub fn wait(&self, wait: Wait<'_>, patience: Duration, moved: &AtomicU64) -> Result<T> {
        let Wait::Until(gone) = wait else {
            return Err(Error::new(ErrorKind::WouldWait, "is being made"));
        };
        self.progress.waiting.fetch_add(1, Ordering::Relaxed);
        let result = self.wait_patiently(gone, patience, moved);
        self.progress.waiting.fetch_sub(1, Ordering::Relaxed);
        result
    }

    fn wait_patiently(&self, gone: &dyn Fn() -> bool, patience: Duration, moved: &AtomicU64) -> Result<T> {
        let mut seen = (self.progress.done_bytes.load(Ordering::Relaxed), moved.load(Ordering::Relaxed));
        let mut since = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let depends_on_others = match &*state {
                State::Done(result) => return result.clone(),
                State::Queued => true,
                State::Running => self.progress.total_bytes.load(Ordering::Relaxed) == 0,
            };
            state = self.done.wait_timeout(state, POLL).unwrap_or_else(PoisonError::into_inner).0;
            if matches!(*state, State::Done(_)) {
                continue;
            }
            let now = (self.progress.done_bytes.load(Ordering::Relaxed), moved.load(Ordering::Relaxed));
            if now.0 != seen.0 || (depends_on_others && now.1 != seen.1) {
                (seen, since) = (now, Instant::now());
            }
            drop(state);
            if gone() {
                return Err(Error::new(ErrorKind::Interrupted, "the caller was interrupted"));
            }
            if since.elapsed() > patience {
                return Err(self.stuck(patience));
            }
            state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn stuck(&self, patience: Duration) -> Error {
        let message = format!("no progress within {} s", patience.as_secs());
        Error::new(ErrorKind::TimedOut, message).about(&self.label).advise("see `edxfs status`, or raise --timeout")
    }
}

/// The flights under way, by key.
#[derive(Debug)]
pub struct Flights<K, T> {
    under_way: Mutex<HashMap<K, Arc<Flight<T>>>>,
}

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Flights { under_way: Mutex::new(HashMap::new()) }
    }
}

impl<K: Hash + Eq + Clone, T: Clone> Flights<K, T> {
    /// The flight for a key, and whether the caller has just brought it into being.
    pub fn join(&self, key: &K, label: impl FnOnce() -> String) -> (Arc<Flight<T>>, bool) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = under_way.get(key) {
            return (flight.clone(), false);
        }
        let flight = Arc::new(Flight::new(label()));
        under_way.insert(key.clone(), flight.clone());
        (flight, true)
    }

    /// Ends a claimed flight: its waiters get the result, the next `join` begins anew.
    pub fn land(&self, key: &K, flight: &Flight<T>, result: Result<T>) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        flight.finish(result);
    }

    pub fn all(&self) -> Vec<Arc<Flight<T>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn one_caller_runs_and_all_get_the_result() {
        let flights = Flights::<u8, u32>::default();
        let (flight, created) = flights.join(&1, || "one".into());
        assert!(created && flight.claim() && !flight.claim());
        let (same, created) = flights.join(&1, || unreachable!());
        assert!(!created);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| same.wait(Wait::Until(&|| false), LONG, &AtomicU64::new(0)));
            flights.land(&1, &flight, Ok(7));
            assert_eq!(waiter.join().expect("no panic").expect("a result"), 7);
        });
        assert!(flights.join(&1, || "again".into()).1);
    }

    #[test]
    fn a_caller_that_goes_away_is_let_go_while_the_run_goes_on() {
        let flights = Flights::<u8, u32>::default();
        let (flight, _) = flights.join(&1, || "one".into());
        let gone = flight.wait(Wait::Until(&|| true), LONG, &AtomicU64::new(0));
        assert_eq!(gone.expect_err("interrupted").kind(), ErrorKind::Interrupted);
        assert!(flight.claim());
    }

    #[test]
    fn a_run_that_reads_what_others_make_is_not_stuck_while_they_work() {
        let flights = Flights::<u8, u32>::default();
        let (flight, _) = flights.join(&1, || "join".into());
        assert!(flight.claim());
        let moved = AtomicU64::new(0);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| flight.wait(Wait::Until(&|| false), Duration::from_millis(500), &moved));
            for _ in 0..15 {
                std::thread::sleep(Duration::from_millis(100));
                moved.fetch_add(1, Ordering::Relaxed);
            }
            flights.land(&1, &flight, Ok(7));
            assert_eq!(waiter.join().expect("no panic").expect("a result"), 7);
        });
    }

    #[test]
    fn no_progress_is_a_timeout() {
        let flights = Flights::<u8, u32>::default();
        let (flight, _) = flights.join(&1, || "one".into());
        let stuck = flight.wait(Wait::Until(&|| false), Duration::from_millis(150), &AtomicU64::new(0));
        assert_eq!(stuck.expect_err("stuck").kind(), ErrorKind::TimedOut);
    }
}
