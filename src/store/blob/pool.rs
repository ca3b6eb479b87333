//! A few threads that work off a short queue of tasks. Knows nothing of what they do.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::store::locked;

pub(in crate::store) type Task = Box<dyn FnOnce() + Send>;

/// Ends its threads when dropped; tasks still in the queue are dropped with it.
pub(in crate::store) struct Pool {
    queue: Arc<Queue>,
    /// How many tasks may wait: what bounds the memory that they hold.
    capacity: usize,
}

#[derive(Default)]
struct Queue {
    tasks: Mutex<Tasks>,
    ready: Condvar,
}

#[derive(Default)]
struct Tasks {
    waiting: VecDeque<Task>,
    closed: bool,
}

impl Pool {
    /// With no threads, no task is ever taken and callers do everything themselves.
    pub fn new(threads: usize) -> Self {
        let queue = Arc::new(Queue::default());
        let spawn = |_: &usize| {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name("sealer".into()).spawn(move || queue.work()).is_ok()
        };
        // Where the system refuses a thread, fewer are slower, not wrong.
        let running = (0..threads).take_while(spawn).count();
        Pool { queue, capacity: 2 * running }
    }

    /// Queues a task, or gives it back when the queue is full: the caller then runs it, which keeps all cores busy.
    pub fn offer(&self, task: Task) -> Result<(), Task> {
        let mut tasks = locked(&self.queue.tasks);
        if tasks.waiting.len() >= self.capacity {
            return Err(task);
        }
        tasks.waiting.push_back(task);
        drop(tasks);
        self.queue.ready.notify_one();
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        locked(&self.queue.tasks).closed = true;
        self.queue.ready.notify_all();
    }
}

impl Queue {
    fn work(&self) {
        while let Some(task) = self.next() {
            // A task that panics reports its own end when it is dropped; the thread stays.
            let _ = catch_unwind(AssertUnwindSafe(task));
        }
    }

    fn next(&self) -> Option<Task> {
        let mut tasks = locked(&self.tasks);
        loop {
            if tasks.closed {
                return None;
            }
            if let Some(task) = tasks.waiting.pop_front() {
                return Some(task);
            }
            tasks = self.ready.wait(tasks).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn every_task_is_run_once_by_the_pool_or_by_its_caller() {
        let pool = Pool::new(2);
        let (done, all_done) = mpsc::channel();
        let runs = Arc::new(AtomicUsize::new(0));
        for number in 0..200 {
            let (runs, done) = (Arc::clone(&runs), done.clone());
            let task: Task = Box::new(move || {
                runs.fetch_add(1, Ordering::Relaxed);
                done.send(()).unwrap();
                assert!(number % 7 != 0, "a task may panic");
            });
            if let Err(task) = pool.offer(task) {
                let _ = catch_unwind(AssertUnwindSafe(task));
            }
        }
        drop(done);
        assert_eq!(all_done.iter().count(), 200);
        assert_eq!(runs.load(Ordering::Relaxed), 200);
    }

    #[test]
    fn a_pool_without_threads_takes_nothing() {
        assert!(Pool::new(0).offer(Box::new(|| ())).is_err());
    }
}
