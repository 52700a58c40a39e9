//! How captures went, for whoever wonders about their cost or their truth.

use core::sync::atomic::{AtomicU64, Ordering};

/// Counts since the process began. Each only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Stacks recorded.
    pub captures: u64,
    /// Stacks that [`Backend::Rules`](crate::Backend::Rules) could not walk, and the `backtrace` crate did: foreign ones,
    /// and those with a function whose unwind information is missing or unusual.
    pub fallbacks: u64,
    /// Return addresses whose rule had to be evaluated, because it was the first time or the table had lost it.
    pub table_misses: u64,
    /// Stacks whose root end is missing; see [`RawStack::is_truncated`](crate::RawStack::is_truncated).
    pub truncated: u64,
    /// Stacks that did not fit; see [`RawTrace::dropped`](crate::RawTrace::dropped).
    pub dropped: u64,
}

/// How captures went so far, in the whole process. Five relaxed loads; not one moment's picture.
#[must_use]
pub fn counters() -> Counters {
    // Ordering: Relaxed, here and in `add`: counts that order nothing.
    let [captures, fallbacks, table_misses, truncated, dropped] =
        TOTALS.each_ref().map(|total| total.load(Ordering::Relaxed));
    Counters { captures, fallbacks, table_misses, truncated, dropped }
}

static TOTALS: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];

/// Adds the counts of one traced poll. Once a poll and not in the hook, where threads would fight for the line.
pub(crate) fn add(counts: Counters) {
    let Counters { captures, fallbacks, table_misses, truncated, dropped } = counts;
    for (total, count) in TOTALS.iter().zip([captures, fallbacks, table_misses, truncated, dropped]) {
        if count != 0 {
            total.fetch_add(count, Ordering::Relaxed);
        }
    }
}
