//! The thread that keeps the deadlines of asynchronous captures.
//!
//! Started by the first capture that has to wait, and asleep while nobody waits. It is our own, so that a deadline is
//! kept on any executor, and most of all on one that is wedged. Captures come and go far more often than deadlines
//! pass, so it is not told when the last one goes: it sleeps until the time it last meant to look, and a new deadline
//! later than that costs no wake.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::request::Request;
use crate::task_cell::TaskCell;

static TIMER: Timer = Timer {
    queue: Mutex::new(Queue { entries: BTreeMap::new(), next: 0, looks_at: None, running: false }),
    earlier: Condvar::new(),
};

struct Timer {
    queue: Mutex<Queue>,
    /// Told when the thread has to look earlier than it meant to.
    earlier: Condvar,
}

struct Queue {
    /// By deadline, then by order of arrival.
    entries: BTreeMap<Key, Entry>,
    next: u64,
    /// When the thread will look again without being told; `None` for never.
    looks_at: Option<Instant>,
    running: bool,
}

/// Names a scheduled deadline.
pub(crate) type Key = (Instant, u64);

struct Entry {
    cell: Arc<TaskCell>,
    request: Arc<Request>,
    after: Duration,
}

/// Expires the request at `at`, unless it is cancelled before.
///
/// # Errors
///
/// When the thread is not running and cannot be started.
pub(crate) fn schedule(
    at: Instant,
    after: Duration,
    cell: &Arc<TaskCell>,
    request: &Arc<Request>,
) -> io::Result<Key> {
    let mut queue = TIMER.queue.lock();
    if !queue.running {
        std::thread::Builder::new().name("bw-deadline".into()).spawn(|| TIMER.run())?;
        queue.running = true;
    }
    let key = (at, queue.next);
    queue.next += 1;
    queue.entries.insert(key, Entry { cell: Arc::clone(cell), request: Arc::clone(request), after });
    if queue.looks_at.is_none_or(|looks_at| at < looks_at) {
        queue.looks_at = Some(at);
        TIMER.earlier.notify_one();
    }
    Ok(key)
}

/// Forgets a deadline. Does nothing if it has passed.
pub(crate) fn cancel(key: Key) {
    let entry = TIMER.queue.lock().entries.remove(&key);
    // May hold the last reference to a cell: dropped here, outside the lock.
    drop(entry);
}

impl Timer {
    fn run(&self) {
        let mut queue = self.queue.lock();
        loop {
            match queue.entries.first_key_value() {
                Some((&(at, _), _)) if at <= Instant::now() => {
                    if let Some((_, entry)) = queue.entries.pop_first() {
                        drop(queue);
                        // Wakes the requester, which is other people's code; its panic ends there.
                        entry.cell.expire(&entry.request, entry.after);
                        drop(entry);
                        queue = self.queue.lock();
                    }
                }
                Some((&(at, _), _)) => {
                    queue.looks_at = Some(at);
                    self.earlier.wait_until(&mut queue, at);
                }
                None => {
                    queue.looks_at = None;
                    self.earlier.wait(&mut queue);
                }
            }
        }
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use std::panic::Location;

    use super::*;

    #[test]
    fn deadlines_pass_in_order_whatever_the_order_they_came_in() {
        let cell = Arc::new(TaskCell::new(None, Location::caller()));
        let (late, soon, cancelled) = (Request::new(), Request::new(), Request::new());
        let now = Instant::now();
        let ms = Duration::from_millis;
        schedule(now + ms(20), ms(20), &cell, &late).unwrap();
        let key = schedule(now + ms(10), ms(10), &cell, &cancelled).unwrap();
        schedule(now, ms(0), &cell, &soon).unwrap();
        cancel(key);
        assert!(soon.wait(None).unwrap().unwrap_err().is_deadline());
        assert!(late.wait(None).unwrap().unwrap_err().is_deadline());
        assert!(cancelled.wait(Some(Instant::now())).is_none());
    }
}
