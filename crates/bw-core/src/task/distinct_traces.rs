//! The traces of a dump, each once.

use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;

use crate::hook::recorded::Recorded;
use crate::trace::raw_trace::RawTrace;

/// Traces by number, found by their [hash](Recorded::hash).
///
/// Pollers look here under the inbox's lock, so a trace is compared in the slot that recorded it, and copied only if it is new.
#[derive(Default)]
pub(crate) struct DistinctTraces {
    distinct: Vec<RawTrace>,
    /// The last trace of each hash.
    by_hash: HashMap<u64, u32, BuildHasherDefault<Identity>>,
    /// For each trace, the one of the same hash before it.
    before: Vec<Option<u32>>,
}

/// Passes a hash through.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn write(&mut self, bytes: &[u8]) {
        // Only `u64` is hashed here; any other type would still be hashed, if badly.
        bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl DistinctTraces {
    /// The number of the trace with that [hash](Recorded::hash), if it is known.
    pub(crate) fn find(&self, recorded: &Recorded<'_>, hash: u64) -> Option<u32> {
        let mut candidate = self.by_hash.get(&hash).copied();
        while let Some(number) = candidate {
            let at = number as usize;
            if self.distinct.get(at).is_some_and(|known| recorded.is(known)) {
                return Some(number);
            }
            candidate = self.before.get(at).copied().flatten();
        }
        None
    }

    /// The same, and a number for it if it is new. Copies it then, unless it [was copied](Recorded::trace).
    pub(crate) fn number(&mut self, recorded: &Recorded<'_>, hash: u64) -> u32 {
        if let Some(known) = self.find(recorded, hash) {
            return known;
        }
        // There are never more traces than a dump numbers tasks, which it does in 32 bits.
        let number = u32::try_from(self.distinct.len()).unwrap_or(u32::MAX);
        self.distinct.push(recorded.trace());
        self.before.push(self.by_hash.insert(hash, number));
        number
    }

    /// The traces, by number.
    pub(crate) fn into_distinct(self) -> Vec<RawTrace> {
        self.distinct
    }
}

#[cfg(all(test, not(bw_loom)))]
mod tests {
    use super::*;
    use crate::hook::slot::Slot;

    fn slot(word: usize) -> Slot {
        let slot = Slot::new(16);
        slot.publish(0, &[word, word + 1]);
        slot
    }

    #[test]
    fn each_trace_keeps_the_number_it_got_first() {
        let mut traces = DistinctTraces::default();
        for _ in 0..2 {
            for word in 1..=500 {
                let slot = slot(word);
                let recorded = slot.recorded();
                assert_eq!(traces.number(&recorded, recorded.hash()) as usize, word - 1);
            }
        }
        let (known, new) = (slot(500), slot(501));
        assert_eq!(traces.find(&known.recorded(), known.recorded().hash()), Some(499));
        assert_eq!(traces.find(&new.recorded(), new.recorded().hash()), None);
        assert_eq!(DistinctTraces::default().find(&new.recorded(), 0), None);
        let distinct = traces.into_distinct();
        assert_eq!(distinct.len(), 500);
        assert!(slot(7).recorded().is(&distinct[6]));
    }

    #[test]
    fn traces_of_one_hash_are_told_apart() {
        let mut traces = DistinctTraces::default();
        for _ in 0..2 {
            for word in 1..=50 {
                assert_eq!(traces.number(&slot(word).recorded(), u64::MAX) as usize, word - 1);
            }
        }
    }
}
