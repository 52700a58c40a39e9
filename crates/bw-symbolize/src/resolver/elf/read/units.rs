//! The units of a file that were asked about. Those that were not asked about for longest are given back.

use std::cell::OnceCell;
use std::sync::Arc;

use gimli::{DebugInfoOffset, UnitOffset};

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
}

/// Bytes of memory for the units that are kept. The tasks of a program wait in a few units, and reading one again takes milliseconds.
const MOST_BYTES: usize = 8 << 20;

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
        let listed: Vec<usize> = self.listed.at(address).collect();
        if let Some(answer) = listed.iter().find_map(|&start| ask(&self.unit(start)?)) {
            return Some(answer);
        }
        let all = self.all.get_or_init(|| UnitTable::all(&self.dwarf));
        let others: Vec<usize> = all.at(address).filter(|start| !listed.contains(start)).collect();
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
                let at = header.debug_abbrev_offset().0;
                let known = self.kept.iter().find(|unit| unit.abbreviations_at() == at);
                let abbreviations = match known {
                    Some(unit) => Arc::clone(unit.abbreviations()),
                    None => self.dwarf.abbreviations(&header).ok()?,
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

    /// Gives units back until those that stay take no more than `limit` bytes.
    pub(crate) fn shrink(&mut self, limit: usize) {
        let mut bytes = self.kept_bytes();
        let limit = limit.min(MOST_BYTES);
        let given_back = self.kept.iter().take_while(|unit| {
            let is_too_much = bytes > limit;
            bytes -= if is_too_much { unit.bytes() } else { 0 };
            is_too_much
        });
        let given_back = given_back.count();
        self.kept.drain(..given_back);
    }

    /// Bytes of memory, about, that can be given back.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept.iter().map(|unit| unit.bytes()).sum()
    }
}
