//! How much memory addr2line takes, which does not tell.
//!
//! Measured by what a process grew (`RssAnon`), on a server of 27 MB with tokio, hyper and axum, `debug = 1`, which has 7.9 MB of
//! entries, 3.4 MB of line programs and 2.7 MB of range lists in 1,341 units: 9 MB when it was opened, 24 to 31 MB when
//! 1,000 addresses were asked about, in nearly every unit with code. The constants give 9.4 and 30.

use gimli::{Reader as _, Section as _, UnitRef};

use crate::resolver::elf::read::object_bytes::Reader;

/// For each byte of range lists: an index of 32 bytes for 16.
const FOR_A_BYTE_OF_RANGES: usize = 2;
/// For each compilation unit: its abbreviations and file table.
const FOR_A_UNIT: usize = 3 * 1024;
/// For each byte of the line program of a unit that was asked about: rows of 24 bytes.
const FOR_A_BYTE_OF_LINES: usize = 5;
/// So many bytes of a unit's entries for each byte: tables of functions and namespaces, and what is inlined where.
const ENTRIES_FOR_A_BYTE: usize = 2;

/// Bytes of memory that an opened file takes, about.
pub(crate) fn opened(dwarf: &gimli::Dwarf<Reader<'_>>) -> usize {
    let lists = &dwarf.ranges;
    let ranges = lists.debug_ranges().reader().len() + lists.debug_rnglists().reader().len();
    let mut units = 0;
    let mut headers = dwarf.units();
    while let Ok(Some(_)) = headers.next() {
        units += 1;
    }
    ranges.saturating_mul(FOR_A_BYTE_OF_RANGES).saturating_add(units * FOR_A_UNIT)
}

/// Bytes of memory that a unit takes from when it was first asked about, about.
pub(crate) fn unit(unit: UnitRef<'_, Reader<'_>>) -> usize {
    let entries = unit.header.unit_length() / ENTRIES_FOR_A_BYTE;
    let lines = unit.line_program.as_ref().map_or(0, |program| program.header().raw_program_buf().len());
    entries.saturating_add(lines.saturating_mul(FOR_A_BYTE_OF_LINES))
}
