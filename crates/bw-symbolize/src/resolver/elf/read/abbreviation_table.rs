//! The shapes of entries, which units of one object file share.

use std::sync::Arc;

use gimli::{Abbreviations, DebugAbbrev, DebugAbbrevOffset, EndianSlice, Reader as _, Section as _};

use crate::resolver::elf::read::object_bytes::Reader;

/// A table of abbreviations.
#[derive(Debug)]
pub(crate) struct AbbreviationTable {
    at: DebugAbbrevOffset,
    abbreviations: Arc<Abbreviations>,
    length: usize,
}

/// Compilers make tables of a few kilobytes.
const MOST_BYTES: usize = 1 << 20;

impl AbbreviationTable {
    /// Reads the table at a place of `.debug_abbrev`. `None` if it is damaged, or goes on behind `end`.
    pub(crate) fn read(section: &DebugAbbrev<Reader<'_>>, at: DebugAbbrevOffset, end: usize) -> Option<Self> {
        let section = section.reader();
        let end = section.len().min(end).min(at.0.saturating_add(MOST_BYTES));
        let section = EndianSlice::new(section.slice().get(..end)?, section.endian());
        let length = length(section, at).ok()?;
        let abbreviations = Arc::new(DebugAbbrev::from(section).abbreviations(at).ok()?);
        Some(Self { at, abbreviations, length })
    }

    pub(crate) fn at(&self) -> DebugAbbrevOffset {
        self.at
    }

    pub(crate) fn abbreviations(&self) -> &Arc<Abbreviations> {
        &self.abbreviations
    }

    /// Bytes of memory, at most: an abbreviation of five bytes, the shortest, takes about 150.
    pub(crate) fn bytes(&self) -> usize {
        self.length * 32
    }
}

/// How long a table is, which gimli does not tell.
fn length(mut section: Reader<'_>, at: DebugAbbrevOffset) -> gimli::Result<usize> {
    section.skip(at.0)?;
    let before = section.len();
    while section.read_uleb128()? != 0 {
        let _tag = section.read_uleb128()?;
        let _has_children = section.read_u8()?;
        loop {
            let (name, form) = (section.read_uleb128()?, section.read_uleb128()?);
            if form == u64::from(gimli::DW_FORM_implicit_const.0) {
                section.read_sleb128()?;
            }
            if name == 0 && form == 0 {
                break;
            }
        }
    }
    Ok(before - section.len())
}

#[cfg(test)]
mod tests {
    use gimli::RunTimeEndian;

    use super::*;

    fn read(bytes: &[u8], at: usize, end: usize) -> Option<AbbreviationTable> {
        let section = DebugAbbrev::from(EndianSlice::new(bytes, RunTimeEndian::Little));
        AbbreviationTable::read(&section, DebugAbbrevOffset(at), end)
    }

    #[test]
    fn a_table_ends_where_its_list_does() {
        // Two entries, the second with a constant that stands in the table, and what belongs to the next table.
        let bytes =
            [0xff, 1, 0x11, 1, 0x25, 0x0e, 0, 0, 2, 0x34, 0, 0x3b, 0x21, 0x80, 1, 0, 0, 0, 1, 0x11, 1];
        assert_eq!(read(&bytes, 1, usize::MAX).map(|table| table.length), Some(17));
        // Cut off by the section, by the next table, and by both.
        assert!(read(&bytes[..17], 1, usize::MAX).is_none());
        assert!(read(&bytes, 1, 17).is_none());
        assert!(read(&bytes, 18, usize::MAX).is_none());
        assert!(read(&bytes, 1000, usize::MAX).is_none());
    }

    #[test]
    fn a_table_of_megabytes_is_damage() {
        let endless = [1, 0x11, 1, 0, 0].repeat(MOST_BYTES);
        assert!(read(&endless, 0, usize::MAX).is_none());
    }
}
