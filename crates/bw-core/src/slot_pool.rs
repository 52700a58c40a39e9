//! Slots between polls, so that a traced poll seldom allocates one.

use parking_lot::Mutex;

use crate::slot::Slot;

/// As many as workers are likely to trace at once; more are allocated and freed. None in models, where nothing may
/// outlive an execution.
const KEPT: usize = if cfg!(bw_loom) { 0 } else { 16 };

/// Slots of the first size. Grown ones are not kept: one wide task must not hold memory for ever. So at most 512 KiB
/// stay here.
static POOL: Mutex<Vec<Slot>> = Mutex::new(Vec::new());

/// An empty slot of at least so many words. Locks the pool for a moment; never called in the hook.
pub(crate) fn take(words: usize) -> Slot {
    let kept = if words <= Slot::WORDS { POOL.lock().pop() } else { None };
    kept.unwrap_or_else(|| Slot::new(words.clamp(Slot::WORDS, Slot::MAX_WORDS)))
}

/// Gives a slot back, emptied. Locks the pool for a moment. A slot that a panic takes with it is just freed.
pub(crate) fn put(mut slot: Slot) {
    if slot.words() == Slot::WORDS {
        slot.reset();
        let mut pool = POOL.lock();
        if pool.len() < KEPT {
            pool.push(slot);
        }
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_comes_back_is_empty_and_a_grown_one_is_freed() {
        let slot = take(0);
        slot.publish(0, &[1]);
        put(slot);
        let mut slot = take(1);
        assert!(slot.finish().is_empty());
        put(slot);
        let grown = take(Slot::WORDS + 1);
        assert_eq!(grown.words(), Slot::WORDS + 1);
        put(grown);
        assert_eq!(take(Slot::WORDS).words(), Slot::WORDS);
        assert_eq!(take(usize::MAX).words(), Slot::MAX_WORDS);
    }
}
