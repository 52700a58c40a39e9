//! Frames from the files that describe a module: DWARF first, then the symbol table.
//!
//! No I/O: [`DebugInfo::from_bundle`] takes bytes, wherever they came from, and halves of split units come from where the
//! bundle says.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use addr2line::{Context, LookupContinuation, LookupResult};
use gimli::{
    AbbreviationsCacheStrategy, DW_LANG_Rust, DwarfFileType, DwoId, Reader as _, Section as _, UnitOffset,
};
use self_cell::self_cell;

use crate::frame::{Frame, Function, Location};
use crate::name;
use crate::resolver::elf::read::damage::{self, Damage};
use crate::resolver::elf::read::memory_estimate;
use crate::resolver::elf::read::object_bytes::{Bundle, ObjectBytes, Reader};
use crate::resolver::elf::read::scopes::Scopes;
use crate::resolver::elf::read::symbol_table::SymbolTable;

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
    /// Indexes the compilation units: about 10 ms for 20 MB of debug information. Sections that were stored compressed are
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

    /// Why the debug information is not used.
    pub(crate) fn damage(&self) -> Option<Damage> {
        self.with_dependent(|_, parsed| parsed.damage)
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

    /// Gives memory back when more than `limit` bytes are used: all that was parsed for addresses, so that the next one
    /// indexes the units anew. Unpacked sections and the index stay.
    pub(crate) fn shrink(&mut self, limit: usize) {
        self.with_dependent_mut(|bundle, parsed| parsed.shrink(limit.saturating_sub(bundle.private_bytes())));
    }
}

/// What was parsed so far.
pub(crate) struct Parsed<'a> {
    bundle: &'a Bundle,
    /// `None` when there is no DWARF, or it cannot be read.
    context: Option<Context<Reader<'a>>>,
    damage: Option<Damage>,
    symbols: OnceCell<SymbolTable<'a>>,
    scopes: Scopes<'a>,
    /// Functions by linkage name: most are inlined at many addresses, and share their names.
    functions: HashMap<&'a [u8], Function>,
    paths: HashSet<Arc<str>>,
    /// Units that were asked about, and what they are thought to take.
    units: HashSet<(Option<DwoId>, usize)>,
    /// Bytes of memory, estimated: what is there from the beginning, and what came.
    base_bytes: usize,
    more_bytes: usize,
    has_line_tables_only: bool,
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
    fn new(bundle: &'a Bundle) -> Self {
        let sections = bundle.main.sections().filter(|sections| !sections.debug_info.reader().is_empty());
        let damage = sections.as_ref().filter(|_| !bundle.is_trusted).and_then(damage::find);
        let mut base_bytes = 0;
        let context = sections.filter(|_| damage.is_none()).and_then(|mut sections| {
            base_bytes = memory_estimate::opened(&sections);
            // Units of link-time optimized programs share abbreviations, which are then parsed once.
            sections.populate_abbreviations_cache(AbbreviationsCacheStrategy::Duplicates);
            Context::from_dwarf(sections).ok()
        });
        Self {
            bundle,
            context,
            damage,
            symbols: OnceCell::new(),
            scopes: Scopes::default(),
            functions: HashMap::new(),
            paths: HashSet::new(),
            units: HashSet::new(),
            base_bytes,
            more_bytes: 0,
            has_line_tables_only: false,
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
        let Ok(mut frames) = loaded(self.bundle, context.find_frames(svma)) else { return raw };
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.map(|function| RawName {
                name: function.name,
                is_rust: function.language.is_none_or(|language| language == DW_LANG_Rust),
                entry: frame.dw_die_offset,
            });
            let location = frame.location.and_then(|location| {
                let file = intern(&mut self.paths, &mut self.more_bytes, location.file?);
                // Zero means unknown.
                let known = |number: Option<u32>| number.filter(|&number| number != 0);
                Some(Location { file, line: known(location.line), column: known(location.column) })
            });
            raw.push(RawFrame { name, location });
        }
        if let Some(unit) = loaded(self.bundle, context.find_dwarf_and_unit(svma)) {
            let is_half = unit.dwarf.file_type == DwarfFileType::Dwo;
            let start = unit.header.debug_info_offset().map_or(0, |start| start.0);
            if self.units.insert((unit.dwo_id.filter(|_| is_half), start)) {
                self.more_bytes += memory_estimate::unit(unit);
            }
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
            let mut function = named(&path, &scopes);
            // Of a method, the older mangling has the names of its type's parameters, and not what they are.
            let has_own =
                path.starts_with('<') || path.rsplit("::").next().is_some_and(|own| own.contains('<'));
            if is_physical && scopes.is_empty() && !has_own {
                let own = self.scope_names(svma, raw, 1).pop();
                function.generic = own.filter(|own| own.ends_with('>')).map(Into::into);
            }
            // Only linkage names are unique.
            let generic = function.generic.as_ref().map_or(0, |generic| generic.len());
            self.more_bytes += 128 + function.name.len() + function.path.len() + generic;
            self.functions.insert(bytes, function.clone());
            return function;
        }
        // No linkage name: `debug = "line-tables-only"`, or a function that is exported under its own name. Of a
        // physical function the symbol table may know more.
        let scopes = self.scope_names(svma, raw, usize::MAX);
        if is_physical && let Some(path) = self.symbol_name(svma).and_then(|symbol| name::demangle(&symbol)) {
            return named(&path, &scopes);
        }
        // A Rust function without a namespace around it, whose name is not the linker's.
        self.has_line_tables_only |= scopes.len() < 2 && !is_physical;
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
        match loaded(self.bundle, context.find_dwarf_and_unit(svma)) {
            Some(unit) => self.scopes.names(unit, entry, wanted),
            None => Vec::new(),
        }
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
        self.base_bytes + self.more_bytes + self.symbols.get().map_or(0, SymbolTable::bytes)
    }

    /// All of it or nothing: addr2line does not give units back one by one.
    ///
    /// Indexing anew takes as long as opening. So what is given back must be worth it, a quarter of the index: a program
    /// whose index alone exceeds the limit would be opened for every address otherwise.
    fn shrink(&mut self, limit: usize) {
        if self.bytes() > limit && self.more_bytes > self.base_bytes / 4 {
            let has_line_tables_only = self.has_line_tables_only;
            *self = Self { has_line_tables_only, ..Self::new(self.bundle) };
        }
    }
}

/// What a lookup finds, halves of split units loaded as it asks for them.
fn loaded<'a, L>(bundle: &'a Bundle, mut lookup: LookupResult<L>) -> L::Output
where
    L: LookupContinuation<Buf = Reader<'a>>,
{
    loop {
        match lookup {
            LookupResult::Output(output) => return output,
            LookupResult::Load { load, continuation } => {
                let folder = load.comp_dir.map(|folder| folder.to_string_lossy().into_owned());
                let name = load.path.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let half = bundle.split(load.dwo_id, folder.as_deref(), &name, &load.parent);
                lookup = continuation.resume(half.map(Arc::new));
            }
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
        DebugInfo::from_bundle(Bundle::new(Box::new(bytes), None, SplitPlaces::default(), false, 1 << 30))
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
    fn what_was_parsed_is_given_back_when_that_is_worth_it() {
        let file = this_program();
        let addresses = functions(&file, 200);
        let mut debug_info = open(file);
        let _ = debug_info.frames(addresses[0]);
        let first = debug_info.bytes();
        let expected: Vec<_> = addresses.iter().map(|&address| debug_info.frames(address)).collect();
        let all = debug_info.bytes();
        debug_info.shrink(all);
        assert_eq!(debug_info.bytes(), all);
        debug_info.shrink(0);
        assert!(debug_info.bytes() < all / 2, "{} of {all}", debug_info.bytes());
        let again: Vec<_> = addresses.iter().map(|&address| debug_info.frames(address)).collect();
        assert_eq!(again, expected);
        assert!(first > 0);
    }

    #[test]
    fn an_index_larger_than_the_limit_is_not_made_again_for_every_address() {
        let file = this_program();
        let addresses = functions(&file, 20);
        let mut debug_info = open(file);
        let _ = debug_info.frames(addresses[0]);
        let parsed = debug_info.bytes();
        debug_info.with_dependent_mut(|_, parsed| parsed.base_bytes = 1 << 30);
        debug_info.shrink(0);
        assert!(debug_info.bytes() > 1 << 30, "the context is the same: {parsed}");
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
