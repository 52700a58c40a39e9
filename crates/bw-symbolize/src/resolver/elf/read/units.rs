//! The units of a file that were asked about. Those that were not asked about for longest are given back.

use std::cell::OnceCell;
use std::sync::Arc;

use gimli::{DebugInfoOffset, UnitOffset};

use crate::resolver::elf::read::abbreviation_table::AbbreviationTable;
use crate::resolver::elf::read::object_bytes::{Bundle, Reader};
use crate::resolver::elf::read::unit::Unit;
use crate::resolver::elf::read::unit_table::UnitTable;

/// The units of a file, each read when it is asked about.
pub(crate) struct Units<'a> {
    bundle: &'a Bundle,
    dwarf: Arc<gimli::Dwarf<Reader<'a>>>,
    listed: UnitTable,
    /// Made when an address is in none of the listed ones.
    all: OnceCell<UnitTable>,
    /// Where the units begin, in order. Filled when the first reference leaves its unit, as they do after link-time optimization.
    starts: OnceCell<Vec<usize>>,
    /// The one that was asked about last is the last one.
    kept: Vec<Arc<Unit<'a>>>,
    /// How many units may still be read for the address that was asked about last.
    reads_left: usize,
}

/// Bytes of memory for the units that are kept. The tasks of a program wait in a few units, and reading one again takes milliseconds.
const MOST_BYTES: usize = 8 << 20;

/// So many units are kept though they take more: a program may be one large unit, which takes longest to read again.
const LEAST_KEPT: usize = 4;

/// How many units are asked about an address. All but the first are asked where a linker gave equal functions one address, and there the
/// first one answers.
const MOST_ASKED: usize = 8;

/// How many units are read for one address: those that are asked, and those that functions are inlined from.
const MOST_READ: usize = 256;

impl<'a> Units<'a> {
    pub(crate) fn new(bundle: &'a Bundle, dwarf: gimli::Dwarf<Reader<'a>>) -> Self {
        let listed = UnitTable::listed(&dwarf);
        Self {
            bundle,
            dwarf: Arc::new(dwarf),
            listed,
            all: OnceCell::new(),
            starts: OnceCell::new(),
            kept: Vec::new(),
            reads_left: 0,
        }
    }

    /// Asks units that may have code at an address, until one answers.
    ///
    /// The list of units may be incomplete, so the units themselves are looked through when no listed one answers.
    pub(crate) fn find<T>(
        &mut self,
        address: u64,
        mut ask: impl FnMut(&Arc<Unit<'a>>) -> Option<T>,
    ) -> Option<T> {
        // Only here, so that no unit is read twice for one address.
        self.keep(LEAST_KEPT, MOST_BYTES);
        self.reads_left = MOST_READ;
        let listed: Vec<usize> = self.listed.at(address).take(MOST_ASKED).collect();
        if let Some(answer) = listed.iter().find_map(|&start| ask(&self.unit(start)?)) {
            return Some(answer);
        }
        let all = self.all.get_or_init(|| UnitTable::all(&self.dwarf));
        let others: Vec<usize> =
            all.at(address).filter(|start| !listed.contains(start)).take(MOST_ASKED).collect();
        others.into_iter().find_map(|start| ask(&self.unit(start)?))
    }

    /// The entry at a place in the file, and its unit.
    pub(crate) fn entry(&mut self, offset: DebugInfoOffset) -> Option<(Arc<Unit<'a>>, UnitOffset)> {
        let starts = self.starts.get_or_init(|| {
            let mut starts = Vec::new();
            let mut headers = self.dwarf.units();
            while let Ok(Some(header)) = headers.next() {
                starts.extend(header.debug_info_offset().map(|start| start.0));
            }
            starts
        });
        let after = starts.partition_point(|&start| start <= offset.0);
        let unit = self.unit(*starts.get(after.checked_sub(1)?)?)?;
        let entry = offset.to_unit_offset(&unit.entries().header)?;
        Some((unit, entry))
    }

    /// The unit that begins at a place in the file. `None` when it cannot be read.
    fn unit(&mut self, start: usize) -> Option<Arc<Unit<'a>>> {
        let unit = match self.kept.iter().position(|unit| unit.start() == start) {
            Some(index) => self.kept.remove(index),
            None => {
                let header = self.dwarf.debug_info.header_from_offset(DebugInfoOffset(start)).ok()?;
                self.reads_left = self.reads_left.checked_sub(1)?;
                let at = header.debug_abbrev_offset();
                let known = self.kept.iter().map(|unit| unit.abbreviations()).find(|known| known.at() == at);
                let abbreviations = match known {
                    Some(known) => Arc::clone(known),
                    None => Arc::new(AbbreviationTable::read(&self.dwarf.debug_abbrev, at, usize::MAX)?),
                };
                Arc::new(Unit::read(self.bundle, &self.dwarf, header, abbreviations)?)
            }
        };
        self.kept.push(Arc::clone(&unit));
        Some(unit)
    }

    /// Bytes of memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let tables = self.listed.bytes() + self.all.get().map_or(0, UnitTable::bytes);
        tables
            + self.starts.get().map_or(0, |starts| starts.capacity() * size_of::<usize>())
            + self.kept_bytes()
    }

    /// Gives units back until those that stay take no more than `limit` bytes. The one that was asked about last always stays: otherwise a
    /// unit larger than the limit would be read again for each address.
    pub(crate) fn shrink(&mut self, limit: usize) {
        self.keep(1, limit);
    }

    fn keep(&mut self, least: usize, limit: usize) {
        let mut bytes = self.kept_bytes();
        let most = self.kept.len().saturating_sub(least);
        let given_back = self.kept.iter().take(most).take_while(|unit| {
            let is_too_much = bytes > limit;
            bytes -= if is_too_much { unit.bytes() } else { 0 };
            is_too_much
        });
        let given_back = given_back.count();
        self.kept.drain(..given_back);
    }

    /// Bytes of memory, about, that units take.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept.iter().map(|unit| unit.bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use gimli::SectionId;

    use super::*;
    use crate::resolver::elf::read::object_bytes::SplitPlaces;
    use crate::resolver::elf::read::test_dwarf;

    /// A unit of DWARF 4 that has a range of addresses, and nothing in it.
    fn unit((begin, size): (u64, u8)) -> Vec<u8> {
        let mut unit = vec![17, 0, 0, 0, 4, 0, 0, 0, 0, 0, 8, 1];
        unit.extend(begin.to_le_bytes());
        unit.push(size);
        unit
    }

    fn with_units<T>(units: &[(u64, u8)], ask: impl FnOnce(Units<'_>) -> T) -> T {
        const ABBREVIATIONS: [u8; 10] = [1, 0x11, 0, 0x11, 1, 0x12, 0xb, 0, 0, 0];
        let info: Vec<u8> = units.iter().copied().flat_map(unit).collect();
        let sections = [(SectionId::DebugInfo, &info[..]), (SectionId::DebugAbbrev, &ABBREVIATIONS)];
        let bundle = Bundle::new(Box::new(Vec::new()), None, SplitPlaces::default(), 0);
        ask(Units::new(&bundle, test_dwarf::of_sections(&sections)))
    }

    #[test]
    fn the_units_that_were_not_asked_about_for_longest_are_given_back() {
        with_units(&[(100, 50), (200, 50), (300, 50)], |mut units| {
            for address in [110, 210, 310, 120] {
                assert!(units.find(address, |_| Some(())).is_some(), "{address}");
            }
            let starts = |units: &Units<'_>| units.kept.iter().map(|unit| unit.start()).collect::<Vec<_>>();
            assert_eq!(starts(&units), [21, 42, 0]);
            units.shrink(units.kept_bytes() - 1);
            assert_eq!(starts(&units), [42, 0]);
            // The last one stays, or one that is larger than the limit would be read again for each address.
            units.shrink(0);
            assert_eq!(starts(&units), [0]);
            assert_eq!(units.find(310, |unit| Some(unit.start())), Some(42));
        });
    }

    #[test]
    fn units_that_all_claim_one_address_are_not_all_asked() {
        with_units(&[(100, 50); 10_000], |mut units| {
            let mut asked = 0;
            let found = units.find(110, |_| {
                asked += 1;
                None::<()>
            });
            assert_eq!((found, asked), (None, MOST_ASKED));
        });
    }

    #[test]
    fn functions_inlined_from_endlessly_many_units_do_not_read_all_of_them() {
        with_units(&[(100, 50); 10_000], |mut units| {
            let _ = units.find(110, |_| None::<()>);
            let read = (0..10_000).filter_map(|number| units.entry(DebugInfoOffset(number * 21 + 11)));
            assert_eq!(read.count(), MOST_READ);
        });
    }
}
