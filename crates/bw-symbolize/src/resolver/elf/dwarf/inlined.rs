//! Which functions are inlined at an address.

use gimli::{UnitOffset, UnitRef};

use crate::resolver::elf::dwarf::Reader;
use crate::resolver::elf::dwarf::attributes::{Extent, file_number, number};
use crate::resolver::elf::dwarf::lines::Row;
use crate::resolver::elf::dwarf::unit::ranges_of_file;

/// How deep functions are inlined into each other, at most. Compilers stop at a few dozen.
const MAX_INLINED: usize = 256;

/// A function inlined into another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inlined {
    pub(super) entry: UnitOffset,
    /// Where the other calls it.
    pub(super) call: Option<Row>,
}

/// The functions inlined at an address into the function whose entry is given, outermost first.
///
/// Walks the entries in the function up to the innermost one.
pub(super) fn at(unit: UnitRef<'_, Reader<'_>>, function: UnitOffset, svma: u64) -> Vec<Inlined> {
    let mut inlined = Vec::new();
    let _ = walk(unit, function, svma, &mut inlined);
    inlined
}

fn walk(
    unit: UnitRef<'_, Reader<'_>>,
    function: UnitOffset,
    svma: u64,
    inlined: &mut Vec<Inlined>,
) -> gimli::Result<()> {
    let mut steps = ranges_of_file(unit);
    let mut entries = unit.entries_raw(Some(function))?;
    // Entries are at this depth or deeper while they belong to the innermost function found so far.
    let mut inside = 1;
    // Entries deeper than this are not at the address.
    let mut skipped: Option<isize> = None;
    match entries.read_abbreviation()? {
        Some(abbreviation) if abbreviation.has_children() => {
            entries.skip_attributes(abbreviation.attributes())?;
        }
        _ => return Ok(()),
    }
    while !entries.is_empty() {
        let entry = entries.next_offset();
        let depth = entries.next_depth();
        if depth < inside {
            // Two functions inlined beside each other have no address in common.
            return Ok(());
        }
        let Some(abbreviation) = entries.read_abbreviation()? else { continue };
        if skipped.is_some_and(|skipped| depth > skipped) {
            entries.skip_attributes(abbreviation.attributes())?;
            continue;
        }
        skipped = None;
        match abbreviation.tag() {
            gimli::DW_TAG_inlined_subroutine => {
                let mut extent = Extent::default();
                let mut call = Row { file: 0, line: None, column: None };
                let mut file = None;
                for specification in abbreviation.attributes() {
                    let attribute = entries.read_attribute(*specification)?;
                    match attribute.name() {
                        gimli::DW_AT_call_file => file = file_number(unit, &attribute.value()),
                        gimli::DW_AT_call_line => call.line = number(&attribute.value()),
                        gimli::DW_AT_call_column => call.column = number(&attribute.value()),
                        _ => extent.note(unit, &attribute),
                    }
                }
                if !extent.contains(unit, &mut steps, svma) {
                    skipped = Some(depth);
                    continue;
                }
                inlined.push(Inlined { entry, call: file.map(|file| Row { file, ..call }) });
                inside = depth + 1;
                if !abbreviation.has_children() || inlined.len() == MAX_INLINED {
                    return Ok(());
                }
            }
            gimli::DW_TAG_subprogram => {
                entries.skip_attributes(abbreviation.attributes())?;
                skipped = Some(depth);
            }
            _ => entries.skip_attributes(abbreviation.attributes())?,
        }
    }
    Ok(())
}
