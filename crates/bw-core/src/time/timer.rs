//! The thread of ours: it keeps the deadlines of asynchronous captures, and advances the coarse clock.
//!
//! Started by the first traced task, so that no request pays for it. It is our own, so that a deadline is kept on any
//! executor, and most of all on one that is wedged. Captures come and go far more often than deadlines pass, so it is not
//! told when one goes: it sleeps until the time it last meant to look, which the clock's next tick bounds, and a new
//! deadline later than that costs no wake.
//!
//! A child that was forked has everything but the thread. The C library tells us, and whoever wraps a task there, needs a
//! deadline or takes a dump starts it again. (To ask for the number of the process each time would cost as much as half a
//! capture.) The lock and the condition are the standard library's: where `fork` is, they are plain numbers that survive
//! it, while `parking_lot` has a list of who waits, and the thread that is gone would stay on it. A fork in the moment in which
//! another thread holds the lock, or any other, is what POSIX says it is.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{clock, fork};
use crate::unwind;

static TIMER: Timer = Timer {
    queue: Mutex::new(Queue { entries: BTreeMap::new(), next: 0, looks_at: None, hears_of_forks: false }),
    earlier: Condvar::new(),
    thread: AtomicU8::new(UNTRIED),
};

/// No thread yet, or, in a child that was forked, no more.
const UNTRIED: u8 = 0;
/// The thread runs.
const RUNNING: u8 = 1;
/// It could not be started. Whoever needs a deadline tries again; spawning tasks does not.
const FAILED: u8 = 2;

struct Timer {
    queue: Mutex<Queue>,
    /// Told when the thread has to look earlier than it meant to.
    earlier: Condvar,
    /// Changed with the queue locked, or where there is no other thread.
    thread: AtomicU8,
}

struct Queue {
    /// By deadline, then by order of arrival.
    entries: BTreeMap<TimerKey, Arc<dyn Expire>>,
    next: u64,
    /// When the thread will look again without being told; `None` before it looked first.
    looks_at: Option<Instant>,
    /// Whether a child that is forked will know that it is one.
    hears_of_forks: bool,
}

/// Names a scheduled deadline.
pub(crate) type TimerKey = (Instant, u64);

/// What the timer tells that its deadline has passed.
pub(crate) trait Expire: Send + Sync {
    /// The deadline has passed. Called on the timer's thread, once, with no lock held; wakes a requester, which is other
    /// people's code, and contains its panics.
    fn expire(&self);
}

/// Starts the thread, the first time it is called in the process. One load after that.
///
/// Where it cannot be started nothing is lost but times; see [`schedule`].
#[inline]
pub(crate) fn start() {
    // Models have no clock.
    // Ordering: Relaxed; who comes late finds out under the lock.
    if !cfg!(bw_loom) && TIMER.thread.load(Ordering::Relaxed) == UNTRIED {
        first_start();
    }
}

#[cold]
#[inline(never)]
fn first_start() {
    let mut queue = TIMER.lock();
    if TIMER.thread.load(Ordering::Relaxed) == UNTRIED {
        let _ = TIMER.spawn(&mut queue);
    }
}

/// Starts the thread if it is not running: it could not be started before, or this is a child that was forked.
///
/// # Errors
///
/// When it cannot be started.
pub(crate) fn ensure_running() -> io::Result<()> {
    TIMER.ensure_running(&mut TIMER.lock())
}

/// Has `expiring` told at `at`, unless that is cancelled before.
///
/// # Errors
///
/// When the thread is not running and cannot be started.
pub(crate) fn schedule(at: Instant, expiring: Arc<dyn Expire>) -> io::Result<TimerKey> {
    let mut queue = TIMER.lock();
    TIMER.ensure_running(&mut queue)?;
    let key = (at, queue.next);
    queue.next += 1;
    queue.entries.insert(key, expiring);
    if queue.looks_at.is_none_or(|looks_at| at < looks_at) {
        queue.looks_at = Some(at);
        TIMER.earlier.notify_one();
    }
    Ok(key)
}

/// Forgets a deadline. Does nothing if it has passed.
pub(crate) fn cancel(key: TimerKey) {
    let entry = TIMER.lock().entries.remove(&key);
    // May hold the last reference to a cell: dropped here, outside the lock.
    drop(entry);
}

impl Timer {
    /// In a child that was forked, before anything else runs there. A signal handler may do as much.
    extern "C" fn forked() {
        TIMER.thread.store(UNTRIED, Ordering::Relaxed);
    }

    /// Nothing that can panic runs under the lock, so it is never poisoned.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ensure_running(&'static self, queue: &mut Queue) -> io::Result<()> {
        if self.thread.load(Ordering::Relaxed) == RUNNING { Ok(()) } else { self.spawn(queue) }
    }

    fn spawn(&'static self, queue: &mut Queue) -> io::Result<()> {
        if !queue.hears_of_forks {
            queue.hears_of_forks = fork::call_in_children(Self::forked);
        }
        queue.looks_at = None;
        // So that the first task's times are known.
        clock::advance();
        let spawned = std::thread::Builder::new().name("bw-timer".into()).spawn(|| self.run());
        self.thread.store(if spawned.is_ok() { RUNNING } else { FAILED }, Ordering::Relaxed);
        if spawned.is_err() {
            clock::stop();
        }
        spawned.map(drop)
    }

    fn run(&self) {
        let mut queue = self.lock();
        loop {
            let tick = clock::advance();
            unwind::evaluate_postponed();
            let due = queue.entries.first_key_value().map(|(&(at, _), _)| at);
            if due.is_some_and(|at| at <= Instant::now()) {
                if let Some((_, expiring)) = queue.entries.pop_first() {
                    drop(queue);
                    expiring.expire();
                    drop(expiring);
                    queue = self.lock();
                }
            } else {
                let next = due.map_or(tick, |at| at.min(tick));
                queue.looks_at = Some(next);
                let wait = next.saturating_duration_since(Instant::now());
                queue = self.earlier.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use std::sync::mpsc::{self, Sender};
    use std::time::Duration;

    use super::*;

    /// Sends its number when it expires.
    struct Numbered(u32, Sender<u32>);

    impl Expire for Numbered {
        fn expire(&self) {
            let _ = self.1.send(self.0);
        }
    }

    #[test]
    fn deadlines_pass_in_order_whatever_the_order_they_came_in() {
        let (sender, expired) = mpsc::channel();
        let numbered = |number| Arc::new(Numbered(number, sender.clone()));
        let now = Instant::now();
        let ms = Duration::from_millis;
        schedule(now + ms(20), numbered(2)).unwrap();
        let key = schedule(now + ms(10), numbered(3)).unwrap();
        schedule(now, numbered(1)).unwrap();
        cancel(key);
        assert!(!TIMER.lock().entries.contains_key(&key));
        assert_eq!([expired.recv(), expired.recv()], [Ok(1), Ok(2)]);
        assert!(expired.try_recv().is_err());
    }
}
