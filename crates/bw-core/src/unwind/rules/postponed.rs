//! Return addresses in the home module whose rules a walk had no room to evaluate.
//!
//! | a place | meaning | left by |
//! |---|---|---|
//! | 0 | free | `add`: the address |
//! | an address | its rule is to be evaluated | `take_each`: free |
//!
//! What finds no free place is forgotten: the next walk adds it again.

use core::sync::atomic::{AtomicUsize, Ordering};

/// As many as the longest stack has frames that are new: those of one task at a time are plenty.
const PLACES: usize = 64;

/// Addresses on their way from hooks, on any thread, to the timer's thread.
pub(super) struct Postponed([AtomicUsize; PLACES]);

impl Postponed {
    pub(super) const fn new() -> Self {
        Self([const { AtomicUsize::new(0) }; PLACES])
    }

    /// Hook: notes an address. Lock-free; neither allocates nor panics.
    #[cold]
    pub(super) fn add(&self, address: usize) {
        for place in &self.0 {
            // Ordering: Relaxed; an address refers to nothing: the home module is there as long as this code.
            match place.compare_exchange(0, address, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(known) if known == address => return,
                Err(_) => {}
            }
        }
    }

    /// Timer: takes what was noted, each once.
    pub(super) fn take_each(&self, mut each: impl FnMut(usize)) {
        for place in &self.0 {
            // Ordering: Relaxed; see `add`. The load keeps an empty place from being written each time.
            if place.load(Ordering::Relaxed) != 0 {
                let address = place.swap(0, Ordering::Relaxed);
                if address != 0 {
                    each(address);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(postponed: &Postponed) -> Vec<usize> {
        let mut taken = Vec::new();
        postponed.take_each(|address| taken.push(address));
        taken
    }

    #[test]
    fn each_address_is_taken_once_and_what_has_no_place_is_forgotten() {
        let postponed = Postponed::new();
        for address in [7, 8, 7] {
            postponed.add(address);
        }
        assert_eq!(taken(&postponed), [7, 8]);
        assert_eq!(taken(&postponed), []);
        (1..=PLACES + 5).for_each(|address| postponed.add(address));
        assert!(taken(&postponed).into_iter().eq(1..=PLACES));
    }
}
