//! Which module each address of a process lies in.

use std::ops::Range;
use std::path::{Path, PathBuf};

use bw_core::ReturnAddress;

use crate::build_id::BuildId;
use crate::loaded::{LoadedModule, LoadedModules};
use crate::process::Process;

/// One module of a process, of this one or another: where it is loaded, and what tells its build. Plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    path: PathBuf,
    build_id: Option<BuildId>,
    range: Range<u64>,
    bias: u64,
    code: Vec<CodeSegment>,
}

/// Where code of a module is: in the process, and in its file. Who symbolizes by a file's layout wants to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeSegment {
    /// The address in the process (AVMA) of its first byte.
    pub start: u64,
    /// The address after its last.
    pub end: u64,
    /// The position of its first byte in the file.
    pub file_offset: u64,
}

impl Module {
    /// A module by hand, or of another process: the file it was loaded from, the addresses it takes in the process (AVMAs),
    /// and its bias. `None` when the range is empty.
    ///
    /// The bias is the address in the process minus the address in the file, and wraps around.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, range: Range<u64>, bias: u64) -> Option<Self> {
        (!range.is_empty()).then(|| Self { path: path.into(), build_id: None, range, bias, code: Vec::new() })
    }

    /// The same module with a build id, or without one.
    #[must_use]
    pub fn with_build_id(self, build_id: Option<BuildId>) -> Self {
        Self { build_id, ..self }
    }

    /// The same module with its executable segments, by where they begin. Those that are empty or leave the range of the module
    /// are none of it, and left out.
    #[must_use]
    pub fn with_code(self, mut code: Vec<CodeSegment>) -> Self {
        let range = self.range.clone();
        code.retain(|at| range.start <= at.start && at.start < at.end && at.end <= range.end);
        code.sort();
        Self { code, ..self }
    }

    /// The file it was loaded from, as the loader of its process has it. Empty when not even that is known; a name without
    /// folder for what has no file, such as the vDSO.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its build id, when it was linked with one.
    #[must_use]
    pub fn build_id(&self) -> Option<&BuildId> {
        self.build_id.as_ref()
    }

    /// The addresses in the process (AVMAs) from its first segment to its last. Never empty.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Address in the process minus address in the file; wraps around.
    #[must_use]
    pub fn bias(&self) -> u64 {
        self.bias
    }

    /// Its executable segments, by where they begin; none where they are not known.
    #[must_use]
    pub fn code(&self) -> &[CodeSegment] {
        &self.code
    }
}

/// The modules of a process by their addresses. Plain `Send + Sync` data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleMap {
    /// By where they begin.
    modules: Vec<Module>,
}

impl ModuleMap {
    /// A map of those modules, which it orders by where they begin.
    #[must_use]
    pub fn new(mut modules: Vec<Module>) -> Self {
        modules.sort_by_key(|module| module.range.start);
        Self { modules }
    }

    /// What is loaded in this process now. Empty on platforms where that is not known: everywhere but Linux and Android.
    ///
    /// Takes the dynamic loader's lock for some microseconds, and allocates. Opens no file and reads no debug information:
    /// build ids are read from memory. Never call it from code that the loader runs.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::new(LoadedModules::now().modules.iter().filter_map(LoadedModule::to_module).collect())
    }

    /// The modules, by where they begin.
    #[must_use]
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// The index of the module that is the program of a process: that of its executable's path, or else, since a file may have been
    /// replaced or renamed, the first, where loaders put it. `None` if there are no modules.
    #[must_use]
    pub fn program(&self, process: &Process) -> Option<usize> {
        let executable = process.executable.as_deref();
        let named = self.modules.iter().position(|module| Some(module.path()) == executable);
        named.or((!self.modules.is_empty()).then_some(0))
    }

    /// The index of the module that a call lies in. Modules do not overlap; were they to, everything from where the second
    /// begins would be its, or nobody's.
    #[must_use]
    pub fn find(&self, address: ReturnAddress) -> Option<usize> {
        let address = address.lookup().get() as u64;
        let after = self.modules.partition_point(|module| module.range.start <= address);
        let last = after.checked_sub(1)?;
        self.modules[last].range.contains(&address).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(range: Range<u64>) -> Module {
        Module::new("m", range, 0).unwrap()
    }

    fn address(address: usize) -> ReturnAddress {
        ReturnAddress::new(address).unwrap()
    }

    #[test]
    fn calls_belong_to_the_module_they_are_made_in() {
        let map = ModuleMap::new(vec![module(30..40), module(10..20)]);
        assert_eq!(map.modules()[0].range(), 10..20);
        // A call that ends a module returns to what follows it.
        for (at, found) in [
            (10, None),
            (11, Some(0)),
            (20, Some(0)),
            (21, None),
            (30, None),
            (31, Some(1)),
            (40, Some(1)),
            (41, None),
        ] {
            assert_eq!(map.find(address(at)), found, "{at}");
        }
        assert_eq!(ModuleMap::default().find(address(1)), None);
    }

    #[test]
    fn of_modules_that_overlap_the_last_has_it() {
        let map = ModuleMap::new(vec![module(10..50), module(20..30)]);
        assert_eq!([15, 25, 35].map(|at| map.find(address(at))), [Some(0), Some(1), None]);
    }

    #[test]
    fn the_program_is_found_also_where_its_file_was_replaced() {
        let named = |path: &str, start: u64| Module::new(path, start..start + 1, 0).unwrap();
        let map = ModuleMap::new(vec![named("/srv/shop", 10), named("/lib/a.so", 20)]);
        let mut process = Process::new(1);
        assert_eq!((map.program(&process), ModuleMap::default().program(&process)), (Some(0), None));
        process.executable = Some("/srv/shop (deleted)".into());
        assert_eq!(map.program(&process), Some(0));
        process.executable = Some("/lib/a.so".into());
        assert_eq!(map.program(&process), Some(1));
    }

    #[test]
    fn code_outside_of_its_module_is_none_of_it() {
        let code = |start, end| CodeSegment { start, end, file_offset: 7 };
        let all = vec![code(15, 20), code(10, 12), code(9, 12), code(15, 21), code(15, 15), code(16, 15)];
        assert_eq!(module(10..20).with_code(all).code(), [code(10, 12), code(15, 20)]);
    }

    #[test]
    fn an_empty_range_is_no_module() {
        assert_eq!(Module::new("m", 5..5, 0), None);
    }

    #[test]
    #[cfg(all(any(target_os = "linux", target_os = "android"), not(bw_portable)))]
    fn this_process_has_itself_and_its_libraries() {
        let map = ModuleMap::of_this_process();
        let here = this_process_has_itself_and_its_libraries as fn() as usize;
        let found = map.find(address(here + 1)).unwrap();
        assert_eq!(map.modules()[found].path(), std::env::current_exe().unwrap());
        let code = |segment: &&CodeSegment| (segment.start..segment.end).contains(&(here as u64));
        assert_eq!(map.modules()[found].code().iter().filter(code).count(), 1);
        assert!(map.modules().iter().zip(&map.modules()[1..]).all(|(a, b)| a.range.end <= b.range.start));
    }
}
