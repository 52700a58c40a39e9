//! Names for tasks that are never used twice.

use core::cell::Cell;
use core::fmt;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Ids are handed out to threads in blocks of so many, so that threads which spawn do not fight for a counter.
const BLOCK: usize = 64;

/// The id of a traced task: unique in this process, from 1. Those of tasks that one thread wraps grow.
///
/// It has nothing to do with the executor's own task ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(NonZeroUsize);

impl TaskId {
    pub(crate) fn next() -> Self {
        thread_local! {
            /// The next id of this thread's block. A whole multiple of the block's size means that it is used up.
            static NEXT: Cell<usize> = const { Cell::new(0) };
        }
        /// The next block. The first begins with 0, which is no id, and is one short.
        static BLOCKS: AtomicUsize = AtomicUsize::new(0);
        let mut id = NEXT.get();
        if id.is_multiple_of(BLOCK) {
            // Ordering: Relaxed; only uniqueness matters. On 32-bit machines ids start over after 2^32 tasks.
            id = BLOCKS.fetch_add(BLOCK, Ordering::Relaxed).max(1);
        }
        NEXT.set(id.wrapping_add(1));
        Self(NonZeroUsize::new(id).unwrap_or(NonZeroUsize::MIN))
    }

    /// Which block of ids it is of; see [`Registry`](crate::Registry).
    pub(crate) const fn block(self) -> usize {
        self.0.get() / BLOCK
    }

    /// The id of that number, for tests and for tasks of another process. `None` for 0, and for more than this machine's
    /// word holds.
    #[must_use]
    pub fn from_u64(number: u64) -> Option<Self> {
        Self::from_word(usize::try_from(number).ok()?)
    }

    pub(crate) fn from_word(word: usize) -> Option<Self> {
        NonZeroUsize::new(word).map(Self)
    }

    pub(crate) const fn word(self) -> usize {
        self.0.get()
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get() as u64
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_never_repeat() {
        let (a, b) = (TaskId::next(), TaskId::next());
        assert!(a < b);
        assert_eq!(TaskId::from_word(a.word()), Some(a));
        assert_eq!(TaskId::from_u64(a.get()), Some(a));
        assert_eq!(TaskId::from_u64(0), None);
        let ids = || (0..500).map(|_| TaskId::next()).collect::<Vec<_>>();
        let mut all: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ids)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        all.extend(ids());
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 2_500);
        assert_eq!(a.to_string(), a.get().to_string());
    }
}
