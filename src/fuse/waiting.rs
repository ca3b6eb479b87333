//! Requests that have to wait, each on a thread of its own, so that those that need not wait are answered meanwhile.
//!
//! Threads come as needed, up to a bound, and go when idle. Behind the bound requests queue, and one whose caller has
//! gone is taken out and refused.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::caller::Caller;

/// Requests that wait at the same time.
const MOST_THREADS: usize = 512;

/// A waiting thread runs no decoder; address space only, touched as needed.
const STACK_BYTES: usize = 1 << 20;

/// How long a thread stays for the next request.
const IDLE: Duration = Duration::from_secs(10);

/// How often a queued request's caller is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What a request is told when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Work, and wait as long as the caller is there.
    Now,
    /// Refuse: the caller has gone, or no thread can be had.
    Never,
}

type Work = Box<dyn FnOnce(Turn) + Send>;

struct Queued {
    caller: Caller,
    work: Work,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Queued>,
    threads: usize,
    idle: usize,
    /// Whether a thread watches the callers in the queue.
    watched: bool,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

/// The threads that wait.
#[derive(Clone)]
pub struct Waiting {
    shared: Arc<Shared>,
    most_threads: usize,
}

impl Waiting {
    pub fn new() -> Self {
        Self::with_threads(MOST_THREADS)
    }

    fn with_threads(most_threads: usize) -> Self {
        Waiting { shared: Arc::new(Shared { state: Mutex::default(), wake: Condvar::new() }), most_threads }
    }

    /// Calls `work` once, on another thread, as soon as one is free.
    pub fn submit(&self, caller: Caller, work: impl FnOnce(Turn) + Send + 'static) {
        let mut state = self.shared.lock();
        state.queue.push_back(Queued { caller, work: Box::new(work) });
        if state.queue.len() <= state.idle {
            self.shared.wake.notify_one();
        } else if state.threads < self.most_threads && self.start(Shared::serve) {
            state.threads += 1;
        } else if state.threads == 0 {
            let refused = std::mem::take(&mut state.queue);
            drop(state);
            refused.into_iter().for_each(|queued| (queued.work)(Turn::Never));
        } else if !state.watched {
            state.watched = self.start(Shared::watch);
        }
    }

    fn start(&self, body: fn(&Shared)) -> bool {
        let shared = self.shared.clone();
        let builder = thread::Builder::new().name("edxfs-wait".to_owned()).stack_size(STACK_BYTES);
        builder.spawn(move || body(&shared)).is_ok()
    }
}

impl Shared {
    fn serve(&self) {
        let mut state = self.lock();
        loop {
            if let Some(next) = state.queue.pop_front() {
                drop(state);
                (next.work)(Turn::Now);
                state = self.lock();
                continue;
            }
            state.idle += 1;
            let waited = self.wake.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            if waited.1.timed_out() && state.queue.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    fn watch(&self) {
        loop {
            thread::sleep(LOOK);
            let mut state = self.lock();
            if state.queue.is_empty() {
                state.watched = false;
                return;
            }
            let queue = std::mem::take(&mut state.queue);
            drop(state);
            let (gone, mut kept): (VecDeque<_>, VecDeque<_>) =
                queue.into_iter().partition(|queued: &Queued| queued.caller.has_gone());
            let mut state = self.lock();
            kept.append(&mut state.queue);
            state.queue = kept;
            drop(state);
            // A thread may have looked into the queue while it was empty.
            self.wake.notify_all();
            gone.into_iter().for_each(|queued| (queued.work)(Turn::Never));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Fills one thread until the returned sender is dropped.
    fn block(waiting: &Waiting) -> std::sync::mpsc::Sender<()> {
        let (hold, held): (_, Receiver<()>) = channel();
        waiting.submit(Caller::new(0), move |_| {
            held.recv().ok();
        });
        hold
    }

    #[test]
    fn many_requests_wait_at_the_same_time() {
        let waiting = Waiting::new();
        let holds: Vec<_> = (0..100).map(|_| block(&waiting)).collect();
        let (done, ended) = channel();
        waiting.submit(Caller::new(0), move |turn| done.send(turn).expect("the test waits"));
        assert_eq!(ended.recv_timeout(Duration::from_secs(5)), Ok(Turn::Now));
        drop(holds);
    }

    #[test]
    fn a_queued_request_is_served_later_and_refused_when_its_caller_dies() {
        let waiting = Waiting::with_threads(1);
        let hold = block(&waiting);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep is everywhere");
        let (gone, lived) = (channel(), channel());
        waiting.submit(Caller::new(child.id()), move |turn| gone.0.send(turn).expect("the test waits"));
        waiting.submit(Caller::new(0), move |turn| lived.0.send(turn).expect("the test waits"));
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        assert_eq!(gone.1.recv_timeout(Duration::from_secs(5)), Ok(Turn::Never));
        drop(hold);
        assert_eq!(lived.1.recv_timeout(Duration::from_secs(5)), Ok(Turn::Now));
    }
}
