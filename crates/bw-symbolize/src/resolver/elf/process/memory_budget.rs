//! How much memory what was parsed may take.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What the modules of one symbolizer may take together, and what they take.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0) }
    }

    /// How much the compressed sections of one module may take unpacked. That cannot be given back while the module is in
    /// use, and is much more than what is parsed of them.
    pub(crate) fn most_unpacked(&self) -> usize {
        self.limit.saturating_mul(16)
    }

    pub(crate) fn is_exceeded(&self) -> bool {
        // Ordering: a number of its own; nothing is read because of it.
        self.used.load(Ordering::Relaxed) > self.limit
    }

    /// Takes note that somebody uses `now` bytes instead of `before`.
    pub(crate) fn change(&self, before: usize, now: usize) {
        // Ordering: as above. The difference wraps around where it is negative, and the sum back.
        self.used.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
    }

    /// What is left for somebody who uses `mine` bytes, those included.
    pub(crate) fn share(&self, mine: usize) -> usize {
        // Ordering: as above.
        let others = self.used.load(Ordering::Relaxed).wrapping_sub(mine);
        self.limit.saturating_sub(others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_uses_too_much_has_what_the_others_leave() {
        let budget = Budget::new(100);
        budget.change(0, 70);
        budget.change(0, 50);
        assert!(budget.is_exceeded());
        assert_eq!((budget.share(70), budget.share(50)), (50, 30));
        budget.change(70, 50);
        assert!(!budget.is_exceeded());
        budget.change(50, 0);
        budget.change(50, 0);
        assert_eq!(budget.share(0), 100);
    }
}
