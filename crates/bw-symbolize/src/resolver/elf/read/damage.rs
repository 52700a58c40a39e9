//! What DWARF must not be like for addr2line to read it safely.
//!
//! addr2line follows functions inlined into each other by recursion, and reads line programs of units that do not say
//! which addresses they have. Compilers nest a few dozen deep and let no two units share a program; a damaged file can
//! nest as deep as it is long, and refer to one long program from every unit. Files that may come from anybody are
//! looked through for both before they are used, which takes about as long as reading them.

use gimli::{Reader as _, Section as _};

use crate::resolver::elf::read::object_bytes::Reader;

/// How deep entries may be nested. Compilers stay below a hundred; a thousand take less than a megabyte of stack.
const MAX_DEPTH: isize = 1000;

/// Why a file is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    TooDeep,
    SharedCacheLines,
}

impl Damage {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::TooDeep => "its debug information is damaged: entries are nested a thousand deep",
            Self::SharedCacheLines => "its debug information is damaged: units share line programs",
        }
    }
}

/// Looks through all entries of a file. What cannot be read is not looked at, by addr2line neither.
pub(crate) fn find(dwarf: &gimli::Dwarf<Reader<'_>>) -> Option<Damage> {
    let mut line_bytes = 2 * dwarf.debug_line.reader().len();
    let mut headers = dwarf.units();
    while let Ok(Some(header)) = headers.next() {
        let Ok(unit) = dwarf.unit(header) else { continue };
        if let Some(program) = &unit.line_program {
            // With its header: the table of files may be most of it.
            let length = program.header().unit_length();
            let Some(left) = line_bytes.checked_sub(length) else { return Some(Damage::SharedCacheLines) };
            line_bytes = left;
        }
        if is_too_deep(&unit).unwrap_or(false) {
            return Some(Damage::TooDeep);
        }
    }
    None
}

/// `Err` where the entries cannot be read any further.
fn is_too_deep(unit: &gimli::Unit<Reader<'_>>) -> gimli::Result<bool> {
    let mut entries = unit.entries_raw(None)?;
    while !entries.is_empty() {
        if entries.next_depth() > MAX_DEPTH {
            return Ok(true);
        }
        if let Some(abbreviation) = entries.read_abbreviation()? {
            entries.skip_attributes(abbreviation.attributes())?;
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use gimli::{EndianSlice, RunTimeEndian, SectionId};

    use super::*;

    /// A unit of DWARF 4 whose entries are nested so deep: functions inlined into each other, without attributes.
    fn nested(depth: usize) -> Vec<u8> {
        let mut entries = vec![1];
        entries.extend(std::iter::repeat_n(2, depth));
        let length = u32::try_from(7 + entries.len()).unwrap();
        let mut unit = length.to_le_bytes().to_vec();
        unit.extend([4, 0, 0, 0, 0, 0, 8]);
        unit.extend(entries);
        unit
    }

    fn damage(info: &[u8]) -> Option<Damage> {
        // A unit and an inlined function, both with children, without attributes.
        const ABBREVIATIONS: [u8; 11] = [1, 0x11, 1, 0, 0, 2, 0x1d, 1, 0, 0, 0];
        let section = |id: SectionId| {
            let bytes = match id {
                SectionId::DebugInfo => info,
                SectionId::DebugAbbrev => &ABBREVIATIONS[..],
                _ => &[],
            };
            Ok::<_, gimli::Error>(EndianSlice::new(bytes, RunTimeEndian::Little))
        };
        find(&gimli::Dwarf::load(section).unwrap())
    }

    #[test]
    fn entries_nested_as_deep_as_the_file_is_long_are_damage() {
        assert_eq!(damage(&nested(100)), None);
        assert_eq!(damage(&nested(1_000_000)), Some(Damage::TooDeep));
        // The second unit of a file, too.
        assert_eq!(damage(&[nested(10), nested(5000)].concat()), Some(Damage::TooDeep));
    }
}
