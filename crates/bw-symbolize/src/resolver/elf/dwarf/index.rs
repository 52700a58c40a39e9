//! Compilation units by address.

use std::cell::Cell;
use std::collections::HashMap;

use gimli::{
    Abbreviations, AttributeValue, DebugAbbrev, DebugAddrBase, DebugInfoOffset, DebugLineOffset,
    DebugRngListsBase, Reader as _, Section as _, UnitHeader, UnitType,
};

use crate::resolver::elf::dwarf::Reader;

/// How many units are looked at for one address. Functions of the same address, merged by the linker, may belong to
/// several; a damaged file may claim that all of them have it.
const MAX_UNITS_AT_AN_ADDRESS: usize = 64;

/// Every compilation unit of a file, by where it begins and by which addresses it has.
#[derive(Debug, Default)]
pub(super) struct UnitIndex {
    /// Where each begins in `.debug_info`, ascending. A unit's number is its index here.
    starts: Vec<usize>,
    /// By where they start.
    ranges: Vec<UnitRange>,
}

#[derive(Clone, Copy, Debug)]
struct UnitRange {
    start: u64,
    end: u64,
    /// The greatest end up to here: nothing before reaches further.
    reach: u64,
    unit: u32,
}

impl UnitIndex {
    /// Reads the header and the first entry of every unit, and the lists of ranges they refer to; nothing else.
    ///
    /// What is damaged is left out.
    pub(super) fn new(dwarf: &gimli::Dwarf<Reader<'_>>) -> Self {
        let mut roots = Roots::new(dwarf);
        let mut index = Self::default();
        let mut headers = dwarf.units();
        while let Ok(Some(header)) = headers.next() {
            let Some(start) = header.debug_info_offset() else { continue };
            let Ok(unit) = u32::try_from(index.starts.len()) else { break };
            index.starts.push(start.0);
            if matches!(
                header.type_(),
                UnitType::Type { .. } | UnitType::SplitType { .. } | UnitType::Partial
            ) {
                continue;
            }
            let mut found = |start: u64, end: u64| {
                // Functions that the linker dropped are at zero, where none that is there can be.
                if start != 0 && start < end {
                    index.ranges.push(UnitRange { start, end, reach: end, unit });
                }
            };
            let _ = roots.ranges(header, &mut found);
        }
        index.ranges.sort_unstable_by_key(|range| (range.start, range.end, range.unit));
        let mut reach = 0;
        for range in &mut index.ranges {
            reach = range.end.max(reach);
            range.reach = reach;
        }
        index.ranges.shrink_to_fit();
        index
    }

    /// The units that have an address, the one that begins nearest before it first.
    pub(super) fn at(&self, svma: u64) -> Vec<usize> {
        let after = self.ranges.partition_point(|range| range.start <= svma);
        let mut units = Vec::new();
        for range in self.ranges[..after].iter().rev().take_while(|range| svma < range.reach) {
            let unit = range.unit as usize;
            if svma < range.end && !units.contains(&unit) {
                units.push(unit);
                if units.len() == MAX_UNITS_AT_AN_ADDRESS {
                    break;
                }
            }
        }
        units
    }

    /// The unit that an entry lies in.
    pub(super) fn of_entry(&self, offset: DebugInfoOffset) -> Option<usize> {
        self.starts.partition_point(|&start| start <= offset.0).checked_sub(1)
    }

    /// Where a unit begins.
    pub(super) fn start(&self, unit: usize) -> Option<DebugInfoOffset> {
        self.starts.get(unit).copied().map(DebugInfoOffset)
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.starts.capacity() * size_of::<usize>() + self.ranges.capacity() * size_of::<UnitRange>()
    }
}

/// Reads the first entries of units.
///
/// Parsing a unit as a whole would parse its abbreviations and the file table of its line program, a hundred times
/// what is needed here.
struct Roots<'d, 'a> {
    dwarf: &'d gimli::Dwarf<Reader<'a>>,
    /// The abbreviation of the last first entry: mostly they are all alike.
    abbreviation: (&'a [u8], Abbreviations),
    /// Abbreviations by table and code: units of link-time optimized programs share one table.
    known: HashMap<(usize, u64), &'a [u8]>,
    /// How many bytes of tables are still searched.
    abbreviation_bytes: usize,
    /// How many more ranges and line programs are read. Those of an undamaged file do not share any, so that all of
    /// them take no longer than reading the sections once.
    range_steps: usize,
    line_bytes: usize,
}

impl<'d, 'a> Roots<'d, 'a> {
    fn new(dwarf: &'d gimli::Dwarf<Reader<'a>>) -> Self {
        let lists = &dwarf.ranges;
        Self {
            dwarf,
            abbreviation: (&[], Abbreviations::default()),
            known: HashMap::new(),
            abbreviation_bytes: 2 * dwarf.debug_abbrev.reader().len(),
            range_steps: lists.debug_ranges().reader().len() + lists.debug_rnglists().reader().len(),
            line_bytes: dwarf.debug_line.reader().len(),
        }
    }

    fn ranges(&mut self, header: UnitHeader<Reader<'a>>, found: &mut impl FnMut(u64, u64)) -> Option<()> {
        self.find_abbreviation(&header)?;
        let root = self.root(&header)?;
        let any = Cell::new(false);
        let mut found = |start, end| {
            any.set(any.get() || start < end);
            found(start, end);
        };
        if let Some(ranges) = root.ranges {
            self.range_list(&header, &root, ranges, &mut found);
        } else if let Some(low) = root.low.and_then(|low| self.address(&header, &root, low)) {
            let high = match root.high {
                Some(AttributeValue::Udata(size)) => low.checked_add(size),
                Some(value) => self.address(&header, &root, value),
                None => None,
            };
            found(low, high.unwrap_or(low));
        }
        if !any.get() && root.lines.is_some_and(|lines| self.has_line_program(lines)) {
            self.line_sequences(header, &mut found);
        }
        Some(())
    }

    /// Makes the abbreviation of a unit's first entry the current one.
    fn find_abbreviation(&mut self, header: &UnitHeader<Reader<'a>>) -> Option<()> {
        let mut entries = header.range_from(header.root_offset()..).ok()?;
        let code = entries.read_uleb128().ok()?;
        let offset = header.debug_abbrev_offset().0;
        let bytes = match self.known.get(&(offset, code)) {
            Some(known) => known,
            None => {
                let bytes = self.search(offset, code)?;
                self.known.insert((offset, code), bytes);
                bytes
            }
        };
        if self.abbreviation.0 != bytes {
            // A table ends with a zero.
            let table = [bytes, &[0]].concat();
            let table = DebugAbbrev::new(&table, entries.endian());
            self.abbreviation = (bytes, table.abbreviations(gimli::DebugAbbrevOffset(0)).ok()?);
        }
        Some(())
    }

    /// The bytes of an abbreviation.
    fn search(&mut self, offset: usize, code: u64) -> Option<&'a [u8]> {
        let mut reader = *self.dwarf.debug_abbrev.reader();
        reader.skip(offset).ok()?;
        loop {
            let start = reader;
            let found = reader.read_uleb128().ok()?;
            if found == 0 {
                return None;
            }
            skip_abbreviation(&mut reader)?;
            let bytes = &start.slice()[..start.len() - reader.len()];
            self.abbreviation_bytes = self.abbreviation_bytes.checked_sub(bytes.len())?;
            if found == code {
                return Some(bytes);
            }
        }
    }

    fn root(&self, header: &UnitHeader<Reader<'a>>) -> Option<Root<'a>> {
        let mut entries = header.entries_raw(&self.abbreviation.1, None).ok()?;
        let abbreviation = entries.read_abbreviation().ok()??;
        let mut root = Root::default();
        for specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(*specification).ok()?;
            match (attribute.name(), attribute.value()) {
                (gimli::DW_AT_low_pc, value) => root.low = Some(value),
                (gimli::DW_AT_high_pc, value) => root.high = Some(value),
                (gimli::DW_AT_ranges, value) => root.ranges = Some(value),
                (gimli::DW_AT_stmt_list, AttributeValue::DebugLineRef(offset)) => root.lines = Some(offset),
                (
                    gimli::DW_AT_addr_base | gimli::DW_AT_GNU_addr_base,
                    AttributeValue::DebugAddrBase(base),
                ) => root.addresses = Some(base),
                (gimli::DW_AT_rnglists_base, AttributeValue::DebugRngListsBase(base)) => {
                    root.range_lists = Some(base);
                }
                _ => {}
            }
        }
        Some(root)
    }

    fn range_list(
        &mut self,
        header: &UnitHeader<Reader<'a>>,
        root: &Root<'a>,
        ranges: AttributeValue<Reader<'a>>,
        found: &mut impl FnMut(u64, u64),
    ) -> Option<()> {
        let lists = &self.dwarf.ranges;
        let encoding = header.encoding();
        let offset = match ranges {
            AttributeValue::RangeListsRef(offset) => gimli::RangeListsOffset(offset.0),
            AttributeValue::DebugRngListsIndex(index) => {
                let base = root.range_lists.unwrap_or(DebugRngListsBase::default_for_encoding_and_file(
                    encoding,
                    self.dwarf.file_type,
                ));
                lists.get_offset(encoding, base, index).ok()?
            }
            _ => return None,
        };
        let low = root.low.and_then(|low| self.address(header, root, low)).unwrap_or(0);
        let addresses = root.addresses.unwrap_or(DebugAddrBase(0));
        let mut ranges = lists.ranges(offset, encoding, low, &self.dwarf.debug_addr, addresses).ok()?;
        while let Ok(Some(range)) = ranges.next() {
            self.range_steps = self.range_steps.checked_sub(1)?;
            found(range.begin, range.end);
        }
        Some(())
    }

    fn address(
        &self,
        header: &UnitHeader<Reader<'a>>,
        root: &Root<'a>,
        value: AttributeValue<Reader<'a>>,
    ) -> Option<u64> {
        match value {
            AttributeValue::Addr(address) => Some(address),
            AttributeValue::DebugAddrIndex(index) => {
                let base = root.addresses.unwrap_or(DebugAddrBase(0));
                self.dwarf.debug_addr.get_address(header.address_size(), base, index).ok()
            }
            _ => None,
        }
    }

    /// Whether a line program has any instruction. Those of most Rust units have none, but long file tables.
    fn has_line_program(&self, offset: DebugLineOffset) -> bool {
        let mut reader = *self.dwarf.debug_line.reader();
        let mut length = || {
            reader.skip(offset.0).ok()?;
            let (length, format) = reader.read_initial_length().ok()?;
            reader.truncate(length).ok()?;
            if reader.read_u16().ok()? >= 5 {
                reader.skip(2).ok()?;
            }
            let header = reader.read_length(format).ok()?;
            reader.len().checked_sub(header)
        };
        length().is_some_and(|length| length > 0)
    }

    /// What a unit has that does not say: some assemblers do not.
    fn line_sequences(
        &mut self,
        header: UnitHeader<Reader<'a>>,
        found: &mut impl FnMut(u64, u64),
    ) -> Option<()> {
        let unit = self.dwarf.unit(header).ok()?;
        let program = unit.line_program?;
        self.line_bytes = self.line_bytes.checked_sub(program.header().raw_program_buf().len())?;
        let (_, sequences) = program.sequences().ok()?;
        for sequence in sequences {
            found(sequence.start, sequence.end);
        }
        Some(())
    }
}

/// Skips an abbreviation after its code.
fn skip_abbreviation(reader: &mut Reader<'_>) -> Option<()> {
    reader.read_uleb128().ok()?;
    reader.read_u8().ok()?;
    loop {
        let name = reader.read_uleb128().ok()?;
        let form = reader.read_uleb128().ok()?;
        if name == 0 && form == 0 {
            return Some(());
        }
        if form == u64::from(gimli::DW_FORM_implicit_const.0) {
            reader.read_sleb128().ok()?;
        }
    }
}

/// What a unit's first entry says of its addresses.
#[derive(Default)]
struct Root<'a> {
    low: Option<AttributeValue<Reader<'a>>>,
    high: Option<AttributeValue<Reader<'a>>>,
    ranges: Option<AttributeValue<Reader<'a>>>,
    addresses: Option<DebugAddrBase>,
    range_lists: Option<DebugRngListsBase>,
    lines: Option<DebugLineOffset>,
}
