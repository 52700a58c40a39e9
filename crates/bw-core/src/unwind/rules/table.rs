//! The process-wide table of rules, by return address: read by every hook, without a lock.
//!
//! Sets of four entries, two sets to a cache line. An entry is one atomic word: a tag above, a packed rule below; zero is
//! an empty entry. The address is multiplied by an odd number modulo 2^48, which is a bijection: the top bits choose the
//! set, all the others are the tag. So an entry that matches is for that very address, never for another that
//! happens to hash alike.
//!
//! A direct-mapped table thrashes: two hot addresses of one deep stack that share a place cost an evaluation each
//! time. With four ways that takes five.

use core::sync::atomic::{AtomicU64, Ordering};

use super::rule::{self, Rule};

/// Bits of an address: user space of x86-64 and AArch64. Others (five-level paging, hinted) are not kept.
const ADDRESS_BITS: u32 = 48;
const SET_BITS: u32 = ADDRESS_BITS + rule::BITS - u64::BITS;
const SETS: usize = 1 << SET_BITS;
const WAYS: usize = 4;

/// Odd, so multiplying is a bijection; the fraction of the golden ratio, so neighbours scatter (Knuth, TAOCP 3, 6.4).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

const MASK: u64 = (1 << ADDRESS_BITS) - 1;

/// What undoes the multiplication.
const INVERSE: u64 = {
    // Newton's iteration: right in 3 bits to begin with, in twice as many after each step.
    let mut inverse = MULTIPLIER;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(MULTIPLIER.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
};

/// The address that has this place.
#[allow(clippy::cast_possible_truncation)] // An address has 48 bits.
fn address(set: usize, tag: u64) -> usize {
    let hash = (set as u64) << (ADDRESS_BITS - SET_BITS) | tag;
    (hash.wrapping_mul(INVERSE) & MASK) as usize
}

/// 2^14 entries, 128 KiB of zero pages; those that are written become resident.
pub(super) struct RuleTable {
    sets: [Set; SETS],
}

#[repr(align(32))]
struct Set([AtomicU64; WAYS]);

impl RuleTable {
    pub(super) const fn new() -> Self {
        Self { sets: [const { Set([const { AtomicU64::new(0) }; WAYS]) }; SETS] }
    }

    /// The rule for a return address, if it was kept.
    #[inline(always)]
    pub(super) fn get(&self, address: usize) -> Option<Rule> {
        let (set, tag) = self.place(address)?;
        for way in &set.0 {
            // Ordering: Relaxed; an entry is whole in its one word, and refers to nothing.
            let entry = way.load(Ordering::Relaxed);
            if entry >> rule::BITS == tag && entry != 0 {
                #[allow(clippy::cast_possible_truncation)] // The bits below the tag.
                return Some(Rule::unpack(entry as u32 & ((1 << rule::BITS) - 1)));
            }
        }
        None
    }

    /// Keeps a rule; another one of the same set may have to go.
    pub(super) fn insert(&self, address: usize, rule: Rule) {
        let Some((set, tag)) = self.place(address) else { return };
        let entry = tag << rule::BITS | u64::from(rule.pack());
        // Ordering: Relaxed throughout; see `get`. Two threads that insert at once may both take one way, and one rule
        // is then evaluated again.
        let empty = set.0.iter().find(|way| way.load(Ordering::Relaxed) == 0);
        // A full set gives up a way that depends on the address: as good as random, and stateless. Not by the lowest bits
        // of the tag: they are the address's own, and on AArch64 the same for all.
        #[allow(clippy::cast_possible_truncation)] // Less than the number of ways.
        let victim = (tag >> 16) as usize % WAYS;
        let way = empty.or_else(|| set.0.get(victim));
        if let Some(way) = way {
            way.store(entry, Ordering::Relaxed);
        }
    }

    /// Forgets the rules of a range of addresses. Looks at every entry: about 10 µs.
    pub(super) fn forget(&self, start: usize, end: usize) {
        for (index, set) in self.sets.iter().enumerate() {
            for way in &set.0 {
                // Ordering: Relaxed; see `get`. A rule that another thread keeps in this place in between may be lost, and
                // is then evaluated again.
                let entry = way.load(Ordering::Relaxed);
                if entry != 0 && (start..end).contains(&address(index, entry >> rule::BITS)) {
                    way.store(0, Ordering::Relaxed);
                }
            }
        }
    }

    #[inline(always)]
    fn place(&self, address: usize) -> Option<(&Set, u64)> {
        let address = address as u64;
        if address > MASK {
            return None;
        }
        let hash = address.wrapping_mul(MULTIPLIER) & MASK;
        let set = (hash >> (ADDRESS_BITS - SET_BITS)) as usize;
        Some((self.sets.get(set)?, hash & ((1 << (ADDRESS_BITS - SET_BITS)) - 1)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::super::rule::FrameRule;
    use super::*;

    fn frame(cfa: u16) -> Rule {
        Rule::Frame(FrameRule { from_frame_pointer: false, cfa, return_address: 1, frame_pointer: 0 })
    }

    #[test]
    fn two_sets_share_a_cache_line_and_none_straddles_one() {
        assert_eq!(size_of::<Set>(), 32);
        assert_eq!(align_of::<Set>(), 32);
        assert_eq!(size_of::<RuleTable>(), 128 * 1024);
    }

    #[test]
    fn a_rule_is_found_again_until_it_is_forgotten() {
        let table = Box::new(RuleTable::new());
        assert_eq!(table.get(0x5555_1234_5678), None);
        table.insert(0x5555_1234_5678, frame(3));
        assert_eq!(table.get(0x5555_1234_5678), Some(frame(3)));
        assert_eq!(table.get(0x5555_1234_5679), None);
        table.forget(0x5555_1234_5679, 0x5555_2000_0000);
        table.forget(0x5555_0000_0000, 0x5555_1234_5678);
        assert_eq!(table.get(0x5555_1234_5678), Some(frame(3)));
        table.forget(0x5555_1234_5678, 0x5555_1234_5679);
        assert_eq!(table.get(0x5555_1234_5678), None);
    }

    #[test]
    fn address_zero_and_addresses_beyond_48_bits_are_never_found() {
        let table = Box::new(RuleTable::new());
        assert_eq!(table.get(0), None);
        table.insert(usize::MAX, frame(1));
        assert_eq!(table.get(usize::MAX), None);
    }

    proptest! {
        #[test]
        fn an_entry_knows_its_address(original in 1..1_usize << 48) {
            let table = Box::new(RuleTable::new());
            let (set, tag) = table.place(original).unwrap();
            let index = (core::ptr::from_ref(set).addr() - table.sets.as_ptr().addr()) / size_of::<Set>();
            prop_assert_eq!(address(index, tag), original);
        }

        #[test]
        fn what_is_found_is_what_was_inserted_for_that_address(
            addresses in proptest::collection::hash_map(1..1_usize << 48, 0..u16::MAX, 1..200),
        ) {
            let table = Box::new(RuleTable::new());
            for (&address, &cfa) in &addresses {
                table.insert(address, frame(cfa));
            }
            for (&address, &cfa) in &addresses {
                if let Some(found) = table.get(address) {
                    prop_assert_eq!(found, frame(cfa));
                }
            }
        }
    }

    /// Instructions of AArch64 take four bytes each.
    #[test]
    fn every_way_of_a_full_set_may_have_to_go() {
        let table = Box::new(RuleTable::new());
        let (set, _) = table.place(0x5555_0000_0000).unwrap();
        let of_one_set = (0x5555_0000_0000_usize..)
            .step_by(4)
            .filter(|&address| table.place(address).is_some_and(|(other, _)| core::ptr::eq(set, other)));
        let of_one_set: Vec<_> = of_one_set.take(40).collect();
        for &address in &of_one_set {
            table.insert(address, frame(1));
        }
        let left = of_one_set.iter().filter(|&&address| table.get(address).is_some()).count();
        assert_eq!(left, WAYS);
        assert!(of_one_set[..WAYS].iter().all(|&address| table.get(address).is_none()), "some never go");
    }

    #[test]
    fn neighbouring_addresses_scatter_over_the_sets() {
        let table = Box::new(RuleTable::new());
        let sets: HashSet<_> = (0..1000_usize)
            .filter_map(|n| {
                table.place(0x5555_5555_0000 + n * 5).map(|(set, _)| core::ptr::from_ref(set).addr())
            })
            .collect();
        assert!(sets.len() > 800, "{}", sets.len());
    }
}
