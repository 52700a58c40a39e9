//! The calls that were inlined where an address is.

use gimli::{AttributeValue, UnitOffset, UnitRef};

use crate::resolver::elf::read::address_ranges::{AddressRanges, RangesLeft};
use crate::resolver::elf::read::line_table::SourcePlace;
use crate::resolver::elf::read::object_bytes::Reader;

/// A call that was inlined.
pub(crate) struct InlinedCall {
    pub(crate) entry: UnitOffset,
    /// Where it is called. `None` when no file is known.
    pub(crate) place: Option<SourcePlace>,
}

/// How deep calls may be inlined into each other. Compilers stay below a hundred; what is deeper in a damaged file is left out.
const MAX_DEPTH: usize = 1000;

/// Returns the calls that were inlined into a function where an address is, outermost first. Reads the entries of that function.
pub(crate) fn at(unit: UnitRef<'_, Reader<'_>>, function: UnitOffset, address: u64) -> Vec<InlinedCall> {
    let mut calls = Vec::new();
    // What was read before an error is as good as without it.
    let _ = read(unit, function, address, &mut calls);
    calls
}

fn read(
    unit: UnitRef<'_, Reader<'_>>,
    function: UnitOffset,
    address: u64,
    calls: &mut Vec<InlinedCall>,
) -> gimli::Result<()> {
    let mut left = RangesLeft::of(unit.dwarf);
    let mut entries = unit.entries_raw(Some(function))?;
    // Of the call that was found last, or of the function itself: what is not below it is of no interest any more.
    let mut depth = entries.next_depth();
    // Entries that are deeper belong to something else.
    let mut skipped: Option<isize> = None;
    let Some(abbreviation) = entries.read_abbreviation()? else { return Ok(()) };
    entries.skip_attributes(abbreviation.attributes())?;
    while !entries.is_empty() && entries.next_depth() > depth && calls.len() < MAX_DEPTH {
        let (entry, own_depth) = (entries.next_offset(), entries.next_depth());
        let Some(abbreviation) = entries.read_abbreviation()? else { continue };
        skipped = skipped.filter(|&above| own_depth > above);
        let is_call = abbreviation.tag() == gimli::DW_TAG_inlined_subroutine;
        if !is_call || skipped.is_some() {
            entries.skip_attributes(abbreviation.attributes())?;
            if skipped.is_none() && abbreviation.tag() == gimli::DW_TAG_subprogram {
                skipped = Some(own_depth);
            }
            continue;
        }
        let mut code = AddressRanges::default();
        let (mut file, mut line, mut column) = (None, None, None);
        for specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(*specification)?;
            // Zero means unknown.
            let number =
                || attribute.udata_value().and_then(|value| u32::try_from(value).ok()).filter(|&it| it != 0);
            match (attribute.name(), attribute.value()) {
                // Since version 5, zero is a file.
                (gimli::DW_AT_call_file, AttributeValue::FileIndex(index)) => {
                    file = Some(index).filter(|&index| index > 0 || unit.version() >= 5);
                }
                (gimli::DW_AT_call_line, _) => line = number(),
                (gimli::DW_AT_call_column, _) => column = number(),
                _ => code.read(unit, &attribute)?,
            }
        }
        if code.contain(unit, &mut left, address) {
            calls.push(InlinedCall { entry, place: file.map(|file| SourcePlace { file, line, column }) });
            depth = own_depth;
        } else {
            skipped = Some(own_depth);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use gimli::SectionId;

    use super::*;
    use crate::resolver::elf::read::test_dwarf;

    /// A unit of DWARF 4 with a function at 100 to 200, and in it calls inlined into each other, each at these addresses.
    fn nested(calls: &[(u64, u8)]) -> Vec<u8> {
        let mut entries = vec![1];
        for (code, &(begin, size)) in
            std::iter::once((2, &(100, 100))).chain(calls.iter().map(|call| (3, call)))
        {
            entries.push(code);
            entries.extend(begin.to_le_bytes());
            entries.push(size);
        }
        let length = u32::try_from(7 + entries.len()).unwrap();
        let mut unit = length.to_le_bytes().to_vec();
        unit.extend([4, 0, 0, 0, 0, 0, 8]);
        unit.extend(entries);
        unit
    }

    fn depth(calls: &[(u64, u8)], address: u64) -> usize {
        // A unit, a function and an inlined call, with children; the last two with an address and a size of one byte.
        const ABBREVIATIONS: [u8; 24] =
            [1, 0x11, 1, 0, 0, 2, 0x2e, 1, 0x11, 1, 0x12, 0xb, 0, 0, 3, 0x1d, 1, 0x11, 1, 0x12, 0xb, 0, 0, 0];
        let info = nested(calls);
        let dwarf = test_dwarf::of_sections(&[
            (SectionId::DebugInfo, &info),
            (SectionId::DebugAbbrev, &ABBREVIATIONS),
        ]);
        let unit = test_dwarf::first_unit(&dwarf);
        at(UnitRef::new(&dwarf, &unit), UnitOffset(12), address).len()
    }

    #[test]
    fn calls_are_found_as_deep_as_they_have_the_address() {
        let calls = [(110, 50), (120, 20), (130, 5)];
        for (address, expected) in [(105, 0), (115, 1), (125, 2), (131, 3), (140, 1), (160, 0)] {
            assert_eq!(depth(&calls, address), expected, "{address}");
        }
        // One without the address hides what is in it.
        assert_eq!(depth(&[(110, 50), (150, 5), (120, 20)], 125), 1);
    }

    #[test]
    fn calls_nested_as_deep_as_the_file_is_long_overflow_no_stack() {
        assert_eq!(depth(&[(110, 50); 100], 120), 100);
        assert_eq!(depth(&[(110, 50); 1_000_000], 120), MAX_DEPTH);
        assert_eq!(depth(&[(110, 50); 1_000_000], 180), 0);
    }
}
