//! The first entry of a unit: which code the unit has, and where its parts begin.

use std::sync::Arc;

use gimli::{
    AttributeValue, DebugAddrBase, DebugLineOffset, DebugLocListsBase, DebugRngListsBase,
    DebugStrOffsetsBase, DwLang, UnitHeader, UnitRef, UnitType,
};

use crate::resolver::elf::read::abbreviation_table::AbbreviationTable;
use crate::resolver::elf::read::address_ranges::AddressRanges;
use crate::resolver::elf::read::object_bytes::Reader;

/// What the first entry of a unit says.
///
/// `gimli::Dwarf::unit` reads the table of files of the line program besides, which takes most of its time and is wanted of few units.
pub(crate) struct UnitRoot<'a> {
    /// Without its name and its line program.
    pub(crate) unit: gimli::Unit<Reader<'a>>,
    pub(crate) line_program: Option<DebugLineOffset>,
    pub(crate) language: Option<DwLang>,
    pub(crate) code: AddressRanges,
}

impl<'a> UnitRoot<'a> {
    pub(crate) fn read(
        dwarf: &gimli::Dwarf<Reader<'a>>,
        header: UnitHeader<Reader<'a>>,
        abbreviations: &AbbreviationTable,
    ) -> gimli::Result<Self> {
        let (encoding, file_type) = (header.encoding(), dwarf.file_type);
        let dwo_id = match header.type_() {
            UnitType::Skeleton(id) | UnitType::SplitCompilation(id) => Some(id),
            _ => None,
        };
        let mut unit = gimli::Unit {
            header,
            abbreviations: Arc::clone(abbreviations.abbreviations()),
            name: None,
            comp_dir: None,
            low_pc: 0,
            str_offsets_base: DebugStrOffsetsBase::default_for_encoding_and_file(encoding, file_type),
            addr_base: DebugAddrBase(0),
            loclists_base: DebugLocListsBase::default_for_encoding_and_file(encoding, file_type),
            rnglists_base: DebugRngListsBase::default_for_encoding_and_file(encoding, file_type),
            line_program: None,
            dwo_id,
        };
        let (mut line_program, mut language) = (None, None);
        let mut later = Vec::new();
        let mut entries = header.entries_raw(abbreviations.abbreviations(), None)?;
        let root = entries.read_abbreviation()?.ok_or(gimli::Error::MissingUnitDie)?;
        for specification in root.attributes() {
            let attribute = entries.read_attribute(*specification)?;
            match (attribute.name(), attribute.value()) {
                (gimli::DW_AT_stmt_list, AttributeValue::DebugLineRef(offset)) => line_program = Some(offset),
                (gimli::DW_AT_language, AttributeValue::Language(value)) => language = Some(value),
                (gimli::DW_AT_str_offsets_base, AttributeValue::DebugStrOffsetsBase(base)) => {
                    unit.str_offsets_base = base;
                }
                (
                    gimli::DW_AT_addr_base | gimli::DW_AT_GNU_addr_base,
                    AttributeValue::DebugAddrBase(base),
                ) => {
                    unit.addr_base = base;
                }
                (
                    gimli::DW_AT_rnglists_base | gimli::DW_AT_GNU_ranges_base,
                    AttributeValue::DebugRngListsBase(base),
                ) => unit.rnglists_base = base,
                (gimli::DW_AT_GNU_dwo_id, AttributeValue::DwoId(id)) => {
                    unit.dwo_id = unit.dwo_id.or(Some(id));
                }
                // Those may refer to tables whose places other attributes tell.
                (
                    gimli::DW_AT_low_pc | gimli::DW_AT_high_pc | gimli::DW_AT_ranges | gimli::DW_AT_comp_dir,
                    _,
                ) => later.push(attribute),
                _ => {}
            }
        }
        let mut code = AddressRanges::default();
        for attribute in later {
            if attribute.name() == gimli::DW_AT_comp_dir {
                unit.comp_dir = dwarf.attr_string(&unit, attribute.value()).ok();
            } else {
                code.read(UnitRef::new(dwarf, &unit), &attribute)?;
            }
        }
        unit.low_pc = code.low().unwrap_or(0);
        Ok(Self { unit, line_program, language, code })
    }
}
