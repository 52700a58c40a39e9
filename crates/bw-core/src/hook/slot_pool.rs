//! Slots between polls, so that a traced poll seldom allocates one.

use parking_lot::Mutex;

use crate::hook::slot::Slot;

/// Pools, so that workers which trace at once do not meet at one.
const POOLS: usize = 8;

/// As many as a worker needs that polls a traced task inside another; more are allocated and freed. None in models, where
/// nothing may outlive an execution.
const KEPT: usize = if cfg!(bw_loom) { 0 } else { 2 };

/// Slots of the first size. Grown ones are not kept: one wide task must not hold memory for ever. So at most 512 KiB
/// stay here.
static SLOTS: [Pool; POOLS] = [const { Pool(Mutex::new(Vec::new())) }; POOLS];

/// On lines of its own: threads that use others do not slow it down.
#[repr(align(128))]
struct Pool(Mutex<Vec<Slot>>);

/// The pool of the polling thread of that number; see [`take`].
fn of(thread: usize) -> &'static Mutex<Vec<Slot>> {
    &SLOTS[thread % POOLS].0
}

/// An empty slot of at least so many words, from the pool of the polling thread of that number. Locks the thread's pool for a moment; never called in the hook.
pub(crate) fn take(words: usize, thread: usize) -> Slot {
    let kept = if words <= Slot::WORDS { of(thread).lock().pop() } else { None };
    kept.unwrap_or_else(|| Slot::new(words.clamp(Slot::WORDS, Slot::MAX_WORDS)))
}

/// Gives a slot back, and empties it. Locks the thread's pool for a moment. A slot that a panic takes with it is just freed.
pub(crate) fn put(mut slot: Slot, thread: usize) {
    if slot.words() == Slot::WORDS {
        slot.reset();
        let mut pool = of(thread).lock();
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
        let thread = 3;
        let slot = take(0, thread);
        slot.publish(0, &[1]);
        put(slot, thread);
        let mut slot = take(1, thread);
        assert!(slot.finish().is_empty());
        put(slot, thread);
        let grown = take(Slot::WORDS + 1, thread);
        assert_eq!(grown.words(), Slot::WORDS + 1);
        put(grown, thread);
        assert_eq!(take(Slot::WORDS, thread).words(), Slot::WORDS);
        assert_eq!(take(usize::MAX, thread).words(), Slot::MAX_WORDS);
    }
}
