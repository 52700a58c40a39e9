//! What is in one compilation unit: its functions, tables of trait objects and the paths of its types.

use std::collections::HashMap;

use gimli::{AttributeValue, Dwarf, Operation, Unit, UnitOffset, constants};

use super::debug_types::{Bytes, offset_of};
use super::type_layout::TypeRef;

/// What is in one compilation unit.
pub(super) struct UnitIndex<'d> {
    pub(super) unit: Unit<Bytes<'d>>,
    /// Where functions begin, as the file has them, and their entries.
    pub(super) functions: HashMap<u64, UnitOffset>,
    /// The types whose tables of functions are at these addresses.
    pub(super) vtables: HashMap<u64, TypeRef>,
    /// The paths of types.
    scopes: HashMap<UnitOffset, u32>,
    paths: Vec<String>,
}

impl<'d> UnitIndex<'d> {
    /// Reads all entries of a unit once.
    pub(super) fn new(dwarf: &Dwarf<Bytes<'d>>, unit: Unit<Bytes<'d>>) -> gimli::Result<Self> {
        let mut functions = HashMap::new();
        let mut scopes = HashMap::new();
        let mut paths = vec![String::new()];
        // Namespaces and types that are open: their depths and paths.
        let mut open: Vec<(isize, u32)> = Vec::new();
        // Types of tables and of what has the table; where tables are, and their types.
        let mut table_types: HashMap<usize, TypeRef> = HashMap::new();
        let mut tables: Vec<(u64, usize)> = Vec::new();
        let mut entries = unit.header.entries_raw(&unit.abbreviations, None)?;
        while !entries.is_empty() {
            let depth = entries.next_depth();
            let offset = entries.next_offset();
            let Some(kind) = entries.read_abbreviation()? else { continue };
            while open.last().is_some_and(|(of, _)| *of >= depth) {
                open.pop();
            }
            let scope = open.last().map_or(0, |(_, path)| *path);
            match kind.tag() {
                tag @ (constants::DW_TAG_namespace
                | constants::DW_TAG_structure_type
                | constants::DW_TAG_union_type
                | constants::DW_TAG_enumeration_type) => {
                    let mut name = None;
                    for attribute in kind.attributes() {
                        let attribute = entries.read_attribute(*attribute)?;
                        if attribute.name() == constants::DW_AT_name {
                            name = dwarf.attr_string(&unit, attribute.value()).ok();
                        } else if attribute.name() == constants::DW_AT_containing_type
                            && let Some(of) = offset_of(&unit, &attribute.value())
                            && let Some(table) = offset.to_debug_info_offset(&unit.header)
                        {
                            table_types.insert(table.0, TypeRef(of));
                        }
                    }
                    if tag != constants::DW_TAG_namespace {
                        scopes.insert(offset, scope);
                    }
                    if kind.has_children() {
                        let name = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                        let outer = paths.get(scope as usize).map_or("", String::as_str);
                        let path = if outer.is_empty() { name } else { format!("{outer}::{name}") };
                        open.push((depth, u32::try_from(paths.len()).unwrap_or(0)));
                        paths.push(path);
                    }
                }
                constants::DW_TAG_subprogram => {
                    for attribute in kind.attributes() {
                        let attribute = entries.read_attribute(*attribute)?;
                        if attribute.name() == constants::DW_AT_low_pc
                            && let Ok(Some(address)) = dwarf.attr_address(&unit, attribute.value())
                        {
                            functions.insert(address, offset);
                        }
                    }
                }
                // Not those of functions.
                constants::DW_TAG_variable if depth == open.len() as isize + 1 => {
                    let (mut address, mut of_type) = (None, None);
                    for attribute in kind.attributes() {
                        let attribute = entries.read_attribute(*attribute)?;
                        match attribute.name() {
                            constants::DW_AT_location => {
                                address = static_address(dwarf, &unit, &attribute.value());
                            }
                            constants::DW_AT_type => of_type = offset_of(&unit, &attribute.value()),
                            _ => {}
                        }
                    }
                    tables.extend(address.zip(of_type));
                }
                _ => entries.skip_attributes(kind.attributes())?,
            }
        }
        let of_table = |(address, table)| Some((address, *table_types.get(&table)?));
        let vtables = tables.into_iter().filter_map(of_table).collect();
        Ok(Self { unit, functions, vtables, scopes, paths })
    }

    /// The path of the scope that a type is in.
    pub(super) fn scope(&self, of: UnitOffset) -> &str {
        let path = self.scopes.get(&of).and_then(|path| self.paths.get(*path as usize));
        path.map_or("", String::as_str)
    }
}

/// The address of a variable that is always at one.
fn static_address<'d>(
    dwarf: &Dwarf<Bytes<'d>>,
    unit: &Unit<Bytes<'d>>,
    location: &AttributeValue<Bytes<'d>>,
) -> Option<u64> {
    let mut operations = location.exprloc_value()?.operations(unit.encoding());
    match operations.next().ok()?? {
        Operation::Address { address } => Some(address),
        Operation::AddressIndex { index } => dwarf.address(unit, index).ok(),
        _ => None,
    }
}
