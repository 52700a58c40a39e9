//! The traces of a dump, each once.

use crate::hook::recorded::Recorded;
use crate::trace::raw_trace::RawTrace;

/// Traces by number, found by their hash: a table of numbers, at most half full, whose collisions go on at the next place.
///
/// Looked into by pollers under the inbox's lock, so it compares what is in the slot, and copies what is new only.
#[derive(Default)]
pub(crate) struct DistinctTraces {
    distinct: Vec<RawTrace>,
    hashes: Vec<u64>,
    /// A power of two of places, or none.
    table: Vec<u32>,
}

/// No trace stands at that place. There are never so many: a dump numbers its tasks, of which each has one, with less.
const VACANT: u32 = u32::MAX;

impl DistinctTraces {
    /// The number of the trace with that [hash](Recorded::hash), if it is known.
    pub(crate) fn find(&self, recorded: &Recorded<'_>, hash: u64) -> Option<u32> {
        if self.table.is_empty() {
            return None;
        }
        let number = self.table[self.place(hash, |known| recorded.is(known))];
        (number != VACANT).then_some(number)
    }

    /// The same, and a number for it if it is new. Copies it then, unless it [was copied](Recorded::trace).
    pub(crate) fn number(&mut self, recorded: &Recorded<'_>, hash: u64) -> u32 {
        if self.table.len() <= self.distinct.len() * 2 {
            self.grow();
        }
        let at = self.place(hash, |known| recorded.is(known));
        match self.table[at] {
            VACANT => {
                let number = u32::try_from(self.distinct.len()).unwrap_or(VACANT);
                self.table[at] = number;
                self.distinct.push(recorded.trace());
                self.hashes.push(hash);
                number
            }
            number => number,
        }
    }

    pub(crate) fn into_distinct(self) -> Vec<RawTrace> {
        self.distinct
    }

    /// Where the trace stands that `is_it`, or where it is to stand.
    fn place(&self, hash: u64, is_it: impl Fn(&RawTrace) -> bool) -> usize {
        let last = self.table.len() - 1;
        // The bits above those of the table do not count.
        #[allow(clippy::cast_possible_truncation)]
        let mut at = hash as usize & last;
        loop {
            let number = self.table[at] as usize;
            // No hash has the number of a vacant place.
            if self.hashes.get(number).is_none_or(|&known| known == hash && is_it(&self.distinct[number])) {
                return at;
            }
            at = (at + 1) & last;
        }
    }

    fn grow(&mut self) {
        let places = (self.table.len() * 2).max(16);
        self.table = vec![VACANT; places];
        for (number, &hash) in (0..).zip(&self.hashes) {
            // All of them differ.
            let at = self.place(hash, |_| false);
            self.table[at] = number;
        }
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
                // The last place of the table, so that they go around its end.
                assert_eq!(traces.number(&slot(word).recorded(), u64::MAX) as usize, word - 1);
            }
        }
    }
}
