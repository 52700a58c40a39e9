//! Frames from the files that describe a module: DWARF first, then the symbol table.
//!
//! No I/O: [`DebugInfo::from_bundle`] takes bytes, wherever they came from, and halves of split units come from where the
//! bundle says.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use gimli::{DW_LANG_Rust, Reader as _, Section as _, UnitOffset};
use self_cell::self_cell;

use crate::frame::{Frame, Function, Location};
use crate::name;
use crate::resolver::elf::read::inlined_calls;
use crate::resolver::elf::read::line_table::SourcePlace;
use crate::resolver::elf::read::object_bytes::{Bundle, ObjectBytes};
use crate::resolver::elf::read::scopes;
use crate::resolver::elf::read::symbol_table::SymbolTable;
use crate::resolver::elf::read::unit::Unit;
use crate::resolver::elf::read::units::Units;

self_cell!(
    /// The debug information of one module, together with the bytes it borrows from.
    ///
    /// Everything in it is lazy: what an address needs is parsed when it is asked for, and kept.
    pub(crate) struct DebugInfo {
        owner: Box<Bundle>,
        #[not_covariant]
        dependent: Parsed,
    }
);

impl DebugInfo {
    /// Reads the list of compilation units: about 1 ms for 100 MB of debug information. Sections that were stored compressed are
    /// unpacked, into memory.
    pub(crate) fn from_bundle(bundle: Bundle) -> Self {
        Self::new(Box::new(bundle), |bundle| Parsed::new(bundle))
    }

    /// The functions at an address in the file (an SVMA), innermost first.
    pub(crate) fn frames(&mut self, svma: u64) -> Vec<Frame> {
        self.with_dependent_mut(|_, parsed| parsed.frames(svma))
    }

    /// Whether an inlined function was met whose path the debug information does not tell.
    pub(crate) fn has_line_tables_only(&self) -> bool {
        self.with_dependent(|_, parsed| parsed.has_line_tables_only)
    }

    /// Whether it is left out because it would be too large unpacked.
    pub(crate) fn is_too_large(&self) -> bool {
        self.borrow_owner().is_too_large()
    }

    /// Files with split units that were looked for in vain, a few of them.
    pub(crate) fn missing(&self) -> Vec<PathBuf> {
        self.borrow_owner().missing()
    }

    /// Bytes of memory, about, beyond the mapped files.
    pub(crate) fn bytes(&self) -> usize {
        self.borrow_owner().private_bytes() + self.with_dependent(|_, parsed| parsed.bytes())
    }

    /// Gives memory back when more than `limit` bytes are used: first units, those that were not asked about for longest first, then
    /// names. Unpacked sections, the list of units, the last unit and the symbol table stay.
    pub(crate) fn shrink(&mut self, limit: usize) {
        self.with_dependent_mut(|bundle, parsed| parsed.shrink(limit.saturating_sub(bundle.private_bytes())));
    }
}

/// What was parsed so far.
pub(crate) struct Parsed<'a> {
    bundle: &'a Bundle,
    /// `None` when there is no DWARF.
    units: Option<Units<'a>>,
    symbols: OnceCell<SymbolTable<'a>>,
    /// Functions by linkage name: most are inlined at many addresses, and share their names. Where they are not inlined more is told
    /// of them, which is why that belongs to the key.
    functions: HashMap<(&'a [u8], bool), Function>,
    paths: HashSet<Arc<str>>,
    /// Bytes of memory that functions and paths take, about.
    name_bytes: usize,
    has_line_tables_only: bool,
}

/// A function at an address, inlined or not.
struct RawFrame<'a> {
    unit: Arc<Unit<'a>>,
    /// `None` where the debug information has lines only.
    entry: Option<UnitOffset>,
    place: Option<SourcePlace>,
}

impl<'a> Parsed<'a> {
    fn new(bundle: &'a Bundle) -> Self {
        let sections = bundle.main.sections().filter(|sections| !sections.debug_info.reader().is_empty());
        Self {
            bundle,
            units: sections.map(|sections| Units::new(bundle, sections)),
            symbols: OnceCell::new(),
            functions: HashMap::new(),
            paths: HashSet::new(),
            name_bytes: 0,
            has_line_tables_only: false,
        }
    }

    fn frames(&mut self, svma: u64) -> Vec<Frame> {
        let raw = self.raw_frames(svma);
        let Some(last) = raw.len().checked_sub(1) else {
            let function = self.symbol(svma);
            return function.into_iter().map(|function| frame(Some(function), None, false)).collect();
        };
        let frames = raw.into_iter().enumerate().map(|(index, raw)| {
            let is_physical = index == last;
            let function = self.function(svma, &raw, is_physical);
            let function = function.or_else(|| self.symbol(svma).filter(|_| is_physical));
            frame(function, self.location(&raw), !is_physical)
        });
        frames.filter(|frame| frame.function.is_some() || frame.location.is_some()).collect()
    }

    /// The functions at an address, innermost first.
    fn raw_frames(&mut self, svma: u64) -> Vec<RawFrame<'a>> {
        let Some(units) = &mut self.units else { return Vec::new() };
        let found = units.find(svma, |unit| {
            let function = unit.entry_table().function_at(svma);
            let place = unit.line_table().and_then(|lines| lines.place_of(svma));
            (function.is_some() || place.is_some()).then(|| (Arc::clone(unit), function, place))
        });
        let Some((unit, function, mut place)) = found else { return Vec::new() };
        let calls = function.map(|function| inlined_calls::at(unit.entries(), function, svma));
        let mut raw = Vec::new();
        for call in calls.unwrap_or_default().into_iter().rev() {
            raw.push(RawFrame { unit: Arc::clone(&unit), entry: Some(call.entry), place });
            place = call.place;
        }
        raw.push(RawFrame { unit, entry: function, place });
        raw
    }

    fn location(&mut self, raw: &RawFrame<'a>) -> Option<Location> {
        let SourcePlace { file, line, column } = raw.place?;
        let file = intern(&mut self.paths, &mut self.name_bytes, &raw.unit.file(file)?);
        Some(Location { file, line, column })
    }

    fn function(&mut self, svma: u64, raw: &RawFrame<'a>, is_physical: bool) -> Option<Function> {
        let (units, entry) = (self.units.as_mut()?, raw.entry?);
        let linkage_name = scopes::linkage_name(units, &raw.unit, entry)?;
        let key = (linkage_name.slice(), is_physical);
        if let Some(known) = self.functions.get(&key) {
            return Some(known.clone());
        }
        let text = linkage_name.to_string_lossy();
        if raw.unit.language().is_some_and(|language| language != DW_LANG_Rust) {
            return Some(named(&text, &[]));
        }
        if let Some(path) = name::demangle(&text) {
            let scopes = scopes::names(units, &raw.unit, entry, name::trailing_bodies(&path));
            let mut function = named(&path, &scopes);
            // Of a method, the older mangling has the names of its type's parameters, and not what they are.
            let has_own =
                path.starts_with('<') || path.rsplit("::").next().is_some_and(|own| own.contains('<'));
            if is_physical && scopes.is_empty() && !has_own {
                let own = scopes::names(units, &raw.unit, entry, 1).pop();
                function.generic = own.filter(|own| own.ends_with('>')).map(Into::into);
            }
            // Only linkage names are unique.
            let generic = function.generic.as_ref().map_or(0, |generic| generic.len());
            self.name_bytes += 128 + function.name.len() + function.path.len() + generic;
            self.functions.insert(key, function.clone());
            return Some(function);
        }
        // No linkage name: `debug = "line-tables-only"`, or a function that is exported under its own name. Of a
        // physical function the symbol table may know more.
        let scopes = scopes::names(units, &raw.unit, entry, usize::MAX);
        if is_physical && let Some(path) = self.symbol_name(svma).and_then(|symbol| name::demangle(&symbol)) {
            return Some(named(&path, &scopes));
        }
        // A Rust function without a namespace around it, whose name is not the linker's.
        self.has_line_tables_only |= scopes.len() < 2 && !is_physical;
        Some(match name::path_of_scopes(&scopes) {
            path if path.is_empty() => named(&text, &[]),
            path => named(&path, &scopes),
        })
    }

    fn symbol(&self, svma: u64) -> Option<Function> {
        let symbol = self.symbol_name(svma)?;
        Some(match name::demangle(&symbol) {
            Some(path) => named(&path, &[]),
            None => Function::new(symbol.as_str(), symbol.as_str()),
        })
    }

    fn symbol_name(&self, svma: u64) -> Option<String> {
        let symbols = self.symbols.get_or_init(|| {
            let objects = [Some(&self.bundle.main), self.bundle.own.as_ref()];
            SymbolTable::new(objects.into_iter().flatten().filter_map(ObjectBytes::object))
        });
        Some(String::from_utf8_lossy(symbols.find(svma)?).into_owned())
    }

    fn bytes(&self) -> usize {
        self.name_bytes
            + self.symbols.get().map_or(0, SymbolTable::bytes)
            + self.units.as_ref().map_or(0, Units::bytes)
    }

    fn shrink(&mut self, limit: usize) {
        let others = self.bytes() - self.units.as_ref().map_or(0, Units::kept_bytes);
        if let Some(units) = &mut self.units {
            units.shrink(limit.saturating_sub(others));
        }
        if self.bytes() > limit {
            (self.functions, self.paths, self.name_bytes) = (HashMap::new(), HashSet::new(), 0);
        }
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
    Function { name, path, generic: None }
}

fn intern(strings: &mut HashSet<Arc<str>>, bytes: &mut usize, string: &str) -> Arc<str> {
    if let Some(known) = strings.get(string) {
        return Arc::clone(known);
    }
    let string: Arc<str> = string.into();
    *bytes += 64 + string.len();
    strings.insert(Arc::clone(&string));
    string
}

// They read this program, an ELF file there.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::resolver::elf::read::object_bytes::{SECTIONS, SplitPlaces};
    use object::{Object, ObjectSection};

    fn this_program() -> Vec<u8> {
        std::fs::read("/proc/self/exe").unwrap()
    }

    fn open(bytes: Vec<u8>) -> DebugInfo {
        DebugInfo::from_bundle(Bundle::new(Box::new(bytes), None, SplitPlaces::default(), 1 << 30))
    }

    /// Addresses of functions in a file, spread over it.
    fn functions(file: &[u8], count: usize) -> Vec<u64> {
        use object::ObjectSymbol;
        let object = object::File::parse(file).unwrap();
        // Not those of other files, at zero.
        let text = object
            .symbols()
            .filter(|symbol| symbol.kind() == object::SymbolKind::Text && symbol.is_definition());
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
    fn frames_are_those_of_another_reader() {
        let file = this_program();
        let addresses: Vec<u64> = functions(&file, 1500).into_iter().flat_map(|it| [it, it + 30]).collect();
        let bundle = Bundle::new(Box::new(file), None, SplitPlaces::default(), 0);
        let other = addr2line::Context::from_dwarf(bundle.main.sections().unwrap()).unwrap();
        let mut parsed = Parsed::new(&bundle);
        let (mut compared, mut inlined) = (0, 0);
        for address in addresses {
            let ours = parsed.raw_frames(address).into_iter().map(|raw| {
                let name = scopes::linkage_name(parsed.units.as_mut().unwrap(), &raw.unit, raw.entry?)?;
                let place = parsed.location(&raw).map(|it| (it.file.to_string(), it.line, it.column));
                Some((name.to_string_lossy().into_owned(), place))
            });
            let ours: Vec<_> = ours.collect();
            let mut frames = other.find_frames(address).skip_all_loads().unwrap();
            let mut theirs = Vec::new();
            while let Some(frame) = frames.next().unwrap() {
                let place = frame.location.and_then(|it| {
                    // They have a column of zero where none is known.
                    Some((it.file?.to_owned(), it.line, it.column.filter(|&column| column != 0)))
                });
                theirs.push(frame.function.map(|it| (it.raw_name().unwrap().into_owned(), place)));
            }
            assert_eq!(ours, theirs, "{address:#x}");
            compared += theirs.len();
            inlined += theirs.len().saturating_sub(1);
        }
        assert!(compared > 1000 && inlined > 0, "{compared} frames, {inlined} inlined");
    }

    #[test]
    fn units_that_no_list_has_are_found() {
        let file = this_program();
        let addresses = functions(&file, 200);
        let mut without = file.clone();
        let name = b".debug_aranges\0";
        let at = without.windows(name.len()).rposition(|bytes| bytes == name).expect("rustc lists units");
        without[at..at + name.len()].copy_from_slice(b".debug_nothing\0");
        let (mut debug_info, mut without) = (open(file), open(without));
        for address in addresses {
            assert_eq!(without.frames(address), debug_info.frames(address), "{address:#x}");
        }
    }

    #[test]
    fn frames_do_not_depend_on_what_was_asked_before() {
        let file = this_program();
        let addresses: Vec<u64> = functions(&file, 3000).into_iter().flat_map(|it| [it, it + 20]).collect();
        let (mut forwards, mut backwards) = (open(file.clone()), open(file));
        let mut expected: Vec<_> = addresses.iter().map(|&address| forwards.frames(address)).collect();
        for &address in addresses.iter().rev() {
            assert_eq!(Some(backwards.frames(address)), expected.pop(), "{address:#x}");
        }
    }

    #[test]
    fn what_was_parsed_is_given_back() {
        let file = this_program();
        let addresses = functions(&file, 200);
        let mut debug_info = open(file);
        let opened = debug_info.bytes();
        let expected: Vec<_> = addresses.iter().map(|&address| debug_info.frames(address)).collect();
        let all = debug_info.bytes();
        debug_info.shrink(all);
        assert_eq!(debug_info.bytes(), all);
        debug_info.shrink(all / 2);
        let half = debug_info.bytes();
        assert!(half <= all / 2, "{half} of {all}");
        debug_info.shrink(0);
        let none = debug_info.bytes();
        assert!(none < half && none >= opened, "{none} of {opened}");
        let again: Vec<_> = addresses.iter().map(|&address| debug_info.frames(address)).collect();
        assert_eq!(again, expected);
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
