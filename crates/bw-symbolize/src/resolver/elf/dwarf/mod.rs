//! DWARF: which functions are at an address, and what the debug information says of them.
//!
//! Reading is lazy, in three steps: opening reads where the units are ([`index`]); the first address of a unit walks
//! it once ([`unit`], [`lines`]); each address runs one sequence of the line program and walks the entries of one
//! function ([`inlined`]). What is kept is small, and can be given back unit by unit. The same crate that others build
//! on, gimli, decodes; what we add to it is bounds: whatever a damaged file says, an address costs no more than one
//! pass over the sections, no recursion, and memory in proportion to the unit.
//!
//! No I/O: halves of split units come from a [`SplitUnits`].

mod attributes;
mod index;
mod inlined;
mod lines;
mod unit;

use std::collections::HashMap;
use std::sync::Arc;

use gimli::{DwoId, EndianSlice, RunTimeEndian, UnitOffset, UnitRef};

use crate::resolver::elf::dwarf::attributes::{Reference, file_number, number};
use crate::resolver::elf::dwarf::index::UnitIndex;
use crate::resolver::elf::dwarf::lines::Row;
use crate::resolver::elf::dwarf::unit::Unit;

/// Reads the bytes in place.
pub(super) type Reader<'a> = EndianSlice<'a, RunTimeEndian>;

/// How many references are followed from an inlined copy to the function it is a copy of. Two are usual; a damaged
/// file may have a cycle.
const MAX_REFERENCES: usize = 16;

/// Finds the other halves of split units.
pub(super) trait SplitUnits<'a> {
    /// The sections of a half: its `.dwo` file, or its part of a package. `parent` lends what is only in the main
    /// file. `folder` and `name` say where the compiler put it.
    fn load(
        &self,
        id: DwoId,
        folder: Option<&str>,
        name: &str,
        parent: &gimli::Dwarf<Reader<'a>>,
    ) -> Option<gimli::Dwarf<Reader<'a>>>;
}

/// The DWARF of one file.
pub(super) struct Dwarf<'a> {
    sections: gimli::Dwarf<Reader<'a>>,
    index: UnitIndex,
    units: HashMap<usize, Kept<'a>>,
    /// Counts questions, to know which units were not asked for long.
    now: u64,
    /// Bytes of memory that the units in `units` took when they were asked last, about.
    unit_bytes: usize,
}

struct Kept<'a> {
    /// `None` for one that cannot be read.
    unit: Option<Arc<Unit<'a>>>,
    asked: u64,
    bytes: usize,
}

/// A function at an address: its entry, its position.
pub(super) struct Found<'a> {
    /// `None` where only lines are known.
    pub(super) function: Option<Described<'a>>,
    pub(super) location: Option<FileRow>,
}

/// A position, with the unit whose file table its file is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileRow {
    unit: usize,
    row: Row,
}

impl FileRow {
    pub(super) fn line(&self) -> Option<u32> {
        self.row.line
    }

    pub(super) fn column(&self) -> Option<u32> {
        self.row.column
    }

    /// What tells its file from all others.
    pub(super) fn file_key(&self) -> (usize, u64) {
        (self.unit, self.row.file)
    }
}

/// What the debug information says of a function.
#[derive(Clone, Debug)]
pub(super) struct Described<'a> {
    pub(super) linkage_name: Option<Reader<'a>>,
    pub(super) name: Option<Reader<'a>>,
    pub(super) is_rust: bool,
    /// Whether its unit has linkage names at all.
    pub(super) has_linkage_names: bool,
    /// Where it is declared.
    pub(super) declared: Option<FileRow>,
    /// The entry that has the name: its unit, and where in it. The namespaces around that one are the function's.
    home: (usize, UnitOffset),
}

impl<'a> Dwarf<'a> {
    /// Reads where the units are. `None` when there are none.
    pub(super) fn new(sections: gimli::Dwarf<Reader<'a>>) -> Option<Self> {
        let index = UnitIndex::new(&sections);
        index.start(0)?;
        Some(Self { sections, index, units: HashMap::new(), now: 0, unit_bytes: 0 })
    }

    /// The functions at an address in the file (an SVMA), innermost first.
    pub(super) fn find(&mut self, svma: u64, splits: &dyn SplitUnits<'a>) -> Vec<Found<'a>> {
        for number in self.index.at(svma) {
            let Some(unit) = self.unit(number, splits) else { continue };
            let location = unit.lines().and_then(|lines| lines.find(svma));
            let function = unit.tables(&self.sections).function_at(svma);
            self.measure(number);
            let file_row = |row: Row| FileRow { unit: number, row };
            let Some(function) = function else {
                if let Some(row) = location {
                    return vec![Found { function: None, location: Some(file_row(row)) }];
                }
                continue;
            };
            let inlined = inlined::at(unit.entries(&self.sections), function, svma);
            let mut location = location.map(file_row);
            let mut found = Vec::with_capacity(inlined.len() + 1);
            for inlined in inlined.iter().rev() {
                let function = self.describe(number, inlined.entry, splits);
                found.push(Found { function, location });
                location = inlined.call.map(file_row);
            }
            let function = self.describe(number, function, splits);
            found.push(Found { function, location });
            return found;
        }
        Vec::new()
    }

    /// The path of a position's file, as the compiler was given it, absolute where the unit tells its folder.
    pub(super) fn path(&mut self, row: FileRow, splits: &dyn SplitUnits<'a>) -> Option<String> {
        let unit = self.unit(row.unit, splits)?;
        unit.lines()?.path(unit.main(&self.sections), row.row.file)
    }

    /// The names from a function outwards, at most `wanted`: its own, then those of the namespaces around it.
    pub(super) fn scopes(
        &mut self,
        function: &Described<'a>,
        wanted: usize,
        splits: &dyn SplitUnits<'a>,
    ) -> Vec<String> {
        let mut names: Vec<String> =
            function.name.iter().take(wanted).map(|name| name.to_string_lossy().into_owned()).collect();
        let (number, entry) = function.home;
        if names.len() < wanted
            && let Some(unit) = self.unit(number, splits)
        {
            let entries = unit.entries(&self.sections);
            let around = unit.tables(&self.sections).around(entry);
            names.extend(
                around
                    .take(wanted - names.len())
                    .map(|entry| Facts::read(entries, entry).and_then(|facts| facts.name))
                    .map(|name| name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()),
            );
            self.measure(number);
        }
        names
    }

    /// Bytes of memory, about, but for what is in `files`.
    pub(super) fn bytes(&self) -> usize {
        self.index.bytes() + self.unit_bytes
    }

    /// Gives units back, those first that were not asked for longest, until no more than `limit` bytes are used, or
    /// there is nothing left to give.
    pub(super) fn shrink(&mut self, limit: usize) {
        if self.bytes() <= limit {
            return;
        }
        let mut by_age: Vec<(u64, usize)> =
            self.units.iter().map(|(&number, kept)| (kept.asked, number)).collect();
        by_age.sort_unstable();
        for (_, number) in by_age {
            if self.bytes() <= limit {
                return;
            }
            if let Some(kept) = self.units.remove(&number) {
                self.unit_bytes -= kept.bytes;
            }
        }
    }

    fn describe(
        &mut self,
        unit: usize,
        entry: UnitOffset,
        splits: &dyn SplitUnits<'a>,
    ) -> Option<Described<'a>> {
        let (mut number, mut entry) = (unit, entry);
        let first = self.unit(number, splits)?;
        let mut described = Described {
            linkage_name: None,
            name: None,
            is_rust: first.is_rust(),
            has_linkage_names: first.tables(&self.sections).has_linkage_names,
            declared: None,
            home: (number, entry),
        };
        for _ in 0..MAX_REFERENCES {
            let Some(unit) = self.unit(number, splits) else { break };
            let Some(facts) = Facts::read(unit.entries(&self.sections), entry) else { break };
            described.linkage_name = described.linkage_name.or(facts.linkage_name);
            if described.declared.is_none() {
                let (line, file) = (facts.line, facts.file);
                let row = file.filter(|_| line.is_some()).map(|file| Row { file, line, column: None });
                described.declared = row.map(|row| FileRow { unit: number, row });
            }
            if described.name.is_none() {
                described.name = facts.name;
                described.home = (number, entry);
            }
            match facts.reference {
                None => break,
                Some(Reference::Unit(offset)) => entry = offset,
                Some(Reference::File(offset)) => {
                    if let Some(offset) = offset.to_unit_offset(&unit.entries(&self.sections).header) {
                        entry = offset;
                    } else if unit.is_split() {
                        // Another half in the same package: not where the index counts.
                        break;
                    } else {
                        let Some(other) = self.index.of_entry(offset) else { break };
                        let Some(unit) = self.unit(other, splits) else { break };
                        let header = &unit.main(&self.sections).header;
                        let Some(offset) = offset.to_unit_offset(header) else { break };
                        (number, entry) = (other, offset);
                    }
                }
            }
        }
        Some(described)
    }

    /// A unit by its number, read now if it was not.
    fn unit(&mut self, number: usize, splits: &dyn SplitUnits<'a>) -> Option<Arc<Unit<'a>>> {
        self.now += 1;
        if let Some(kept) = self.units.get_mut(&number) {
            kept.asked = self.now;
            return kept.unit.clone();
        }
        let unit = self.read(number, splits).map(Arc::new);
        let bytes = unit.as_ref().map_or(0, |unit| unit.bytes());
        self.unit_bytes += bytes;
        self.units.insert(number, Kept { unit: unit.clone(), asked: self.now, bytes });
        unit
    }

    fn read(&self, number: usize, splits: &dyn SplitUnits<'a>) -> Option<Unit<'a>> {
        let header = self.sections.debug_info.header_from_offset(self.index.start(number)?).ok()?;
        let main = self.sections.unit(header).ok()?;
        let split = main.dwo_id.and_then(|id| self.split(&main, id, splits));
        Some(Unit::new(&self.sections, main, split))
    }

    fn split(
        &self,
        main: &gimli::Unit<Reader<'a>>,
        id: DwoId,
        splits: &dyn SplitUnits<'a>,
    ) -> Option<unit::Split<'a>> {
        let main_ref = UnitRef::new(&self.sections, main);
        let name = main_ref.attr_string(main.dwo_name().ok()??).ok()?;
        let folder = main.comp_dir.map(|folder| folder.to_string_lossy());
        let dwarf = splits.load(id, folder.as_deref(), &name.to_string_lossy(), &self.sections)?;
        let mut headers = dwarf.units();
        while let Ok(Some(header)) = headers.next() {
            let Ok(mut unit) = dwarf.unit(header) else { continue };
            if unit.dwo_id == Some(id) {
                unit.copy_relocated_attributes(main);
                return Some(unit::Split { dwarf, unit });
            }
        }
        None
    }

    /// Takes note of what a unit takes now.
    fn measure(&mut self, number: usize) {
        if let Some(kept) = self.units.get_mut(&number) {
            let bytes = kept.unit.as_ref().map_or(0, |unit| unit.bytes());
            self.unit_bytes = self.unit_bytes - kept.bytes + bytes;
            kept.bytes = bytes;
        }
    }
}

/// What one entry says.
#[derive(Default)]
struct Facts<'a> {
    linkage_name: Option<Reader<'a>>,
    name: Option<Reader<'a>>,
    file: Option<u64>,
    line: Option<u32>,
    reference: Option<Reference>,
}

impl<'a> Facts<'a> {
    fn read(unit: UnitRef<'_, Reader<'a>>, entry: UnitOffset) -> Option<Self> {
        let mut entries = unit.entries_raw(Some(entry)).ok()?;
        let abbreviation = entries.read_abbreviation().ok()??;
        let mut facts = Self::default();
        for specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(*specification).ok()?;
            let value = attribute.value();
            match attribute.name() {
                gimli::DW_AT_linkage_name | gimli::DW_AT_MIPS_linkage_name => {
                    facts.linkage_name = unit.attr_string(value).ok();
                }
                gimli::DW_AT_name => facts.name = unit.attr_string(value).ok(),
                gimli::DW_AT_decl_file => facts.file = file_number(unit, &value),
                gimli::DW_AT_decl_line => facts.line = number(&value),
                gimli::DW_AT_abstract_origin | gimli::DW_AT_specification => {
                    facts.reference = Reference::new(value).or(facts.reference);
                }
                _ => {}
            }
        }
        Some(facts)
    }
}
