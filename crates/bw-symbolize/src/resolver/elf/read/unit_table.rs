//! Which units of a file have code at an address.

use std::ops::ControlFlow;

use gimli::{UnitRef, UnitType};

use crate::resolver::elf::read::abbreviation_table::AbbreviationTable;
use crate::resolver::elf::read::address_ranges::RangesLeft;
use crate::resolver::elf::read::object_bytes::Reader;
use crate::resolver::elf::read::unit_root::UnitRoot;

/// Units by the addresses of their code.
#[derive(Default)]
pub(crate) struct UnitTable {
    /// Sorted by where they begin.
    ranges: Vec<UnitRange>,
}

struct UnitRange {
    begin: u64,
    end: u64,
    /// Where the unit begins in `.debug_info`.
    unit: usize,
    /// The largest end of all ranges up to this one: how far back it is worth looking.
    reach: u64,
}

/// Functions begin at multiples of so many bytes, at most. What is between two of one unit belongs to no other, or that other one has a
/// range of its own.
const LARGEST_GAP: u64 = 16;

impl UnitTable {
    /// Those that `.debug_aranges` lists. It may leave units out, and takes a hundredth of the time that asking the units takes.
    pub(crate) fn listed(dwarf: &gimli::Dwarf<Reader<'_>>) -> Self {
        let mut table = Self::default();
        let mut headers = dwarf.debug_aranges.headers();
        while let Ok(Some(header)) = headers.next() {
            let mut entries = header.entries();
            // A range that wraps around is an error, and the next one is read all the same.
            while let Some(entry) = entries.next().transpose() {
                if let Ok(entry) = entry
                    && entry.address() != 0
                {
                    table.push(entry.range(), header.debug_info_offset().0);
                }
            }
        }
        table.sorted()
    }

    /// All of them, as the first entry of each says. Reads a page or two of each unit: some milliseconds for 100 MB of debug
    /// information.
    pub(crate) fn all(dwarf: &gimli::Dwarf<Reader<'_>>) -> Self {
        let mut headers = Vec::new();
        let mut units = dwarf.units();
        while let Ok(Some(header)) = units.next() {
            // Type units and those that others include have no code.
            if !matches!(
                header.type_(),
                UnitType::Type { .. } | UnitType::SplitType { .. } | UnitType::Partial
            ) {
                headers.push(header);
            }
        }
        // Units of one object file share their abbreviations. In this order, each table is read once and then forgotten; and no table
        // goes on behind the start of the next one, so that no byte is read twice.
        headers.sort_by_key(|header| header.debug_abbrev_offset().0);
        let mut left = RangesLeft::of(dwarf);
        let mut table = Self::default();
        for sharing in headers.chunk_by(|a, b| a.debug_abbrev_offset() == b.debug_abbrev_offset()) {
            let at = sharing[0].debug_abbrev_offset();
            let behind = headers.partition_point(|header| header.debug_abbrev_offset().0 <= at.0);
            let end = headers.get(behind).map_or(usize::MAX, |header| header.debug_abbrev_offset().0);
            let Some(abbreviations) = AbbreviationTable::read(&dwarf.debug_abbrev, at, end) else { continue };
            for header in sharing {
                let Some(start) = header.debug_info_offset() else { continue };
                let Ok(root) = UnitRoot::read(dwarf, *header, &abbreviations) else { continue };
                let _ = root.code.each(UnitRef::new(dwarf, &root.unit), &mut left, |range| {
                    table.push(range, start.0);
                    ControlFlow::Continue(())
                });
            }
        }
        table.sorted()
    }

    /// Units that may have code at an address, the one whose code begins last first. Some linkers give equal functions of several units
    /// one address.
    pub(crate) fn at(&self, address: u64) -> impl Iterator<Item = usize> {
        let before = self.ranges.partition_point(|range| range.begin <= address);
        let back = self.ranges[..before].iter().rev().take_while(move |range| address < range.reach);
        back.filter(move |range| address < range.end).map(|range| range.unit)
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.ranges.capacity() * size_of::<UnitRange>()
    }

    /// Adds a range, to the last one if it goes on there: functions of a unit mostly follow each other.
    fn push(&mut self, range: gimli::Range, unit: usize) {
        if let Some(last) = self.ranges.last_mut()
            && last.unit == unit
            && (last.begin..last.end.saturating_add(LARGEST_GAP)).contains(&range.begin)
        {
            last.end = last.end.max(range.end);
        } else {
            self.ranges.push(UnitRange { begin: range.begin, end: range.end, unit, reach: 0 });
        }
    }

    fn sorted(mut self) -> Self {
        self.ranges.sort_unstable_by_key(|range| (range.begin, range.unit));
        let mut merged = Self::default();
        for UnitRange { begin, end, unit, .. } in self.ranges {
            merged.push(gimli::Range { begin, end }, unit);
        }
        let mut reach = 0;
        for range in &mut merged.ranges {
            reach = reach.max(range.end);
            range.reach = reach;
        }
        merged.ranges.shrink_to_fit();
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(ranges: &[(u64, u64, usize)]) -> UnitTable {
        let mut table = UnitTable::default();
        for &(begin, end, unit) in ranges {
            table.push(gimli::Range { begin, end }, unit);
        }
        table.sorted()
    }

    fn at(table: &UnitTable, address: u64) -> Vec<usize> {
        table.at(address).collect()
    }

    #[test]
    fn functions_of_a_unit_that_follow_each_other_are_one_range() {
        let table = table(&[(100, 110, 1), (112, 130, 1), (300, 310, 1), (130, 140, 2), (288, 299, 1)]);
        assert_eq!(table.ranges.len(), 3);
        for (address, units) in [(99, vec![]), (111, vec![1]), (130, vec![2]), (140, vec![]), (305, vec![1])]
        {
            assert_eq!(at(&table, address), units, "{address}");
        }
    }

    #[test]
    fn a_function_inside_the_code_of_another_unit_comes_first() {
        let table = table(&[(100, 200, 1), (120, 130, 2), (150, 160, 3), (120, 130, 4)]);
        assert_eq!(at(&table, 125), [4, 2, 1]);
        // Behind the end of 3 the range of 1 goes on.
        assert_eq!(at(&table, 170), [1]);
        assert!(at(&table, 200).is_empty());
    }
}
