//! How much memory addr2line takes, which does not tell.
//!
//! Measured on a server of 27 MB with tokio, hyper and axum, `debug = 1`, by what the process grew: see the constants.

use gimli::{Reader as _, Section as _, UnitRef};

use crate::resolver::elf::object_bytes::Reader;

/// For each byte of range lists: an index of 32 bytes for 16.
const FOR_A_BYTE_OF_RANGES: usize = 2;
/// For each compilation unit: its abbreviations and file table.
const FOR_A_UNIT: usize = 6 * 1024;
/// For each byte of the entries and of the line program of a unit that was asked about: tables of functions and lines.
const FOR_A_BYTE_OF_ENTRIES: usize = 1;
const FOR_A_BYTE_OF_LINES: usize = 8;

/// Bytes of memory that an opened file takes, about.
pub(super) fn opened(dwarf: &gimli::Dwarf<Reader<'_>>) -> usize {
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
pub(super) fn unit(unit: UnitRef<'_, Reader<'_>>) -> usize {
    let entries = unit.header.unit_length().saturating_mul(FOR_A_BYTE_OF_ENTRIES);
    let lines = unit.line_program.as_ref().map_or(0, |program| program.header().raw_program_buf().len());
    entries.saturating_add(lines.saturating_mul(FOR_A_BYTE_OF_LINES))
}
