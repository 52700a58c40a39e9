//! Which addresses an entry has.

use std::ops::ControlFlow;

use gimli::{Attribute, AttributeValue, RangeListsOffset, Reader as _, Section as _, UnitRef};

use crate::resolver::elf::read::object_bytes::Reader;

/// The attributes that say which addresses an entry has.
#[derive(Default)]
pub(crate) struct AddressRanges {
    low: Option<u64>,
    high: Option<End>,
    list: Option<RangeListsOffset>,
}

enum End {
    Address(u64),
    Size(u64),
}

/// How many ranges out of lists may still be read. Compilers let few entries share a list. In a damaged file, one long list may belong
/// to every entry.
pub(crate) struct RangesLeft(usize);

impl RangesLeft {
    /// Those of a whole file. A range takes two bytes or more.
    pub(crate) fn of(dwarf: &gimli::Dwarf<Reader<'_>>) -> Self {
        Self(dwarf.ranges.debug_ranges().reader().len() + dwarf.ranges.debug_rnglists().reader().len())
    }
}

impl AddressRanges {
    /// Takes note of an attribute, if it is one of these.
    pub(crate) fn read<'a>(
        &mut self,
        unit: UnitRef<'_, Reader<'a>>,
        attribute: &Attribute<Reader<'a>>,
    ) -> gimli::Result<()> {
        match (attribute.name(), attribute.value()) {
            (gimli::DW_AT_low_pc, value) => self.low = unit.attr_address(value)?,
            (gimli::DW_AT_high_pc, AttributeValue::Udata(size)) => self.high = Some(End::Size(size)),
            (gimli::DW_AT_high_pc, value) => self.high = unit.attr_address(value)?.map(End::Address),
            (gimli::DW_AT_ranges, value) => self.list = unit.attr_ranges_offset(value)?,
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn low(&self) -> Option<u64> {
        self.low
    }

    /// Calls `found` with each range that is not empty, until it breaks.
    ///
    /// A range that begins at zero belongs to a function that the linker has dropped: a file's header is there.
    pub(crate) fn each(
        &self,
        unit: UnitRef<'_, Reader<'_>>,
        left: &mut RangesLeft,
        mut found: impl FnMut(gimli::Range) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let is_code = |range: &gimli::Range| range.begin != 0 && range.begin < range.end;
        let Some(list) = self.list else {
            let range = self.low.zip(self.high.as_ref()).map(|(begin, high)| {
                let end = match high {
                    End::Address(end) => *end,
                    // Wraps around where the linker has dropped the function: then it is before the beginning.
                    End::Size(size) => begin.wrapping_add(*size),
                };
                gimli::Range { begin, end }
            });
            return range.filter(is_code).map_or(ControlFlow::Continue(()), found);
        };
        let Ok(mut list) = unit.ranges(list) else { return ControlFlow::Continue(()) };
        while let (Some(fewer), Ok(Some(range))) = (left.0.checked_sub(1), list.next()) {
            left.0 = fewer;
            if is_code(&range) {
                found(range)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Whether an address is one of them.
    pub(crate) fn contain(&self, unit: UnitRef<'_, Reader<'_>>, left: &mut RangesLeft, address: u64) -> bool {
        let is_inside = |range: gimli::Range| {
            if (range.begin..range.end).contains(&address) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        self.each(unit, left, is_inside).is_break()
    }
}

#[cfg(test)]
mod tests {
    use gimli::SectionId;

    use super::*;
    use crate::resolver::elf::read::entry_table::EntryTable;
    use crate::resolver::elf::read::test_dwarf;

    #[test]
    fn a_list_that_every_function_shares_is_not_read_for_each_of_them() {
        // A unit, and functions with the list at 0.
        const ABBREVIATIONS: [u8; 13] = [1, 0x11, 1, 0, 0, 2, 0x2e, 0, 0x55, 0x17, 0, 0, 0];
        const FUNCTIONS: usize = 10_000;
        const RANGES: u64 = 10_000;
        let mut info = u32::try_from(7 + 1 + FUNCTIONS * 5).unwrap().to_le_bytes().to_vec();
        info.extend([4, 0, 0, 0, 0, 0, 8, 1]);
        info.extend(std::iter::repeat_n([2, 0, 0, 0, 0], FUNCTIONS).flatten());
        let ranges: Vec<u8> =
            (1..=RANGES).flat_map(|it| [it * 16, it * 16 + 8]).flat_map(u64::to_le_bytes).collect();
        let dwarf = test_dwarf::of_sections(&[
            (SectionId::DebugInfo, &info),
            (SectionId::DebugAbbrev, &ABBREVIATIONS),
            (SectionId::DebugRanges, &ranges),
        ]);
        let unit = test_dwarf::first_unit(&dwarf);
        let table = EntryTable::new(UnitRef::new(&dwarf, &unit));
        assert!(table.function_at(16).is_some() && table.function_at(16 * RANGES).is_some());
        // Not a hundred million of them.
        assert!(table.bytes() < 24 * 2 * ranges.len(), "{}", table.bytes());
    }
}
