//! One unit of debug information, read as far as it was asked about.

use std::sync::{Arc, OnceLock};

use gimli::{DebugLineOffset, DwLang, DwarfFileType, UnitHeader, UnitRef};

use crate::resolver::elf::read::abbreviation_table::AbbreviationTable;
use crate::resolver::elf::read::entry_table::EntryTable;
use crate::resolver::elf::read::line_table::LineTable;
use crate::resolver::elf::read::object_bytes::{Bundle, Reader};
use crate::resolver::elf::read::unit_root::UnitRoot;

/// A unit. Of a split one, its lines are in the main file and its entries in another one.
pub(crate) struct Unit<'a> {
    dwarf: Arc<gimli::Dwarf<Reader<'a>>>,
    abbreviations: Arc<AbbreviationTable>,
    skeleton: gimli::Unit<Reader<'a>>,
    /// The other half of a split unit.
    half: Option<(gimli::Dwarf<Reader<'a>>, gimli::Unit<Reader<'a>>)>,
    language: Option<DwLang>,
    line_program: Option<DebugLineOffset>,
    entry_table: OnceLock<EntryTable>,
    line_table: OnceLock<Option<LineTable<'a>>>,
}

impl<'a> Unit<'a> {
    /// Reads the first entry of a unit. Opens the file of the other half of a split one.
    pub(crate) fn read(
        bundle: &'a Bundle,
        dwarf: &Arc<gimli::Dwarf<Reader<'a>>>,
        header: UnitHeader<Reader<'a>>,
        abbreviations: Arc<AbbreviationTable>,
    ) -> Option<Self> {
        let root = UnitRoot::read(dwarf, header, &abbreviations).ok()?;
        let half = other_half(bundle, dwarf, &root.unit);
        let language = half.as_ref().and_then(|(_, half)| half.language).or(root.language);
        Some(Self {
            dwarf: Arc::clone(dwarf),
            abbreviations,
            skeleton: root.unit,
            half: half.map(|(dwarf, half)| (dwarf, half.unit)),
            language,
            line_program: root.line_program,
            entry_table: OnceLock::new(),
            line_table: OnceLock::new(),
        })
    }

    /// Where it begins in `.debug_info`.
    pub(crate) fn start(&self) -> usize {
        self.skeleton.debug_info_offset().map_or(0, |offset| offset.0)
    }

    pub(crate) fn abbreviations(&self) -> &Arc<AbbreviationTable> {
        &self.abbreviations
    }

    pub(crate) fn language(&self) -> Option<DwLang> {
        self.language
    }

    /// The part with the entries.
    pub(crate) fn entries(&self) -> UnitRef<'_, Reader<'a>> {
        match &self.half {
            Some((dwarf, unit)) => UnitRef::new(dwarf, unit),
            None => self.skeleton(),
        }
    }

    /// The part with the lines.
    fn skeleton(&self) -> UnitRef<'_, Reader<'a>> {
        UnitRef::new(&self.dwarf, &self.skeleton)
    }

    /// Walks the unit when it is asked for the first time.
    pub(crate) fn entry_table(&self) -> &EntryTable {
        self.entry_table.get_or_init(|| EntryTable::new(self.entries()))
    }

    /// Runs the line program when it is asked for the first time. `None` when there is none.
    pub(crate) fn line_table(&self) -> Option<&LineTable<'a>> {
        let at = self.line_program?;
        self.line_table.get_or_init(|| LineTable::new(self.skeleton(), at)).as_ref()
    }

    /// The path of a file of the line table.
    pub(crate) fn file(&self, index: u64) -> Option<String> {
        self.line_table()?.file(self.skeleton(), index)
    }

    /// Bytes of memory, about. Units of one object file share their abbreviations, which are counted for each.
    pub(crate) fn bytes(&self) -> usize {
        let lines = self.line_table.get().and_then(Option::as_ref);
        size_of::<Self>()
            + self.abbreviations.bytes()
            + self.entry_table.get().map_or(0, EntryTable::bytes)
            + lines.map_or(0, LineTable::bytes)
    }
}

/// The other half of a split unit, if it is found: the first unit of its file.
fn other_half<'a>(
    bundle: &'a Bundle,
    dwarf: &gimli::Dwarf<Reader<'a>>,
    skeleton: &gimli::Unit<Reader<'a>>,
) -> Option<(gimli::Dwarf<Reader<'a>>, UnitRoot<'a>)> {
    let id = skeleton.dwo_id.filter(|_| dwarf.file_type == DwarfFileType::Main)?;
    let text = |name: Reader<'a>| name.to_string_lossy().into_owned();
    let name = skeleton.dwo_name().ok().flatten().and_then(|name| dwarf.attr_string(skeleton, name).ok());
    let folder = skeleton.comp_dir.map(text);
    let half = bundle.split(id, folder.as_deref(), &name.map(text).unwrap_or_default(), dwarf)?;
    let header = half.units().next().ok().flatten()?;
    let abbreviations =
        AbbreviationTable::read(&half.debug_abbrev, header.debug_abbrev_offset(), usize::MAX)?;
    let mut root = UnitRoot::read(&half, header, &abbreviations).ok()?;
    root.unit.copy_relocated_attributes(skeleton);
    Some((half, root))
}
