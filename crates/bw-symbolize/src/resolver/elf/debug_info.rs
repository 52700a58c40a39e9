//! Frames from the files that describe a module: DWARF first, then the symbol table.
//!
//! No I/O: [`DebugInfo::from_bundle`] takes bytes, wherever they came from, and halves of split units come from where the
//! bundle says.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use self_cell::self_cell;

use crate::frame::{Frame, Function, Location};
use crate::name;
use crate::resolver::elf::dwarf::{Described, Dwarf, FileRow, Found};
use crate::resolver::elf::object_bytes::{Bundle, ObjectBytes};
use crate::resolver::elf::symbol_table::SymbolTable;

self_cell!(
    /// The debug information of one module, together with the bytes it borrows from.
    ///
    /// Everything in it is lazy: what an address needs is parsed when it is asked for, and kept.
    pub(super) struct DebugInfo {
        owner: Box<Bundle>,
        #[not_covariant]
        dependent: Parsed,
    }
);

impl DebugInfo {
    /// Reads where the compilation units are: some milliseconds for 50 MB of debug information. Sections that were
    /// stored compressed are unpacked, into memory.
    pub(super) fn from_bundle(bundle: Bundle) -> Self {
        Self::new(Box::new(bundle), |bundle| Parsed::new(bundle))
    }

    /// The functions at an address in the file (an SVMA), innermost first.
    pub(super) fn frames(&mut self, svma: u64) -> Vec<Frame> {
        self.with_dependent_mut(|_, parsed| parsed.frames(svma))
    }

    /// Whether an inlined function was met whose path the debug information does not tell.
    pub(super) fn has_line_tables_only(&self) -> bool {
        self.with_dependent(|_, parsed| parsed.has_line_tables_only)
    }

    /// Files with split units that were looked for in vain, a few of them.
    pub(super) fn missing(&self) -> Vec<PathBuf> {
        self.borrow_owner().missing()
    }

    /// Bytes of memory, about, beyond the mapped files.
    pub(super) fn bytes(&self) -> usize {
        self.borrow_owner().private_bytes() + self.with_dependent(|_, parsed| parsed.bytes())
    }

    /// Gives memory back until no more than `limit` bytes are used, as far as that is possible: unpacked sections
    /// and the index of units stay.
    pub(super) fn shrink(&mut self, limit: usize) {
        self.with_dependent_mut(|bundle, parsed| parsed.shrink(limit.saturating_sub(bundle.private_bytes())));
    }
}

/// What was parsed so far.
pub(super) struct Parsed<'a> {
    bundle: &'a Bundle,
    /// `None` when there is no DWARF, or it cannot be read.
    dwarf: Option<Dwarf<'a>>,
    symbols: OnceCell<SymbolTable<'a>>,
    /// Functions by linkage name: most are inlined at many addresses, and share their names.
    functions: HashMap<&'a [u8], Function>,
    /// Paths by unit and number; equal ones are shared.
    files: HashMap<(usize, u64), Option<Arc<str>>>,
    paths: HashSet<Arc<str>>,
    /// Bytes of memory that `functions`, `files` and `paths` take, about.
    name_bytes: usize,
    has_line_tables_only: bool,
}

impl<'a> Parsed<'a> {
    fn new(bundle: &'a Bundle) -> Self {
        Self {
            bundle,
            dwarf: bundle.main.sections().and_then(Dwarf::new),
            symbols: OnceCell::new(),
            functions: HashMap::new(),
            files: HashMap::new(),
            paths: HashSet::new(),
            name_bytes: 0,
            has_line_tables_only: false,
        }
    }

    fn frames(&mut self, svma: u64) -> Vec<Frame> {
        let found = self.dwarf.as_mut().map(|dwarf| dwarf.find(svma, &self.bundle)).unwrap_or_default();
        let Some(last) = found.len().checked_sub(1) else {
            let function = self.symbol(svma);
            return function.into_iter().map(|function| frame(Some(function), None, false)).collect();
        };
        found
            .into_iter()
            .enumerate()
            .map(|(index, Found { function, location })| {
                let is_physical = index == last;
                let function = match function {
                    Some(described) => self.function(svma, &described, is_physical),
                    None if is_physical => self.symbol(svma),
                    None => None,
                };
                let location = location.and_then(|row| self.location(row));
                frame(function, location, !is_physical)
            })
            .filter(|frame| frame.function.is_some() || frame.location.is_some())
            .collect()
    }

    fn location(&mut self, row: FileRow) -> Option<Location> {
        let file = match self.files.get(&row.file_key()) {
            Some(known) => known.clone(),
            None => {
                let path = self.dwarf.as_mut().and_then(|dwarf| dwarf.path(row, &self.bundle));
                let path = path.map(|path| intern(&mut self.paths, &mut self.name_bytes, &path));
                self.name_bytes += 64;
                self.files.insert(row.file_key(), path.clone());
                path
            }
        };
        Some(Location { file: file?, line: row.line(), column: row.column() })
    }

    fn function(&mut self, svma: u64, described: &Described<'a>, is_physical: bool) -> Option<Function> {
        let raw = described.linkage_name.or(described.name)?;
        if let Some(known) = self.functions.get(raw.slice()) {
            return Some(known.clone());
        }
        let text = raw.to_string_lossy();
        if !described.is_rust {
            return Some(named(&text, &[]));
        }
        if let Some(path) = name::demangle(&text) {
            let scopes = self.scopes(described, name::trailing_bodies(&path));
            let function = named(&path, &scopes);
            // Only linkage names are unique.
            self.name_bytes += 128 + function.name.len() + function.path.len();
            self.functions.insert(raw.slice(), function.clone());
            return Some(function);
        }
        // No linkage name: `debug = "line-tables-only"`, or a function that is exported under its own name. Of a
        // physical function the symbol table may know more.
        let scopes = self.scopes(described, usize::MAX);
        if is_physical && let Some(path) = self.symbol_name(svma).and_then(|symbol| name::demangle(&symbol)) {
            return Some(named(&path, &scopes));
        }
        self.has_line_tables_only |= !described.has_linkage_names && scopes.len() < 2;
        Some(match name::path_of_scopes(&scopes) {
            path if path.is_empty() => named(&text, &[]),
            path => named(&path, &scopes),
        })
    }

    fn scopes(&mut self, described: &Described<'a>, wanted: usize) -> Vec<String> {
        match &mut self.dwarf {
            Some(dwarf) if wanted > 0 => dwarf.scopes(described, wanted, &self.bundle),
            _ => Vec::new(),
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
        let symbols = self.symbols.get_or_init(|| {
            let objects = [Some(&self.bundle.main), self.bundle.own.as_ref()];
            SymbolTable::new(objects.into_iter().flatten().filter_map(ObjectBytes::object))
        });
        Some(String::from_utf8_lossy(symbols.find(svma)?).into_owned())
    }

    fn bytes(&self) -> usize {
        let symbols = self.symbols.get().map_or(0, SymbolTable::bytes);
        self.dwarf.as_ref().map_or(0, Dwarf::bytes) + symbols + self.name_bytes
    }

    fn shrink(&mut self, limit: usize) {
        if self.bytes() <= limit {
            return;
        }
        let others = self.bytes() - self.dwarf.as_ref().map_or(0, Dwarf::bytes);
        if others > limit / 2 {
            self.symbols = OnceCell::new();
            self.functions = HashMap::new();
            self.files = HashMap::new();
            self.paths = HashSet::new();
            self.name_bytes = 0;
        }
        let others = self.bytes() - self.dwarf.as_ref().map_or(0, Dwarf::bytes);
        if let Some(dwarf) = &mut self.dwarf {
            dwarf.shrink(limit.saturating_sub(others));
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
    Function { name, path }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::elf::object_bytes::{SECTIONS, SplitPlaces};
    use object::{Object, ObjectSection};

    fn this_program() -> Vec<u8> {
        std::fs::read("/proc/self/exe").unwrap()
    }

    fn open(bytes: Vec<u8>) -> DebugInfo {
        DebugInfo::from_bundle(Bundle::new(Box::new(bytes), None, SplitPlaces::default()))
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

    /// What another reader of DWARF finds: linkage names and positions.
    #[test]
    fn the_frames_are_those_of_addr2line() {
        let file = std::env::var_os("BW_OBJECT")
            .map_or_else(this_program, |path| std::fs::read(path).expect("BW_OBJECT names a file"));
        let addresses = functions(&file, 2000);
        let object = object::File::parse(&*file).unwrap();
        let section = |id: gimli::SectionId| {
            let data = object.section_by_name(id.name()).and_then(|section| section.data().ok());
            Ok::<_, gimli::Error>(gimli::EndianSlice::new(data.unwrap_or_default(), gimli::LittleEndian))
        };
        let other = addr2line::Context::from_dwarf(gimli::Dwarf::load(section).unwrap()).unwrap();
        let bundle = Bundle::new(Box::new(file.clone()), None, SplitPlaces::default());
        let sections = bundle.main.sections().unwrap();
        let mut dwarf = Dwarf::new(sections).unwrap();
        let mut compared = 0;
        // The addresses of symbols, and some in the middle of functions.
        for svma in addresses.iter().flat_map(|&start| [start, start + 20, start + 150]) {
            let mut theirs = Vec::new();
            let mut frames = other.find_frames(svma).skip_all_loads().unwrap();
            while let Some(frame) = frames.next().unwrap() {
                let name = frame.function.map(|function| function.name.to_string_lossy().into_owned());
                let location = frame
                    .location
                    .map(|it| (it.file.map(str::to_owned), it.line, it.column.filter(|&column| column != 0)));
                theirs.push((name, location));
            }
            let found = dwarf.find(svma, &&bundle);
            let ours: Vec<_> = found
                .into_iter()
                .map(|Found { function, location }| {
                    let raw = function.and_then(|it| it.linkage_name.or(it.name));
                    let path = location.map(|row| dwarf.path(row, &&bundle));
                    let location = location.zip(path).map(|(row, path)| (path, row.line(), row.column()));
                    (raw.map(|name| name.to_string_lossy().into_owned()), location)
                })
                .collect();
            // Units that only have lines for an address end the search of the other.
            if theirs.iter().all(|(name, _)| name.is_none()) && ours.iter().any(|(name, _)| name.is_some()) {
                continue;
            }
            compared += ours.len();
            assert_eq!(ours, theirs, "at {svma:#x}");
        }
        assert!(compared > 1000, "{compared}");
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
