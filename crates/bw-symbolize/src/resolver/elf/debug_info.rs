//! Frames from the bytes of one file: DWARF first, then the symbol table.
//!
//! No I/O: [`DebugInfo::from_file`] takes bytes, wherever they came from.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gimli::{DW_LANG_Rust, EndianSlice, RunTimeEndian, Section as _, SectionId, UnitOffset};
use object::{CompressionFormat, Object, ObjectSection};
use self_cell::self_cell;

use crate::frame::{Frame, Function, Location};
use crate::name;
use crate::resolver::elf::file_bytes::FileBytes;
use crate::resolver::elf::scopes::Scopes;
use crate::resolver::elf::symbol_table::SymbolTable;

/// Reads the bytes in place.
pub(super) type Reader<'a> = EndianSlice<'a, RunTimeEndian>;

self_cell!(
    /// The debug information of one file, together with the bytes it borrows from.
    ///
    /// Everything in it is lazy: what an address needs is parsed when it is asked for, and kept.
    pub(super) struct DebugInfo {
        owner: ObjectBytes,
        #[not_covariant]
        dependent: Parsed,
    }
);

impl DebugInfo {
    /// Indexes the compilation units: 40–120 ms for 30–60 MB of debug information. Sections that were stored
    /// compressed are decompressed, into memory.
    pub(super) fn from_file(file: FileBytes) -> Self {
        Self::new(ObjectBytes::new(file), |bytes| Parsed::new(bytes))
    }

    /// The functions at an address in the file (an SVMA), innermost first.
    pub(super) fn frames(&mut self, svma: u64) -> Vec<Frame> {
        self.with_dependent_mut(|_, parsed| parsed.frames(svma))
    }
}

/// The bytes of a file, and those of its sections that were compressed.
pub(super) struct ObjectBytes {
    file: FileBytes,
    decompressed: Vec<(SectionId, Vec<u8>)>,
}

impl ObjectBytes {
    fn new(file: FileBytes) -> Self {
        let mut decompressed = Vec::new();
        if let Ok(object) = object::File::parse(&**file) {
            for id in SECTIONS {
                let data =
                    object.section_by_name(id.name()).and_then(|section| section.compressed_data().ok());
                let Some(data) = data.filter(|data| data.format != CompressionFormat::None) else { continue };
                // A section that does not decompress is an empty one.
                let bytes = data.decompress().map(std::borrow::Cow::into_owned).unwrap_or_default();
                decompressed.push((id, bytes));
            }
        }
        Self { file, decompressed }
    }

    fn section<'a>(&'a self, object: &object::File<'a>, id: SectionId) -> &'a [u8] {
        if let Some((_, bytes)) = self.decompressed.iter().find(|(section, _)| *section == id) {
            return bytes;
        }
        object.section_by_name(id.name()).and_then(|section| section.data().ok()).unwrap_or_default()
    }
}

/// The sections that name functions, files and lines.
const SECTIONS: [SectionId; 11] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTypes,
];

/// What was parsed so far.
pub(super) struct Parsed<'a> {
    object: Option<object::File<'a>>,
    /// `None` when there is no DWARF, or it cannot be read.
    context: Option<addr2line::Context<Reader<'a>>>,
    symbols: OnceCell<SymbolTable<'a>>,
    scopes: Scopes<'a>,
    /// Functions by linkage name: most are inlined at many addresses, and share their names.
    functions: HashMap<&'a [u8], Function>,
    files: HashSet<Arc<str>>,
}

/// One frame as the debug information has it.
struct RawFrame<'a> {
    name: Option<RawName<'a>>,
    location: Option<Location>,
}

struct RawName<'a> {
    /// The linkage name where there is one, else the bare name.
    name: Reader<'a>,
    is_rust: bool,
    entry: Option<UnitOffset>,
}

impl<'a> Parsed<'a> {
    fn new(bytes: &'a ObjectBytes) -> Self {
        let object = object::File::parse(&**bytes.file).ok();
        let context = object.as_ref().and_then(|object| context(bytes, object));
        Self {
            object,
            context,
            symbols: OnceCell::new(),
            scopes: Scopes::default(),
            functions: HashMap::new(),
            files: HashSet::new(),
        }
    }

    fn frames(&mut self, svma: u64) -> Vec<Frame> {
        let raw = self.raw_frames(svma);
        let Some(last) = raw.len().checked_sub(1) else {
            let function = self.symbol(svma);
            return function.into_iter().map(|function| frame(Some(function), None, false)).collect();
        };
        raw.into_iter()
            .enumerate()
            .map(|(index, raw)| {
                let is_physical = index == last;
                let function = match raw.name {
                    Some(name) => Some(self.function(svma, &name, is_physical)),
                    None if is_physical => self.symbol(svma),
                    None => None,
                };
                frame(function, raw.location, !is_physical)
            })
            .filter(|frame| frame.function.is_some() || frame.location.is_some())
            .collect()
    }

    fn raw_frames(&mut self, svma: u64) -> Vec<RawFrame<'a>> {
        let mut raw = Vec::new();
        // The lookup adds one to the address.
        let Some(context) = self.context.as_ref().filter(|_| svma != u64::MAX) else { return raw };
        let Ok(mut frames) = context.find_frames(svma).skip_all_loads() else { return raw };
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.map(|function| RawName {
                name: function.name,
                is_rust: function.language.is_none_or(|language| language == DW_LANG_Rust),
                entry: frame.dw_die_offset,
            });
            let location = frame.location.and_then(|location| {
                let file = intern(&mut self.files, location.file?);
                Some(Location { file, line: location.line, column: location.column })
            });
            raw.push(RawFrame { name, location });
        }
        raw
    }

    fn function(&mut self, svma: u64, raw: &RawName<'a>, is_physical: bool) -> Function {
        let bytes = raw.name.slice();
        if let Some(known) = self.functions.get(bytes) {
            return known.clone();
        }
        let text = raw.name.to_string_lossy();
        if !raw.is_rust {
            return named(&text, &[]);
        }
        if let Some(path) = name::demangle(&text) {
            let scopes = self.scope_names(svma, raw, name::trailing_bodies(&path));
            let function = named(&path, &scopes);
            // Only linkage names are unique.
            self.functions.insert(bytes, function.clone());
            return function;
        }
        // No linkage name: `debug = "line-tables-only"`, or a function that is exported under its own name. Of a
        // physical function the symbol table may know more.
        let scopes = self.scope_names(svma, raw, usize::MAX);
        if is_physical && let Some(path) = self.symbol_name(svma).and_then(|symbol| name::demangle(&symbol)) {
            return named(&path, &scopes);
        }
        match name::path_of_scopes(&scopes) {
            path if path.is_empty() => named(&text, &[]),
            path => named(&path, &scopes),
        }
    }

    fn scope_names(&mut self, svma: u64, raw: &RawName<'a>, wanted: usize) -> Vec<String> {
        let (Some(context), Some(entry)) = (&self.context, raw.entry) else { return Vec::new() };
        if wanted == 0 {
            return Vec::new();
        }
        // The same unit that the frames came from: both take the first that knows the address.
        match context.find_dwarf_and_unit(svma).skip_all_loads() {
            Some(unit) => self.scopes.names(unit, entry, wanted),
            None => Vec::new(),
        }
    }

    fn symbol(&self, svma: u64) -> Option<Function> {
        let symbol = self.symbol_name(svma)?;
        Some(match name::demangle(&symbol) {
            Some(path) => named(&path, &[]),
            None => Function { name: symbol.as_str().into(), path: symbol.into() },
        })
    }

    fn symbol_name(&self, svma: u64) -> Option<String> {
        let object = self.object.as_ref()?;
        let symbols = self.symbols.get_or_init(|| SymbolTable::new(object));
        Some(String::from_utf8_lossy(symbols.find(svma)?).into_owned())
    }
}

fn frame(function: Option<Function>, location: Option<Location>, inlined: bool) -> Frame {
    Frame { function, location, inlined }
}

fn named(path: &str, scopes: &[String]) -> Function {
    let name = name::readable(path, scopes);
    let path: Arc<str> = path.into();
    // One allocation where the two are equal, as they mostly are.
    let name = if *name == *path { Arc::clone(&path) } else { name.into() };
    Function { name, path }
}

fn intern(strings: &mut HashSet<Arc<str>>, string: &str) -> Arc<str> {
    if let Some(known) = strings.get(string) {
        return Arc::clone(known);
    }
    let string: Arc<str> = string.into();
    strings.insert(Arc::clone(&string));
    string
}

fn context<'a>(bytes: &'a ObjectBytes, object: &object::File<'a>) -> Option<addr2line::Context<Reader<'a>>> {
    let endian = if object.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
    let section = |id: SectionId| {
        let data = if SECTIONS.contains(&id) { bytes.section(object, id) } else { &[] };
        Ok::<_, gimli::Error>(EndianSlice::new(data, endian))
    };
    let mut dwarf = gimli::Dwarf::load(section).ok()?;
    if dwarf.debug_info.reader().is_empty() {
        return None;
    }
    // Units of link-time optimized programs share abbreviations, which are then parsed once.
    dwarf.populate_abbreviations_cache(gimli::AbbreviationsCacheStrategy::Duplicates);
    addr2line::Context::from_dwarf(dwarf).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn this_program() -> Vec<u8> {
        std::fs::read("/proc/self/exe").unwrap()
    }

    fn open(bytes: Vec<u8>) -> DebugInfo {
        DebugInfo::from_file(Box::new(bytes))
    }

    /// Addresses of functions in a file, spread over it.
    fn functions(file: &[u8], count: usize) -> Vec<u64> {
        use object::ObjectSymbol;
        let object = object::File::parse(file).unwrap();
        let text = object.symbols().filter(|symbol| symbol.kind() == object::SymbolKind::Text);
        let all: Vec<u64> = text.map(|symbol| symbol.address() + 1).collect();
        all.iter().copied().step_by((all.len() / count).max(1)).collect()
    }

    #[test]
    fn a_file_without_anything_names_nothing() {
        assert!(open(Vec::new()).frames(0x1000).is_empty());
        assert!(open(b"\x7fELF".to_vec()).frames(0x1000).is_empty());
        let mut whole = open(this_program());
        for svma in [u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            assert!(whole.frames(svma).is_empty());
        }
    }

    #[test]
    fn linkage_names_share_their_strings() {
        let file = this_program();
        let addresses = functions(&file, 50);
        let mut debug_info = open(file);
        for &address in &addresses {
            let (first, second) = (debug_info.frames(address), debug_info.frames(address));
            assert_eq!(first, second);
            for (first, second) in first.iter().zip(&second) {
                if let (Some(first), Some(second)) = (&first.location, &second.location) {
                    assert!(Arc::ptr_eq(&first.file, &second.file));
                }
            }
        }
    }

    #[test]
    fn a_damaged_file_does_not_panic() {
        let file = this_program();
        let addresses = functions(&file, 20);
        let sections: Vec<(u64, u64)> = {
            let object = object::File::parse(&*file).unwrap();
            SECTIONS.iter().filter_map(|id| object.section_by_name(id.name())?.file_range()).collect()
        };
        // xorshift, so that a failure can be repeated.
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below.max(1)
        };
        let rounds =
            std::env::var("BW_DAMAGE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(4);
        for round in 0..rounds {
            let mut damaged = file.clone();
            for &(start, size) in &sections {
                for _ in 0..8 + size / 512 {
                    let at = usize::try_from(start + next(size)).unwrap();
                    damaged[at] = u8::try_from(next(256)).unwrap();
                }
            }
            if round % 2 == 1 {
                let length = usize::try_from(next(file.len() as u64)).unwrap();
                damaged.truncate(length);
            }
            let mut debug_info = open(damaged);
            for &address in &addresses {
                let _ = debug_info.frames(address);
            }
        }
    }
}
