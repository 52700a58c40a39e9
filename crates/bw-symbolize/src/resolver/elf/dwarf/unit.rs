//! One compilation unit, read as far as somebody asked.

use std::sync::OnceLock;

use gimli::{UnitOffset, UnitRef};

use crate::resolver::elf::dwarf::Reader;
use crate::resolver::elf::dwarf::attributes::Extent;
use crate::resolver::elf::dwarf::lines::Lines;

/// A unit, and its other half where its debug information is split.
pub(super) struct Unit<'a> {
    /// In the file that has the index: all of it, or what was left there.
    main: gimli::Unit<Reader<'a>>,
    split: Option<Split<'a>>,
    lines: OnceLock<Option<Lines<'a>>>,
    tables: OnceLock<Tables>,
    is_rust: bool,
}

/// The half of a unit that is in a file of its own, or in a package of them.
pub(super) struct Split<'a> {
    pub(super) dwarf: gimli::Dwarf<Reader<'a>>,
    pub(super) unit: gimli::Unit<Reader<'a>>,
}

impl<'a> Unit<'a> {
    pub(super) fn new(
        dwarf: &gimli::Dwarf<Reader<'a>>,
        main: gimli::Unit<Reader<'a>>,
        split: Option<Split<'a>>,
    ) -> Self {
        let is_rust = {
            let entries = match &split {
                Some(split) => UnitRef::new(&split.dwarf, &split.unit),
                None => UnitRef::new(dwarf, &main),
            };
            language(entries).is_none_or(|language| language == gimli::DW_LANG_Rust)
        };
        Self { main, split, lines: OnceLock::new(), tables: OnceLock::new(), is_rust }
    }

    /// The half in the main file: lines are there.
    pub(super) fn main<'u>(&'u self, dwarf: &'u gimli::Dwarf<Reader<'a>>) -> UnitRef<'u, Reader<'a>> {
        UnitRef::new(dwarf, &self.main)
    }

    /// The half that has the entries.
    pub(super) fn entries<'u>(&'u self, dwarf: &'u gimli::Dwarf<Reader<'a>>) -> UnitRef<'u, Reader<'a>> {
        match &self.split {
            Some(split) => UnitRef::new(&split.dwarf, &split.unit),
            None => self.main(dwarf),
        }
    }

    pub(super) fn is_split(&self) -> bool {
        self.split.is_some()
    }

    pub(super) fn is_rust(&self) -> bool {
        self.is_rust
    }

    /// Its lines. Runs the line program the first time.
    pub(super) fn lines(&self) -> Option<&Lines<'a>> {
        self.lines.get_or_init(|| Lines::new(self.main.line_program.clone()?)).as_ref()
    }

    /// Its functions and namespaces. Walks the unit the first time.
    pub(super) fn tables(&self, dwarf: &gimli::Dwarf<Reader<'a>>) -> &Tables {
        self.tables.get_or_init(|| Tables::read(self.entries(dwarf)))
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        /// Abbreviations and what else every unit has.
        const BASE: usize = 16 * 1024;
        let lines = self.lines.get().and_then(Option::as_ref).map_or(0, Lines::bytes);
        // The unit keeps a header of its own, with its file table.
        let header = self.main.line_program.as_ref().map_or(0, |it| it.header().file_names().len() * 112);
        BASE + header + lines + self.tables.get().map_or(0, Tables::bytes)
    }
}

fn language(unit: UnitRef<'_, Reader<'_>>) -> Option<gimli::DwLang> {
    let mut entries = unit.entries_raw(None).ok()?;
    let abbreviation = entries.read_abbreviation().ok()??;
    for specification in abbreviation.attributes() {
        let attribute = entries.read_attribute(*specification).ok()?;
        if attribute.name() == gimli::DW_AT_language
            && let gimli::AttributeValue::Language(language) = attribute.value()
        {
            return Some(language);
        }
    }
    None
}

/// Where the functions and namespaces of a unit are.
#[derive(Default)]
pub(super) struct Tables {
    /// Stretches of functions, by where they start.
    functions: Vec<FunctionRange>,
    /// In the order they begin.
    namespaces: Vec<Namespace>,
    /// Whether some function has a linkage name: without any, there are line tables only.
    pub(super) has_linkage_names: bool,
}

struct FunctionRange {
    start: u64,
    /// Longer ones, of which there are none, end early.
    length: u32,
    entry: u32,
}

struct Namespace {
    start: u32,
    end: u32,
    /// The namespace around this one, as an index; itself when there is none.
    outer: u32,
}

impl Tables {
    /// One walk over all entries. What comes after damage is missing.
    fn read(unit: UnitRef<'_, Reader<'_>>) -> Self {
        let mut tables = Self::default();
        let _ = tables.walk(unit);
        tables.functions.sort_by_key(|function| function.start);
        tables.functions.shrink_to_fit();
        tables.namespaces.shrink_to_fit();
        tables
    }

    fn walk(&mut self, unit: UnitRef<'_, Reader<'_>>) -> gimli::Result<()> {
        let mut steps = ranges_of_file(unit);
        // Namespaces whose end was not seen yet: depth and index.
        let mut open: Vec<(isize, u32)> = Vec::new();
        let mut entries = unit.entries_raw(None)?;
        while !entries.is_empty() {
            let start = entries.next_offset().0;
            let depth = entries.next_depth();
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            // Units beyond 4 GiB are not read to their end.
            let Ok(start) = u32::try_from(start) else { return Ok(()) };
            while let Some((_, index)) = open.pop_if(|(outer, _)| *outer >= depth) {
                self.namespaces[index as usize].end = start;
            }
            match abbreviation.tag() {
                gimli::DW_TAG_subprogram => {
                    let mut extent = Extent::default();
                    for specification in abbreviation.attributes() {
                        let attribute = entries.read_attribute(*specification)?;
                        self.has_linkage_names |= attribute.name() == gimli::DW_AT_linkage_name;
                        extent.note(unit, &attribute);
                    }
                    let functions = &mut self.functions;
                    extent.each(unit, &mut steps, |from, to| {
                        let length = u32::try_from(to - from).unwrap_or(u32::MAX);
                        functions.push(FunctionRange { start: from, length, entry: start });
                        true
                    });
                }
                gimli::DW_TAG_namespace => {
                    entries.skip_attributes(abbreviation.attributes())?;
                    let Ok(index) = u32::try_from(self.namespaces.len()) else { return Ok(()) };
                    let outer = open.last().map_or(index, |&(_, outer)| outer);
                    if abbreviation.has_children() {
                        open.push((depth, index));
                    }
                    self.namespaces.push(Namespace { start, end: u32::MAX, outer });
                }
                _ => entries.skip_attributes(abbreviation.attributes())?,
            }
        }
        Ok(())
    }

    /// The entry of the function that has an address.
    pub(super) fn function_at(&self, svma: u64) -> Option<UnitOffset> {
        let after = self.functions.partition_point(|function| function.start <= svma);
        let function = self.functions.get(after.checked_sub(1)?)?;
        let is_inside = svma - function.start < u64::from(function.length);
        is_inside.then_some(UnitOffset(function.entry as usize))
    }

    /// The namespaces around an entry, innermost first, as entries.
    pub(super) fn around(&self, entry: UnitOffset) -> impl Iterator<Item = UnitOffset> {
        let before = self.namespaces.partition_point(|it| (it.start as usize) < entry.0);
        let mut next = before.checked_sub(1);
        std::iter::from_fn(move || {
            let index = next?;
            let namespace = self.namespaces.get(index)?;
            let outer = namespace.outer as usize;
            // Outer ones begin before inner ones, so this ends.
            next = (outer < index).then_some(outer);
            Some(namespace)
        })
        .filter(move |namespace| entry.0 < namespace.end as usize)
        .map(|namespace| UnitOffset(namespace.start as usize))
    }

    fn bytes(&self) -> usize {
        self.functions.capacity() * size_of::<FunctionRange>()
            + self.namespaces.capacity() * size_of::<Namespace>()
    }
}

/// How many ranges the lists of a file can have: more than that, and something is read over and over.
pub(super) fn ranges_of_file(unit: UnitRef<'_, Reader<'_>>) -> usize {
    use gimli::{Reader as _, Section as _};
    unit.dwarf.ranges.debug_ranges().reader().len() + unit.dwarf.ranges.debug_rnglists().reader().len()
}
