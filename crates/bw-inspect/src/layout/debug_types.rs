//! The types of one module, read from its debug information when they are asked for.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use bw_symbolize::DebugFile;
use gimli::{
    AttributeValue, DebugInfoOffset, DebuggingInformationEntry, Dwarf, EndianSlice, EntriesRaw, LittleEndian,
    Unit, UnitHeader, UnitOffset, constants,
};

use super::type_layout::{Member, Place, Shape, TypeLayout, TypeRef, Variants};
use super::unit_index::UnitIndex;

pub(super) type Bytes<'d> = EndianSlice<'d, LittleEndian>;
type Entry<'d> = DebuggingInformationEntry<Bytes<'d>>;

/// Bytes of units that are indexed. A program of 100 MB of debug information is rarely asked for more than some of its units.
const MOST_INDEXED_BYTES: usize = 1 << 30;
/// Types that are kept.
const MOST_TYPES: usize = 1 << 20;
/// Entries that are read of one type or function.
const MOST_ENTRIES: u32 = 1 << 16;
/// Entries that say where the rest of an entry is, one behind the other.
const MOST_ORIGINS: usize = 8;

/// The types of one module.
pub(crate) struct DebugTypes<'d> {
    dwarf: Dwarf<Bytes<'d>>,
    bias: u64,
    /// By offset.
    headers: Vec<(usize, UnitHeader<Bytes<'d>>)>,
    /// Addresses in the file and the offsets of their units, sorted.
    ranges: Vec<(u64, u64, usize)>,
    units: RefCell<HashMap<usize, Option<Rc<UnitIndex<'d>>>>>,
    types: RefCell<HashMap<TypeRef, Option<Rc<TypeLayout>>>>,
    indexed_bytes: Cell<usize>,
}

impl<'d> DebugTypes<'d> {
    /// Reads the list of units. `None` if the file has no debug information that can be read.
    pub(crate) fn new(file: &'d DebugFile) -> Option<Self> {
        let section = |id: gimli::SectionId| {
            Ok::<_, gimli::Error>(EndianSlice::new(file.section(id.name()), LittleEndian))
        };
        let dwarf = Dwarf::load(section).ok()?;
        let mut headers = Vec::new();
        let mut units = dwarf.units();
        while let Ok(Some(header)) = units.next() {
            if let Some(offset) = header.debug_info_offset() {
                headers.push((offset.0, header));
            }
        }
        let mut ranges = Vec::new();
        let mut sets = dwarf.debug_aranges.headers();
        while let Ok(Some(set)) = sets.next() {
            let mut entries = set.entries();
            while let Ok(Some(entry)) = entries.next() {
                let end = entry.address().saturating_add(entry.length());
                ranges.push((entry.address(), end, set.debug_info_offset().0));
            }
        }
        ranges.sort_unstable();
        (!headers.is_empty()).then(|| Self {
            dwarf,
            bias: file.bias(),
            headers,
            ranges,
            units: RefCell::default(),
            types: RefCell::default(),
            indexed_bytes: Cell::new(0),
        })
    }

    /// The type of a value that a function has in a variable, or as a parameter, of this name. `function` is where it begins in the
    /// process.
    pub(crate) fn type_of_variable(&self, function: u64, name: &str) -> Option<TypeRef> {
        let address = function.wrapping_sub(self.bias);
        let found = self.units_at(address).find_map(|unit| {
            let function = *unit.functions.get(&address)?;
            function.to_debug_info_offset(&unit.unit.header)
        });
        let mut next = found.map(|offset| offset.0);
        for _ in 0..MOST_ORIGINS {
            let (found, origin) = self.variable_in(next?, name)?;
            if found.is_some() {
                return found;
            }
            next = origin;
        }
        None
    }

    /// The type whose table of functions, as trait objects have it, is at an address of the process.
    pub(crate) fn type_of_vtable(&self, table: u64) -> Option<TypeRef> {
        let address = table.wrapping_sub(self.bias);
        self.units_at(address).find_map(|unit| unit.vtables.get(&address).copied())
    }

    /// The layout of a type. `None` if its entry cannot be read.
    pub(crate) fn layout(&self, of: TypeRef) -> Option<Rc<TypeLayout>> {
        if let Some(known) = self.types.borrow().get(&of) {
            return known.clone();
        }
        let read = self.read(of).map(Rc::new);
        let mut types = self.types.borrow_mut();
        if types.len() < MOST_TYPES {
            types.insert(of, read.clone());
        }
        read
    }

    /// The units that have an address of the file.
    fn units_at(&self, address: u64) -> impl Iterator<Item = Rc<UnitIndex<'d>>> {
        /// Ranges of units that begin in front of an address and may contain it: one, or few where linkers merged functions.
        const NEAR: usize = 8;

        let after = self.ranges.partition_point(|(start, _, _)| *start <= address);
        let before = self.ranges.get(..after).unwrap_or_default().iter().rev().take(NEAR);
        before.filter(move |(_, end, _)| address < *end).filter_map(|(_, _, unit)| self.unit(*unit))
    }

    fn unit_of(&self, entry: usize) -> Option<(Rc<UnitIndex<'d>>, UnitOffset)> {
        let after = self.headers.partition_point(|(offset, _)| *offset <= entry);
        let (offset, _) = self.headers.get(after.checked_sub(1)?)?;
        Some((self.unit(*offset)?, UnitOffset(entry - offset)))
    }

    fn unit(&self, offset: usize) -> Option<Rc<UnitIndex<'d>>> {
        if let Some(known) = self.units.borrow().get(&offset) {
            return known.clone();
        }
        let at = self.headers.binary_search_by_key(&offset, |(offset, _)| *offset).ok()?;
        let (_, header) = self.headers.get(at)?;
        let bytes = self.indexed_bytes.get().saturating_add(header.length_including_self());
        let indexed = (bytes <= MOST_INDEXED_BYTES).then(|| {
            self.indexed_bytes.set(bytes);
            let unit = self.dwarf.unit(*header)?;
            UnitIndex::new(&self.dwarf, unit)
        });
        let index = indexed.and_then(Result::ok).map(Rc::new);
        self.units.borrow_mut().insert(offset, index.clone());
        index
    }

    /// The type of a variable in a function, and the entry that has the rest of the function.
    fn variable_in(&self, function: usize, name: &str) -> Option<(Option<TypeRef>, Option<usize>)> {
        let (index, at) = self.unit_of(function)?;
        let unit = &index.unit;
        let mut entries = unit.header.entries_raw(&unit.abbreviations, Some(at)).ok()?;
        let mut entry = Entry::null();
        entries.read_entry(&mut entry).ok()?;
        let origin = [constants::DW_AT_abstract_origin, constants::DW_AT_specification]
            .into_iter()
            .find_map(|attribute| offset_of(unit, &entry.attr_value(attribute)?));
        if !entry.has_children() {
            return Some((None, origin));
        }
        let mut found = None;
        each_inside(&mut entries, entry.depth(), |entry| {
            let is_value =
                matches!(entry.tag(), constants::DW_TAG_variable | constants::DW_TAG_formal_parameter);
            if is_value && self.name(unit, entry).is_some_and(|it| it == name) {
                found = type_of(unit, entry);
            }
            if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Some((found, origin.filter(|_| found.is_none())))
    }

    fn read(&self, of: TypeRef) -> Option<TypeLayout> {
        let (index, at) = self.unit_of(of.0)?;
        let unit = &index.unit;
        let mut entries = unit.header.entries_raw(&unit.abbreviations, Some(at)).ok()?;
        let mut entry = Entry::null();
        entries.read_entry(&mut entry).ok()?;
        let own = self.name(unit, &entry).unwrap_or_default();
        let scope = index.scope(at);
        let shape = match entry.tag() {
            constants::DW_TAG_structure_type => Shape::Struct,
            constants::DW_TAG_pointer_type => Shape::Pointer(type_of(unit, &entry)),
            constants::DW_TAG_array_type => Shape::Array { element: type_of(unit, &entry)?, count: 0 },
            _ => Shape::Other,
        };
        let size = match shape {
            Shape::Pointer(_) => 8,
            _ => number(&entry, constants::DW_AT_byte_size).unwrap_or(0),
        };
        let mut layout = TypeLayout {
            name: if scope.is_empty() { own } else { format!("{scope}::{own}") },
            size,
            shape,
            members: Vec::new(),
            variants: None,
            arguments: Vec::new(),
        };
        if !entry.has_children() {
            return Some(layout);
        }
        // The part with variants: its depth, the entry of its discriminant, and the number of the variant that is read.
        let mut part: Option<(isize, Option<usize>)> = None;
        let mut of_variant = None;
        let mut nested: Option<isize> = None;
        each_inside(&mut entries, entry.depth(), |entry| {
            if nested.is_some_and(|nested| entry.depth() > nested) {
                return ControlFlow::Continue(());
            }
            nested = None;
            match entry.tag() {
                constants::DW_TAG_variant_part => {
                    let discriminant =
                        entry.attr_value(constants::DW_AT_discr).and_then(|it| offset_of(unit, &it));
                    part = Some((entry.depth(), discriminant));
                    layout.variants = Some(Variants::default());
                }
                constants::DW_TAG_variant => of_variant = discriminant_value(entry),
                constants::DW_TAG_member => {
                    let Some(member) = self.member(unit, entry) else { return ControlFlow::Continue(()) };
                    let Some((of_part, discriminant)) = part else {
                        layout.members.push(member);
                        return ControlFlow::Continue(());
                    };
                    let Some(variants) = &mut layout.variants else { return ControlFlow::Continue(()) };
                    if entry.depth() == of_part + 1 {
                        let offset = entry.offset().to_debug_info_offset(&unit.header);
                        if offset.map(|offset| offset.0) == discriminant {
                            variants.discriminant =
                                self.size_of(member.of_type).map(|size| (member.offset, size));
                        }
                    } else if entry.depth() == of_part + 2 {
                        variants.list.push((of_variant, member));
                    }
                }
                constants::DW_TAG_template_type_parameter => {
                    if let Some(of_type) = type_of(unit, entry) {
                        layout.arguments.push((self.name(unit, entry).unwrap_or_default(), of_type));
                    }
                }
                constants::DW_TAG_subrange_type => {
                    if let Shape::Array { element, .. } = layout.shape {
                        let count = number(entry, constants::DW_AT_count).unwrap_or(0);
                        layout.shape = Shape::Array { element, count };
                    }
                }
                _ => nested = entry.has_children().then(|| entry.depth()),
            }
            ControlFlow::Continue(())
        })?;
        if let Some(variants) = &mut layout.variants
            && let Some((_, bytes)) = variants.discriminant
        {
            // The file may have the numbers with a sign.
            let mask = if bytes >= 8 { u64::MAX } else { (1 << (bytes * 8)) - 1 };
            variants.list.iter_mut().for_each(|(number, _)| *number = number.map(|number| number & mask));
        }
        Some(layout)
    }

    /// The size of a type, without its members.
    fn size_of(&self, of: TypeRef) -> Option<u64> {
        let (index, at) = self.unit_of(of.0)?;
        let mut entries = index.unit.header.entries_raw(&index.unit.abbreviations, Some(at)).ok()?;
        let mut entry = Entry::null();
        entries.read_entry(&mut entry).ok()?;
        number(&entry, constants::DW_AT_byte_size)
    }

    fn member(&self, unit: &Unit<Bytes<'d>>, entry: &Entry<'d>) -> Option<Member> {
        Some(Member {
            name: self.name(unit, entry).unwrap_or_default(),
            of_type: type_of(unit, entry)?,
            offset: number(entry, constants::DW_AT_data_member_location).unwrap_or(0),
            place: self.place(unit, entry),
        })
    }

    fn name(&self, unit: &Unit<Bytes<'d>>, entry: &Entry<'d>) -> Option<String> {
        self.string(unit, entry.attr_value(constants::DW_AT_name)?)
    }

    fn string(&self, unit: &Unit<Bytes<'d>>, value: AttributeValue<Bytes<'d>>) -> Option<String> {
        self.dwarf.attr_string(unit, value).ok().map(|text| text.to_string_lossy().into_owned())
    }

    fn place(&self, unit: &Unit<Bytes<'d>>, entry: &Entry<'d>) -> Option<Place> {
        let line = number(entry, constants::DW_AT_decl_line)?;
        let number = match entry.attr_value(constants::DW_AT_decl_file)? {
            AttributeValue::FileIndex(number) => number,
            value => value.udata_value()?,
        };
        let header = unit.line_program.as_ref()?.header();
        let file = header.file(number)?;
        let name = self.string(unit, file.path_name())?;
        let folder = file.directory(header).and_then(|folder| self.string(unit, folder));
        let path = match folder {
            Some(folder) if !folder.is_empty() && !name.starts_with('/') => format!("{folder}/{name}"),
            _ => name,
        };
        Some(Place { file: Arc::from(path), line })
    }
}

/// Hands the entries inside of one to `look`, until that breaks. `depth` is that of the one. `None` if they cannot be read.
fn each_inside<'d>(
    entries: &mut EntriesRaw<'_, Bytes<'d>>,
    depth: isize,
    mut look: impl FnMut(&Entry<'d>) -> ControlFlow<()>,
) -> Option<()> {
    let mut entry = Entry::null();
    for _ in 0..MOST_ENTRIES {
        if entries.is_empty() {
            break;
        }
        let is_entry = entries.read_entry(&mut entry).ok()?;
        if is_entry && look(&entry).is_break() || !is_entry && entries.next_depth() <= depth {
            break;
        }
    }
    Some(())
}

/// The entry that an attribute refers to, in all debug information.
pub(super) fn offset_of<'d>(unit: &Unit<Bytes<'d>>, value: &AttributeValue<Bytes<'d>>) -> Option<usize> {
    match value {
        AttributeValue::UnitRef(offset) => Some(offset.to_debug_info_offset(&unit.header)?.0),
        AttributeValue::DebugInfoRef(DebugInfoOffset(offset)) => Some(*offset),
        _ => None,
    }
}

fn type_of<'d>(unit: &Unit<Bytes<'d>>, entry: &Entry<'d>) -> Option<TypeRef> {
    offset_of(unit, &entry.attr_value(constants::DW_AT_type)?).map(TypeRef)
}

fn number(entry: &Entry<'_>, attribute: gimli::DwAt) -> Option<u64> {
    entry.attr_value(attribute)?.udata_value()
}

/// The number of a variant; numbers of 16 bytes without their upper half.
fn discriminant_value(entry: &Entry<'_>) -> Option<u64> {
    match entry.attr_value(constants::DW_AT_discr_value)? {
        AttributeValue::Sdata(value) => Some(value.cast_unsigned()),
        AttributeValue::Block(bytes) => {
            let mut word = [0; 8];
            let length = bytes.slice().len().min(8);
            word.get_mut(..length)?.copy_from_slice(bytes.slice().get(..length)?);
            Some(u64::from_le_bytes(word))
        }
        value => value.udata_value(),
    }
}
