//! What the debug information calls a function, and the bodies and namespaces around it.
//!
//! The linkage name of a function says `app::bar::{{closure}}::{{closure}}`; the function's entry is named
//! `{async_block#0}`, and stands in the namespaces `{async_fn#0}`, `bar` and `app`. Entries do not know their
//! parents, so those are found by walking the unit once and noting where each namespace begins and ends.

use std::collections::HashMap;
use std::sync::Arc;

use gimli::{AttributeValue, DebugInfoOffset, DwarfFileType, DwoId, UnitOffset, UnitRef};

use crate::resolver::elf::read::object_bytes::Reader;

/// How many references are followed from an inlined copy to the function it is a copy of. Two are usual; a
/// damaged file may have a cycle.
const MAX_REFERENCES: usize = 16;

/// Finds names, and keeps what it needed for that.
#[derive(Default)]
pub(crate) struct Scopes<'a> {
    /// Where the units begin, in order. Filled when the first reference leaves its unit (link-time optimization).
    unit_starts: Option<Vec<DebugInfoOffset>>,
    /// Units that references lead into, by where they begin.
    units: HashMap<usize, Option<Arc<gimli::Unit<Reader<'a>>>>>,
    /// The namespaces of the units that were asked about nested bodies, by where they begin. Halves of split units
    /// begin at zero each, and are told apart by their ids.
    namespaces: HashMap<(Option<DwoId>, usize), Namespaces>,
}

impl<'a> Scopes<'a> {
    /// The names from the function inwards-out, at most `wanted`: its own, then those of the namespaces around it.
    ///
    /// Asking for one reads a few bytes. Asking for more walks the unit the first time, as long as it takes to
    /// list the functions in it.
    pub(crate) fn names(
        &mut self,
        unit: UnitRef<'_, Reader<'a>>,
        entry: UnitOffset,
        wanted: usize,
    ) -> Vec<String> {
        let mut names = Vec::new();
        if wanted > 0 {
            self.collect(unit, entry, wanted, MAX_REFERENCES, &mut names);
        }
        names
    }

    fn collect(
        &mut self,
        unit: UnitRef<'_, Reader<'a>>,
        entry: UnitOffset,
        wanted: usize,
        references: usize,
        names: &mut Vec<String>,
    ) -> Option<()> {
        match Entry::read(unit, entry)? {
            Entry::Named(name) => {
                names.push(name);
                if wanted > 1 {
                    let is_half = unit.dwarf.file_type == DwarfFileType::Dwo;
                    let start = unit.header.debug_info_offset()?.0;
                    let namespaces = self
                        .namespaces
                        .entry((unit.dwo_id.filter(|_| is_half), start))
                        .or_insert_with(|| Namespaces::read(unit).unwrap_or_default());
                    names.extend(namespaces.around(entry).take(wanted - 1).map(str::to_owned));
                }
            }
            Entry::CopyOf(reference) => {
                let references = references.checked_sub(1)?;
                match reference {
                    Reference::Unit(entry) => self.collect(unit, entry, wanted, references, names)?,
                    Reference::File(offset) => match offset.to_unit_offset(&unit.header) {
                        Some(entry) => self.collect(unit, entry, wanted, references, names)?,
                        // Another half in the same package: not where the units of this file begin.
                        None if unit.dwarf.file_type == DwarfFileType::Dwo => return None,
                        None => {
                            let (other, entry) = self.unit_of(unit.dwarf, offset)?;
                            let other = UnitRef::new(unit.dwarf, &other);
                            self.collect(other, entry, wanted, references, names)?;
                        }
                    },
                }
            }
        }
        Some(())
    }

    /// The unit another one refers into.
    fn unit_of(
        &mut self,
        dwarf: &gimli::Dwarf<Reader<'a>>,
        offset: DebugInfoOffset,
    ) -> Option<(Arc<gimli::Unit<Reader<'a>>>, UnitOffset)> {
        let starts = self.unit_starts.get_or_insert_with(|| {
            let mut starts = Vec::new();
            let mut headers = dwarf.units();
            while let Ok(Some(header)) = headers.next() {
                starts.extend(header.debug_info_offset());
            }
            starts
        });
        let after = starts.partition_point(|start| start.0 <= offset.0);
        let start = *starts.get(after.checked_sub(1)?)?;
        let unit = self.units.entry(start.0).or_insert_with(|| {
            let header = dwarf.debug_info.header_from_offset(start).ok()?;
            dwarf.unit(header).ok().map(Arc::new)
        });
        let unit = Arc::clone(unit.as_ref()?);
        let entry = offset.to_unit_offset(&unit.header)?;
        Some((unit, entry))
    }
}

/// What one entry tells about its name.
enum Entry {
    Named(String),
    CopyOf(Reference),
}

enum Reference {
    Unit(UnitOffset),
    File(DebugInfoOffset),
}

impl Entry {
    fn read(unit: UnitRef<'_, Reader<'_>>, entry: UnitOffset) -> Option<Self> {
        let mut entries = unit.entries_raw(Some(entry)).ok()?;
        let abbreviation = entries.read_abbreviation().ok()??;
        let mut reference = None;
        for specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(*specification).ok()?;
            match attribute.name() {
                gimli::DW_AT_name => return string(unit, attribute.value()).map(Self::Named),
                gimli::DW_AT_abstract_origin | gimli::DW_AT_specification => {
                    reference = match attribute.value() {
                        AttributeValue::UnitRef(offset) => Some(Reference::Unit(offset)),
                        AttributeValue::DebugInfoRef(offset) => Some(Reference::File(offset)),
                        _ => reference,
                    };
                }
                _ => {}
            }
        }
        reference.map(Self::CopyOf)
    }
}

fn string<'a>(unit: UnitRef<'_, Reader<'a>>, value: AttributeValue<Reader<'a>>) -> Option<String> {
    Some(unit.attr_string(value).ok()?.to_string_lossy().into_owned())
}

/// The namespaces of one unit, in the order they begin.
#[derive(Default)]
struct Namespaces {
    namespaces: Vec<Namespace>,
}

struct Namespace {
    start: usize,
    end: usize,
    /// The namespace around this one, as an index.
    outer: Option<usize>,
    name: String,
}

impl Namespaces {
    fn read(unit: UnitRef<'_, Reader<'_>>) -> gimli::Result<Self> {
        let mut namespaces: Vec<Namespace> = Vec::new();
        // Those whose end was not seen yet: depth and index.
        let mut open: Vec<(isize, usize)> = Vec::new();
        let mut entries = unit.entries_raw(None)?;
        while !entries.is_empty() {
            let start = entries.next_offset().0;
            let depth = entries.next_depth();
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            while let Some((_, index)) = open.pop_if(|(outer, _)| *outer >= depth) {
                namespaces[index].end = start;
            }
            if abbreviation.tag() != gimli::DW_TAG_namespace {
                entries.skip_attributes(abbreviation.attributes())?;
                continue;
            }
            let mut name = None;
            for specification in abbreviation.attributes() {
                let attribute = entries.read_attribute(*specification)?;
                if attribute.name() == gimli::DW_AT_name {
                    name = string(unit, attribute.value());
                }
            }
            let outer = open.last().map(|&(_, index)| index);
            if abbreviation.has_children() {
                open.push((depth, namespaces.len()));
            }
            namespaces.push(Namespace { start, end: usize::MAX, outer, name: name.unwrap_or_default() });
        }
        Ok(Self { namespaces })
    }

    /// The names of the namespaces around an entry, innermost first.
    fn around(&self, entry: UnitOffset) -> impl Iterator<Item = &str> {
        let before = self.namespaces.partition_point(|namespace| namespace.start < entry.0);
        let outward = |index: Option<usize>| index.and_then(|index| self.namespaces.get(index));
        std::iter::successors(outward(before.checked_sub(1)), move |namespace| outward(namespace.outer))
            .filter(move |namespace| entry.0 < namespace.end)
            .map(|namespace| namespace.name.as_str())
    }
}
