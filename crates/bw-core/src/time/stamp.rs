//! The stamp: how often and when a task was last polled, kept next to its future. One of the files that may use `unsafe`.
//!
//! It changes with every poll, so it must lie where a poll has to look anyway: a store to the task's cell would be a
//! cache miss for each of a hundred thousand tasks. But whoever asks has the cell only. So the cell points to the stamp:
//! from the first poll, which shows that the task is pinned, until the task is dropped.

use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::time::clock::{self, Tick};

/// Polls that returned, and when the last one did. Only the poller writes.
#[derive(Default)]
pub(crate) struct Stamp {
    pub(crate) polls: AtomicU32,
    pub(crate) tick: AtomicU32,
    /// So that a `&mut` to what contains this does not claim that nobody else reads it.
    _pinned: PhantomPinned,
}

/// What a [`Stamp`] said at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamped {
    /// Polls that returned; starts over after 2^32.
    pub(crate) polls: u32,
    pub(crate) tick: Tick,
}

impl Stamp {
    /// Poller: a poll returned. Tells whether the count started over.
    #[inline(always)]
    #[must_use]
    pub(crate) fn note(&self) -> bool {
        // Ordering: Relaxed, here and in `read`: each field means something alone. No read-modify-write, since there is
        // one writer.
        self.tick.store(clock::now().get(), Ordering::Relaxed);
        let polls = self.polls.load(Ordering::Relaxed).wrapping_add(1);
        self.polls.store(polls, Ordering::Relaxed);
        polls == 0
    }

    /// Whether no poll has returned yet.
    pub(crate) fn is_blank(&self) -> bool {
        self.tick.load(Ordering::Relaxed) == 0 && self.polls.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn read(&self) -> Stamped {
        Stamped {
            polls: self.polls.load(Ordering::Relaxed),
            tick: Tick::new(self.tick.load(Ordering::Relaxed)),
        }
    }
}

/// A pointer to the stamp of a pinned task, for its cell.
pub(crate) struct StampRef(NonNull<Stamp>);

// SAFETY: a `Stamp` is two atomics, and so may be read from any thread.
unsafe impl Send for StampRef {}

impl StampRef {
    /// # Safety
    ///
    /// The result must be gone before the stamp is dropped. (Before that the stamp does not move, as it is pinned and not
    /// `Unpin`, and if it is never dropped its memory is never used again: `Pin`'s guarantee.)
    pub(crate) unsafe fn new(stamp: Pin<&Stamp>) -> Self {
        Self(NonNull::from(stamp.get_ref()))
    }

    pub(crate) fn read(&self) -> Stamped {
        // SAFETY: `new`'s contract: the stamp is where it was, and not dropped. It is only ever written through `&Stamp`.
        unsafe { self.0.as_ref() }.read()
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_counts_and_is_read_through_its_reference() {
        let stamp = core::pin::pin!(Stamp::default());
        // SAFETY: dropped below, before the stamp is.
        let reference = unsafe { StampRef::new(stamp.as_ref()) };
        assert_eq!(reference.read(), Stamped::default());
        assert!(!stamp.note());
        assert!(!stamp.note());
        assert_eq!(reference.read().polls, 2);
        assert_eq!(reference.read().tick, clock::now());
    }

    #[test]
    fn a_count_that_starts_over_says_so() {
        let stamp = Stamp { polls: AtomicU32::new(u32::MAX), ..Stamp::default() };
        assert!(stamp.note());
        assert_eq!(stamp.read().polls, 0);
    }
}
