//! What a traced poll recorded, read where it lies: in the slot.
//!
//! Of a hundred thousand tasks most wait where others do. A dump that knows the trace already compares it here; only a new
//! one, or one for somebody who asked this task alone, is copied.

use core::cell::OnceCell;

use crate::sync::{AtomicUsize, Ordering};
use crate::trace::error::{Answer, CaptureError};
use crate::trace::raw_trace::RawTrace;

/// What a poll, or the end of a task, has to say to those who wait for it.
pub(crate) enum Outcome<'a> {
    /// It waits on, there.
    Waits(Recorded<'a>),
    /// There is nothing to be had.
    Over(CaptureError),
}

/// The stacks in a slot whose writers have returned.
pub(crate) struct Recorded<'a> {
    dropped: usize,
    /// The headers and addresses of whole stacks, as a [`RawTrace`] has them.
    words: &'a [AtomicUsize],
    copy: OnceCell<RawTrace>,
}

impl<'a> Recorded<'a> {
    /// The caller has acquired the headers among the words.
    pub(crate) fn new(dropped: usize, words: &'a [AtomicUsize]) -> Self {
        Self { dropped, words, copy: OnceCell::new() }
    }

    pub(crate) fn dropped(&self) -> usize {
        self.dropped
    }

    /// Word by word, with the count of what was dropped in front.
    fn words(&self) -> impl Iterator<Item = usize> {
        // Ordering: Relaxed; see `new`.
        let words = self.words.iter().map(|word| word.load(Ordering::Relaxed));
        // Both halves know their length, so what is collected is allocated once, exactly.
        core::iter::once(self.dropped).chain(words)
    }

    /// The same for equal ones. Addresses of this program are nobody's to choose, so nothing guards against who chooses them.
    pub(crate) fn hash(&self) -> u64 {
        // As rustc's own hasher does it: a rotation, so that order counts, and a multiplication by an odd number.
        let mixed = self.words().fold(0_u64, |hash, word| {
            (hash.rotate_left(5) ^ word as u64).wrapping_mul(0x517c_c1b7_2722_0a95)
        });
        // What is multiplied is mixed in the upper bits only.
        mixed ^ (mixed >> 32)
    }

    pub(crate) fn is(&self, trace: &RawTrace) -> bool {
        trace.words().len() == self.words.len() + 1 && self.words().eq(trace.words().iter().copied())
    }

    /// A copy in one allocation of exactly its size. The same one whenever it is asked for.
    pub(crate) fn trace(&self) -> RawTrace {
        self.copy.get_or_init(|| RawTrace::from_words(self.words().collect())).clone()
    }
}

impl Outcome<'_> {
    /// For who asked this task alone.
    pub(crate) fn answer(&self) -> Answer {
        match self {
            Self::Waits(recorded) => Ok(recorded.trace()),
            Self::Over(error) => Err(error.clone()),
        }
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {

    use crate::hook::slot::Slot;

    fn slot(stacks: &[&[usize]]) -> Slot {
        let slot = Slot::new(16);
        stacks.iter().for_each(|stack| slot.publish(0, stack));
        slot
    }

    #[test]
    fn what_was_recorded_is_its_copy_and_no_other() {
        let (one, same) = (slot(&[&[1, 2], &[3]]), slot(&[&[1, 2], &[3]]));
        assert!(one.recorded().is(&same.recorded().trace()));
        assert_eq!(one.recorded().hash(), same.recorded().hash());
        let others: [&[&[usize]]; 5] =
            [&[], &[&[1, 2]], &[&[1], &[2, 3]], &[&[2, 1], &[3]], &[&[1, 2], &[3], &[]]];
        for other in others.map(slot) {
            assert!(!one.recorded().is(&other.recorded().trace()));
            assert_ne!(one.recorded().hash(), other.recorded().hash());
        }
        // A trace that lost a stack is another.
        let full = Slot::new(3);
        full.publish(0, &[1, 2]);
        let whole = full.recorded().trace();
        full.publish(0, &[3]);
        assert!(!full.recorded().is(&whole));
        assert_eq!(full.recorded().trace().dropped(), 1);
    }

    #[test]
    fn it_is_copied_once() {
        let slot = slot(&[&[1]]);
        let recorded = slot.recorded();
        assert!(core::ptr::eq(recorded.trace().words(), recorded.trace().words()));
    }
}
