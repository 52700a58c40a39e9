//! A dump when a thread panics.
//!
//! The hook runs in the thread that panics, in whatever that was doing, so it does next to nothing: it leaves a note and goes
//! on. The agent's thread takes the dump. What the hook takes is one lock of its own, that is held for a few instructions which
//! cannot panic, and if it does not get it at once, it only counts.

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use backtrace_waker::TaskFilter;
use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use super::reporter::Reporter;
use crate::report::warning::warn;
use crate::report::{PanicNote, Reason};
use crate::settings::OnPanic;

/// What the hook and the agent's thread share.
#[derive(Debug)]
struct Notes {
    /// A child that is forked has the hook, but no agent, and perhaps locks that were held.
    process: u32,
    wait: Duration,
    /// Nobody reads notes any more.
    is_closed: AtomicBool,
    /// Panics without a note since the last one was read.
    others: AtomicU64,
    place: Mutex<Place>,
    left: Notify,
    /// The number of the last note that was dealt with, for whoever waits for that.
    dealt_with: Mutex<u64>,
    changed: Condvar,
}

/// Where a note is left.
#[derive(Debug, Default)]
struct Place {
    note: Option<PanicNote>,
    /// How many have been left here.
    number: u64,
}

impl Notes {
    fn new(wait: Duration) -> Self {
        Self {
            process: std::process::id(),
            wait,
            is_closed: AtomicBool::new(false),
            others: AtomicU64::new(0),
            place: Mutex::default(),
            left: Notify::new(),
            dealt_with: Mutex::new(0),
            changed: Condvar::new(),
        }
    }

    /// In the thread that panics.
    fn leave(&self, note: impl FnOnce() -> PanicNote) {
        // Ordering: Relaxed, here and below; what a note says its lock orders.
        if self.is_closed.load(Ordering::Relaxed) || self.process != std::process::id() || is_ours() {
            return;
        }
        // Not under the lock.
        let note = note();
        let number = self.place.try_lock().map(|mut place| {
            if place.note.is_none() {
                place.note = Some(note);
                place.number += 1;
            } else {
                self.others.fetch_add(1, Ordering::Relaxed);
            }
            place.number
        });
        if number.is_none() {
            self.others.fetch_add(1, Ordering::Relaxed);
        }
        self.left.notify_one();
        // Also for the note of another: who does not wait ends the process for both.
        if let Some(number) = number.filter(|_| !self.wait.is_zero()) {
            self.wait_for(number);
        }
    }

    fn wait_for(&self, number: u64) {
        let Some(until) = Instant::now().checked_add(self.wait) else { return };
        let mut dealt_with = self.dealt_with.lock();
        while *dealt_with < number {
            if self.changed.wait_until(&mut dealt_with, until).timed_out() {
                return;
            }
        }
    }

    fn read(&self) -> Option<(u64, PanicNote)> {
        let mut place = self.place.lock();
        let note = place.note.take()?;
        Some((place.number, note))
    }

    fn deal_with(&self, number: u64) {
        *self.dealt_with.lock() = number;
        self.changed.notify_all();
    }
}

/// The threads of the agent, and others of this project. A report of their panics could be the cause of the next.
fn is_ours() -> bool {
    matches!(thread::current().name(), Some("bw-agent" | "bw-agent-work" | "bw-timer" | "bw-deadline"))
}

/// The agent's side. Dropped, it tells the hook.
#[derive(Debug)]
struct Guard(Arc<Notes>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.is_closed.store(true, Ordering::Relaxed);
        // Whoever waits, or is about to.
        self.0.deal_with(u64::MAX);
    }
}

/// The panic hook, which is installed.
#[derive(Debug)]
pub(super) struct PanicTrigger {
    settings: OnPanic,
    notes: Guard,
}

impl PanicTrigger {
    /// Installs the hook, before the one that is there. Not on a thread that panics.
    pub(super) fn arm(settings: OnPanic) -> Self {
        let notes = Arc::new(Notes::new(settings.wait));
        if thread::panicking() {
            // The hook cannot be changed now.
            warn("panics are not reported: the agent is started by a thread that panics");
            return Self { settings, notes: Guard(notes) };
        }
        let before = panic::take_hook();
        panic::set_hook(Box::new({
            let notes = Arc::clone(&notes);
            move |info| {
                before(info);
                notes.leave(|| PanicNote::of(info));
            }
        }));
        Self { settings, notes: Guard(notes) }
    }

    pub(super) async fn run(self, reporter: Arc<Reporter>) {
        let Self { settings, notes: Guard(notes) } = &self;
        let timeout = if settings.wait.is_zero() {
            reporter.timeout()
        } else {
            reporter.timeout().min(settings.wait / 2)
        };
        let mut limit = RateLimit::new(settings.every);
        loop {
            notes.left.notified().await;
            let Some((number, mut note)) = notes.read() else { continue };
            if limit.lets_pass(Instant::now()) {
                note.others = notes.others.swap(0, Ordering::Relaxed);
                reporter.report(Reason::Panic(note), TaskFilter::new(), timeout).await;
            } else {
                notes.others.fetch_add(1, Ordering::Relaxed);
            }
            notes.deal_with(number);
        }
    }
}

/// Lets one pass in a time.
struct RateLimit {
    every: Duration,
    last: Option<Instant>,
}

impl RateLimit {
    fn new(every: Duration) -> Self {
        Self { every, last: None }
    }

    fn lets_pass(&mut self, now: Instant) -> bool {
        let passes = self.last.is_none_or(|last| now.saturating_duration_since(last) >= self.every);
        if passes {
            self.last = Some(now);
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_passes_in_a_time() {
        let (mut limit, began) = (RateLimit::new(Duration::from_secs(10)), Instant::now());
        let passes = [0, 1, 9, 10, 11, 19, 20].map(|at| limit.lets_pass(began + Duration::from_secs(at)));
        assert_eq!(passes, [true, false, false, true, false, false, true]);
        let mut limit = RateLimit::new(Duration::ZERO);
        assert!(limit.lets_pass(began) && limit.lets_pass(began));
    }

    fn note(message: &str) -> PanicNote {
        PanicNote { thread: None, location: None, message: Some(message.into()), task: None, others: 0 }
    }

    #[test]
    fn a_note_is_left_once_and_counted_after_that() {
        let notes = Notes::new(Duration::ZERO);
        notes.leave(|| note("first"));
        notes.leave(|| note("second"));
        {
            // As another thread that panics, or the agent's.
            let _held = notes.place.lock();
            notes.leave(|| note("third"));
        }
        let (number, read) = notes.read().expect("one was left");
        assert_eq!((number, read.message()), (1, Some("first")));
        assert_eq!(notes.others.load(Ordering::Relaxed), 2);
        assert!(notes.read().is_none());
        notes.leave(|| note("fourth"));
        assert_eq!(notes.read().map(|(number, _)| number), Some(2));
    }

    #[test]
    fn nobody_waits_for_an_agent_that_is_gone() {
        let notes = Arc::new(Notes::new(Duration::from_secs(3_600)));
        thread::scope(|scope| {
            let waits = scope.spawn(|| notes.leave(|| note("waits")));
            while notes.place.lock().number == 0 {
                thread::yield_now();
            }
            drop(Guard(Arc::clone(&notes)));
            waits.join().expect("it is told");
        });
        notes.leave(|| note("after it"));
        assert_eq!(notes.read().map(|(_, note)| note.message), Some(Some("waits".into())));
        assert!(notes.read().is_none());
    }

    #[test]
    fn who_waits_is_told_when_the_note_was_dealt_with_its_own_or_another() {
        let notes = Notes::new(Duration::from_secs(3_600));
        notes.deal_with(0);
        thread::scope(|scope| {
            let [first, second] = ["one", "other"].map(|text| {
                let notes = &notes;
                scope.spawn(move || notes.leave(|| note(text)))
            });
            while notes.others.load(Ordering::Relaxed) == 0 {
                thread::yield_now();
            }
            let (number, _) = notes.read().expect("one was left");
            assert!(!first.is_finished() && !second.is_finished());
            notes.deal_with(number);
            first.join().expect("it is told");
            second.join().expect("it is told");
        });
    }
}
