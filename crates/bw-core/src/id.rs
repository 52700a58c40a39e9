//! Names for tasks that are never used twice.

use core::fmt;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicUsize, Ordering};

/// The id of a traced task: unique in this process, in order of creation, from 1.
///
/// It has nothing to do with the executor's own task ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(NonZeroUsize);

impl TaskId {
    pub(crate) fn next() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        // Ordering: Relaxed; only uniqueness matters. On 32-bit machines ids start over after 2^32 tasks.
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(NonZeroUsize::new(id).unwrap_or(NonZeroUsize::MIN))
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
        assert_eq!(a.to_string(), a.get().to_string());
    }
}
