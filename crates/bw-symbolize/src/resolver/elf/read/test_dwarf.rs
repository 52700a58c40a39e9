//! Debug information that tests write by hand.

use gimli::{EndianSlice, RunTimeEndian, SectionId};

use crate::resolver::elf::read::object_bytes::Reader;

/// Debug information of these sections alone.
pub(crate) fn of_sections<'a>(sections: &[(SectionId, &'a [u8])]) -> gimli::Dwarf<Reader<'a>> {
    let section = |id: SectionId| {
        let bytes = sections.iter().find(|(section, _)| *section == id).map_or(&[][..], |(_, bytes)| bytes);
        Ok::<_, std::convert::Infallible>(EndianSlice::new(bytes, RunTimeEndian::Little))
    };
    let Ok(dwarf) = gimli::Dwarf::load(section);
    dwarf
}

/// Its first unit.
pub(crate) fn first_unit<'a>(dwarf: &gimli::Dwarf<Reader<'a>>) -> gimli::Unit<Reader<'a>> {
    let header = dwarf.units().next().unwrap().expect("a unit");
    dwarf.unit(header).unwrap()
}
