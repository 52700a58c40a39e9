//! What the debug information calls a function, and the bodies and namespaces around it.
//!
//! The linkage name of a function says `app::bar::{{closure}}::{{closure}}`; the function's entry is named
//! `{async_block#0}`, and stands in the namespaces `{async_fn#0}`, `bar` and `app`.

use std::sync::Arc;

use gimli::{AttributeValue, DebugInfoOffset, DwarfFileType, UnitOffset};

use crate::resolver::elf::read::object_bytes::Reader;
use crate::resolver::elf::read::unit::Unit;
use crate::resolver::elf::read::units::Units;

/// How many references are followed from an inlined copy to the function it is a copy of. Two are usual; a
/// damaged file may have a cycle.
const MAX_REFERENCES: usize = 16;

/// The linkage name of a function, or where there is none, its bare name.
pub(crate) fn linkage_name<'a>(
    units: &mut Units<'a>,
    unit: &Arc<Unit<'a>>,
    entry: UnitOffset,
) -> Option<Reader<'a>> {
    let (_, entry) = follow(units, unit, entry, |entry| entry.linkage_name.or(entry.name).is_some())?;
    entry.linkage_name.or(entry.name)
}

/// The names from a function inwards-out, at most `wanted`: its own, then those of the namespaces around it.
///
/// Asking for one reads a few bytes. Asking for more walks the unit the first time, unless that was done to find the function.
pub(crate) fn names<'a>(
    units: &mut Units<'a>,
    unit: &Arc<Unit<'a>>,
    entry: UnitOffset,
    wanted: usize,
) -> Vec<String> {
    if wanted == 0 {
        return Vec::new();
    }
    let Some(((unit, place), Entry { name: Some(name), .. })) =
        follow(units, unit, entry, |entry| entry.name.is_some())
    else {
        return Vec::new();
    };
    let mut names = vec![text(name)];
    if wanted > 1 {
        let around = unit.entry_table().namespaces_around(place).take(wanted - 1);
        names
            .extend(around.map(|entry| {
                Entry::read(&unit, entry).and_then(|it| it.name).map_or_else(String::new, text)
            }));
    }
    names
}

fn text(name: Reader<'_>) -> String {
    name.to_string_lossy().into_owned()
}

/// The first entry that is wanted of those that each refer to the next: a copy to the function it is a copy of, a function to its
/// declaration.
fn follow<'a>(
    units: &mut Units<'a>,
    unit: &Arc<Unit<'a>>,
    entry: UnitOffset,
    is_wanted: impl Fn(&Entry<'a>) -> bool,
) -> Option<((Arc<Unit<'a>>, UnitOffset), Entry<'a>)> {
    let (mut unit, mut place) = (Arc::clone(unit), entry);
    for _ in 0..MAX_REFERENCES {
        let entry = Entry::read(&unit, place)?;
        if is_wanted(&entry) {
            return Some(((unit, place), entry));
        }
        match entry.reference? {
            Reference::Unit(next) => place = next,
            Reference::File(next) => {
                let entries = unit.entries();
                match next.to_unit_offset(&entries.header) {
                    Some(next) => place = next,
                    // Another half in the same package: not where the units of this file begin.
                    None if entries.dwarf.file_type == DwarfFileType::Dwo => return None,
                    None => (unit, place) = units.entry(next)?,
                }
            }
        }
    }
    None
}

/// What one entry tells about its name.
struct Entry<'a> {
    linkage_name: Option<Reader<'a>>,
    name: Option<Reader<'a>>,
    reference: Option<Reference>,
}

enum Reference {
    Unit(UnitOffset),
    File(DebugInfoOffset),
}

impl<'a> Entry<'a> {
    fn read(unit: &Unit<'a>, entry: UnitOffset) -> Option<Self> {
        let unit = unit.entries();
        let mut entries = unit.entries_raw(Some(entry)).ok()?;
        let abbreviation = entries.read_abbreviation().ok()??;
        let mut read = Self { linkage_name: None, name: None, reference: None };
        for specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(*specification).ok()?;
            let string = || unit.attr_string(attribute.value()).ok();
            match attribute.name() {
                gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name => read.linkage_name = string(),
                gimli::DW_AT_name => read.name = string(),
                gimli::DW_AT_abstract_origin | gimli::DW_AT_specification => {
                    read.reference = match attribute.value() {
                        AttributeValue::UnitRef(offset) => Some(Reference::Unit(offset)),
                        AttributeValue::DebugInfoRef(offset) => Some(Reference::File(offset)),
                        _ => read.reference,
                    };
                }
                _ => {}
            }
        }
        Some(read)
    }
}
