//! The slot: where the stacks of one poll go, from any thread, without a lock.
//!
//! A fixed arena of words and two counters. A writer walks into an array on its own stack, reserves its length with
//! one atomic add, copies, and publishes by storing the stack's header word. The reader is the polling thread after
//! the poll has returned: every `&Waker` it handed out was borrowed for the poll, so every writer has returned too,
//! and whatever joined a writer's thread ordered its writes before. The arena is made of atomics nevertheless, so that
//! even code that breaks those rules gets garbage at worst, never a data race.
//!
//! | state of a region | header word | next |
//! |---|---|---|
//! | free | 0 | a writer moved `used` past it: reserved |
//! | reserved | 0 | its writer stored the addresses, then the header: published |
//! | published | [`header`] with `PUBLISHED` | `reset`: free |
//!
//! A writer whose region does not fit gives up: it counts itself in `dropped`, and `used` stays past the end, so
//! that later writers see a full slot and do not even walk.

use crate::hook::recorded::Recorded;
use crate::sync::{AtomicUsize, Ordering};
use crate::trace::counters::Counters;
use crate::trace::raw_trace::header;

/// Collects the stacks of one poll.
pub(crate) struct Slot {
    /// Words reserved so far; greater than the arena's length once it is full.
    used: AtomicUsize,
    /// Stacks that did not fit.
    dropped: AtomicUsize,
    /// Walks that took the slow backend though the other was wanted.
    fallbacks: AtomicUsize,
    /// Rules that were evaluated.
    misses: AtomicUsize,
    arena: Box<[AtomicUsize]>,
}

impl Slot {
    /// What a slot holds at first: about 160 stacks of 24 addresses, in 32 KiB.
    ///
    /// In models, where every word is an object of loom's, just enough.
    pub(crate) const WORDS: usize = if cfg!(bw_loom) { 32 } else { 4 * 1024 };
    /// What it may grow to: about 2,600 stacks of 24 addresses, in 512 KiB. Bounds the time one poll may spend
    /// walking as well.
    pub(crate) const MAX_WORDS: usize = 64 * 1024;

    pub(crate) fn new(words: usize) -> Self {
        Self {
            used: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            fallbacks: AtomicUsize::new(0),
            misses: AtomicUsize::new(0),
            arena: (0..words).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// How many words it can hold.
    pub(crate) fn words(&self) -> usize {
        self.arena.len()
    }

    /// Whether nothing fits any more. A caller that knows need not walk.
    pub(crate) fn is_full(&self) -> bool {
        // Ordering: Relaxed; a hint, `publish` decides.
        self.used.load(Ordering::Relaxed) >= self.words()
    }

    /// Counts a stack that was not recorded because the slot is full.
    pub(crate) fn drop_stack(&self) {
        // Ordering: Relaxed; read by the polling thread after the writers were joined.
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what was unusual about a walk. Kept here, and not in the process-wide [counters](crate::trace::counters), so that
    /// threads that capture at once share no cache line.
    #[cold]
    pub(crate) fn note(&self, fell_back: bool, misses: usize) {
        // Ordering: Relaxed; see `drop_stack`.
        self.fallbacks.fetch_add(usize::from(fell_back), Ordering::Relaxed);
        self.misses.fetch_add(misses, Ordering::Relaxed);
    }

    /// What happened in this slot since it was empty.
    pub(crate) fn counts(&self) -> Counters {
        let (mut captures, mut truncated, mut at) = (0, 0, 0);
        let (published, lost) = self.published();
        while at < published {
            let Some(head) = self.arena.get(at) else { break };
            // Ordering: Relaxed; `published` acquired it.
            let head = head.load(Ordering::Relaxed);
            captures += 1;
            truncated += u64::from(head & header::TRUNCATED != 0);
            at += 1 + header::length(head);
        }
        // Ordering: Relaxed; see `drop_stack`.
        let [dropped, fallbacks, table_misses] = [&self.dropped, &self.fallbacks, &self.misses]
            .map(|counter| counter.load(Ordering::Relaxed) as u64);
        let dropped = dropped + lost as u64;
        Counters { captures, fallbacks, table_misses, truncated, dropped }
    }

    /// Records one stack. Lock-free; neither allocates nor panics.
    pub(crate) fn publish(&self, flags: usize, addresses: &[usize]) {
        // Reserve. A full slot is not added to, which keeps the counter from ever wrapping: at most one region per
        // running thread is reserved past the end.
        if self.is_full() {
            return self.drop_stack();
        }
        let words = addresses.len() + 1;
        // Ordering: Relaxed; the add only has to hand out disjoint regions.
        let start = self.used.fetch_add(words, Ordering::Relaxed);
        let Some(region) = start.checked_add(words).and_then(|end| self.arena.get(start..end)) else {
            return self.drop_stack();
        };
        let Some((head, body)) = region.split_first() else { return };
        for (word, &address) in body.iter().zip(addresses) {
            // Ordering: Relaxed; the header's Release publishes it.
            word.store(address, Ordering::Relaxed);
        }
        // Ordering: Release pairs with the Acquire load in `published`: who sees the header sees the addresses.
        head.store(header::new(addresses.len(), flags), Ordering::Release);
    }

    /// Every stack published so far.
    pub(crate) fn recorded(&self) -> Recorded<'_> {
        let (published, lost) = self.published();
        // Ordering: Relaxed; see `drop_stack`.
        let dropped = self.dropped.load(Ordering::Relaxed) + lost;
        // `published` acquired every header.
        Recorded::new(dropped, self.arena.get(..published).unwrap_or_default())
    }

    /// What was recorded, and an empty slot.
    #[cfg(test)]
    pub(crate) fn finish(&mut self) -> crate::trace::raw_trace::RawTrace {
        let trace = self.recorded().trace();
        self.reset();
        trace
    }

    /// How many words from the start are whole published stacks, and how many reserved stacks are not.
    fn published(&self) -> (usize, usize) {
        let mut at = 0;
        while let Some(head) = self.arena.get(at) {
            // Ordering: Acquire pairs with the Release store in `publish`.
            let head = head.load(Ordering::Acquire);
            if head == 0 {
                // Free, or reserved by a writer that has not returned: then nothing after it can be told apart.
                // Ordering: Relaxed; see `is_full`.
                let used = self.used.load(Ordering::Relaxed);
                return (at, usize::from(at < used && used <= self.words()));
            }
            at += 1 + header::length(head);
        }
        (at.min(self.words()), 0)
    }

    /// Empties the slot for the next poll.
    pub(crate) fn reset(&mut self) {
        // Ordering: Relaxed; `&mut self` means that nobody else has it.
        let used = self.used.load(Ordering::Relaxed).min(self.words());
        for word in self.arena.get(..used).unwrap_or_default() {
            word.store(0, Ordering::Relaxed);
        }
        for counter in [&self.used, &self.dropped, &self.fallbacks, &self.misses] {
            counter.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use super::*;
    use crate::trace::address::ReturnAddress;

    #[test]
    fn what_was_published_is_in_the_trace_in_order() {
        let mut slot = Slot::new(16);
        slot.publish(header::YIELD, &[1, 2, 3]);
        slot.publish(0, &[4]);
        let trace = slot.finish();
        let stacks: Vec<_> = trace
            .stacks()
            .map(|stack| stack.addresses().map(ReturnAddress::get).collect::<Vec<_>>())
            .collect();
        assert_eq!(stacks, [vec![1, 2, 3], vec![4]]);
        assert!(trace.stacks().next().unwrap().is_yield());
        assert_eq!(trace.dropped(), 0);
        assert!(slot.finish().is_empty(), "finish empties the slot");
    }

    #[test]
    fn a_stack_that_does_not_fit_is_counted() {
        let mut slot = Slot::new(4);
        slot.publish(0, &[1, 2]);
        slot.publish(0, &[3, 4]);
        assert!(slot.is_full());
        slot.publish(0, &[5]);
        let trace = slot.finish();
        assert_eq!(trace.stacks().count(), 1);
        assert_eq!(trace.dropped(), 2);
        assert!(!slot.is_full());
    }

    #[test]
    fn a_slot_that_is_exactly_filled_loses_nothing() {
        let mut slot = Slot::new(4);
        slot.publish(0, &[1, 2, 3]);
        assert!(slot.is_full());
        let trace = slot.finish();
        assert_eq!((trace.stacks().count(), trace.dropped()), (1, 0));
    }

    #[test]
    fn a_stack_without_addresses_still_counts_as_one() {
        let mut slot = Slot::new(4);
        slot.publish(header::TRUNCATED, &[]);
        let trace = slot.finish();
        assert_eq!(trace.stacks().map(|stack| stack.is_truncated()).collect::<Vec<_>>(), [true]);
    }

    #[test]
    fn many_threads_publish_at_once() {
        let mut slot = Slot::new(Slot::WORDS);
        std::thread::scope(|scope| {
            for thread in 1..=4_usize {
                let slot = &slot;
                scope.spawn(move || (0..100).for_each(|_| slot.publish(0, &[thread; 7])));
            }
        });
        let trace = slot.finish();
        assert_eq!(trace.stacks().count(), 400);
        for stack in trace.stacks() {
            let first = stack.addresses().next();
            assert!(stack.len() == 7 && stack.addresses().all(|address| Some(address) == first));
        }
    }
}
