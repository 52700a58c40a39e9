//! Where in a unit its functions and its namespaces are.
//!
//! Entries know neither their parents nor where they end. So a unit is walked once, and this is kept.

use std::ops::ControlFlow;

use gimli::{UnitOffset, UnitRef};

use crate::resolver::elf::read::address_ranges::{AddressRanges, RangesLeft};
use crate::resolver::elf::read::object_bytes::Reader;

/// The functions of a unit by address, and its namespaces by place.
#[derive(Default)]
pub(crate) struct EntryTable {
    /// Sorted by where their code begins.
    functions: Vec<FunctionRange>,
    /// In the order they begin.
    namespaces: Vec<Namespace>,
}

struct FunctionRange {
    begin: u64,
    end: u64,
    entry: UnitOffset,
}

struct Namespace {
    entry: UnitOffset,
    end: usize,
    /// The namespace around this one, as an index.
    outer: Option<usize>,
}

impl EntryTable {
    /// Walks a unit: about 5 ms for a megabyte. What comes after damage is missing.
    pub(crate) fn new(unit: UnitRef<'_, Reader<'_>>) -> Self {
        let mut table = Self::default();
        // What was read before an error is as good as without it.
        let _ = table.read(unit);
        table.functions.sort_by_key(|function| function.begin);
        table.functions.shrink_to_fit();
        table.namespaces.shrink_to_fit();
        table
    }

    fn read(&mut self, unit: UnitRef<'_, Reader<'_>>) -> gimli::Result<()> {
        let mut left = RangesLeft::of(unit.dwarf);
        // Namespaces whose end was not seen yet: depth and index.
        let mut open: Vec<(isize, usize)> = Vec::new();
        let mut entries = unit.entries_raw(None)?;
        while !entries.is_empty() {
            let (entry, depth) = (entries.next_offset(), entries.next_depth());
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            while let Some((_, index)) = open.pop_if(|(outer, _)| *outer >= depth) {
                self.namespaces[index].end = entry.0;
            }
            match abbreviation.tag() {
                gimli::DW_TAG_subprogram => {
                    let mut code = AddressRanges::default();
                    for specification in abbreviation.attributes() {
                        code.read(unit, &entries.read_attribute(*specification)?)?;
                    }
                    let _ = code.each(unit, &mut left, |gimli::Range { begin, end }| {
                        self.functions.push(FunctionRange { begin, end, entry });
                        ControlFlow::Continue(())
                    });
                }
                gimli::DW_TAG_namespace => {
                    entries.skip_attributes(abbreviation.attributes())?;
                    let outer = open.last().map(|&(_, index)| index);
                    if abbreviation.has_children() {
                        open.push((depth, self.namespaces.len()));
                    }
                    self.namespaces.push(Namespace { entry, end: usize::MAX, outer });
                }
                _ => entries.skip_attributes(abbreviation.attributes())?,
            }
        }
        Ok(())
    }

    /// The function that holds an address.
    pub(crate) fn function_at(&self, address: u64) -> Option<UnitOffset> {
        let before = self.functions.partition_point(|function| function.begin <= address);
        let function = &self.functions[before.checked_sub(1)?];
        (address < function.end).then_some(function.entry)
    }

    /// The namespaces around an entry, innermost first.
    pub(crate) fn namespaces_around(&self, entry: UnitOffset) -> impl Iterator<Item = UnitOffset> {
        let before = self.namespaces.partition_point(|namespace| namespace.entry.0 < entry.0);
        let outward = |index: Option<usize>| index.and_then(|index| self.namespaces.get(index));
        std::iter::successors(outward(before.checked_sub(1)), move |namespace| outward(namespace.outer))
            .filter(move |namespace| entry.0 < namespace.end)
            .map(|namespace| namespace.entry)
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.functions.capacity() * size_of::<FunctionRange>()
            + self.namespaces.capacity() * size_of::<Namespace>()
    }
}
