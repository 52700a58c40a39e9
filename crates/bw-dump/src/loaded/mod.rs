//! What the dynamic loader of this process has loaded.
//!
//! [`ModuleMap::of_this_process`](crate::ModuleMap::of_this_process) is the shorter way to the same: this module also has what a
//! symbolizer of this process needs, namely every segment, and a number that tells whether anything was loaded or unloaded since.
//!
//! Linux and Android have such a loader. Elsewhere [`LoadedModules::now`] is empty and [`LoadGeneration::now`] is always the same.

use std::ops::Range;
use std::path::PathBuf;

use crate::build_id::BuildId;
use crate::module_map::{CodeSegment, Module, ModuleMap};

mod build_id_note;
#[cfg(all(any(target_os = "linux", target_os = "android"), not(bw_portable)))]
mod dynamic_loader;

/// Finds the build id in the bytes of a `PT_NOTE` segment, in the byte order of this machine. Does not trust the bytes.
///
/// `align` is the segment's: names and descriptors are padded to 4, or to 8 where the segment says so.
#[must_use]
pub fn build_id_in_notes(notes: &[u8], align: usize) -> Option<BuildId> {
    BuildId::from_bytes(build_id_note::find(notes, align)?)
}

/// How often modules were loaded into this process and unloaded from it. Later is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct LoadGeneration {
    /// Modules loaded since the process started.
    pub loads: u64,
    /// Modules unloaded since the process started.
    pub unloads: u64,
}

impl LoadGeneration {
    /// Returns a generation with these counts.
    #[must_use]
    pub const fn new(loads: u64, unloads: u64) -> Self {
        Self { loads, unloads }
    }

    /// Asks the dynamic loader. Takes its lock for about 100 ns; does not allocate.
    ///
    /// Old C libraries (Android before 11) do not count. The number of modules takes the place of the loads there, and a module
    /// that was exchanged for another goes unnoticed.
    #[must_use]
    pub fn now() -> Self {
        #[cfg(all(any(target_os = "linux", target_os = "android"), not(bw_portable)))]
        return dynamic_loader::generation();
        #[cfg(not(all(any(target_os = "linux", target_os = "android"), not(bw_portable))))]
        return Self::default();
    }
}

/// The modules that are loaded in this process, and the generation they belong to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LoadedModules {
    /// The generation of the loader when the modules were read.
    pub generation: LoadGeneration,
    /// The modules in the loader's order: the program first.
    pub modules: Vec<LoadedModule>,
}

impl LoadedModules {
    /// Asks the dynamic loader. Takes its lock for some microseconds, and allocates. Opens no file: build ids are read from memory.
    /// Never call it from code that the loader runs.
    #[must_use]
    pub fn now() -> Self {
        #[cfg(all(any(target_os = "linux", target_os = "android"), not(bw_portable)))]
        return dynamic_loader::modules();
        #[cfg(not(all(any(target_os = "linux", target_os = "android"), not(bw_portable))))]
        return Self::default();
    }
}

/// A module that is loaded in this process.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoadedModule {
    /// The file it was loaded from, as the loader has it; a name without a slash for the vDSO, which has no file. The path of the
    /// program comes from the kernel.
    pub path: PathBuf,
    /// Whether it is the program itself.
    pub is_program: bool,
    /// Address in this process minus address in the file; wraps around.
    pub bias: u64,
    /// Its segments (`PT_LOAD`).
    pub segments: Vec<LoadedSegment>,
    /// Its build id.
    pub build_id: Option<BuildId>,
    /// All bytes of the module, if it is the vDSO.
    pub image: Option<Vec<u8>>,
}

/// A part of a module's file that is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadedSegment {
    /// Its addresses in the file (SVMAs).
    pub range: Range<u64>,
    /// The position of its first byte in the file.
    pub file_offset: u64,
    /// Whether it is executable.
    pub is_code: bool,
}

impl LoadedModule {
    /// Returns the module as plain data. `None` for a module without segments, or with segments that end before they begin.
    #[must_use]
    pub fn to_module(&self) -> Option<Module> {
        let segments = || self.segments.iter().filter(|segment| !segment.range.is_empty());
        let start = segments().map(|segment| segment.range.start).min()?;
        let end = segments().map(|segment| segment.range.end).max()?;
        let in_process = |address: u64| self.bias.wrapping_add(address);
        let module = Module::new(&self.path, in_process(start)..in_process(end), self.bias)?;
        let code = segments().filter(|segment| segment.is_code).map(|segment| CodeSegment {
            start: in_process(segment.range.start),
            end: in_process(segment.range.end),
            file_offset: segment.file_offset,
        });
        Some(module.with_code(code.collect()).with_build_id(self.build_id.clone()))
    }
}

impl ModuleMap {
    /// Returns what is loaded in this process now. Empty on platforms where that is not known: everywhere but Linux and Android.
    ///
    /// Takes the dynamic loader's lock for some microseconds, and allocates. Opens no file and reads no debug information:
    /// build ids are read from memory. Never call it from code that the loader runs.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::new(LoadedModules::now().modules.iter().filter_map(LoadedModule::to_module).collect())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn segment(start: u64, end: u64) -> LoadedSegment {
        LoadedSegment { range: start..end, file_offset: start / 2, is_code: start > 0 }
    }

    fn library(path: &[u8], bias: u64, segments: Vec<LoadedSegment>) -> LoadedModule {
        let build_id = BuildId::from_bytes(&[0xab, 1]);
        LoadedModule {
            path: OsStr::from_bytes(path).into(),
            is_program: false,
            bias,
            segments,
            build_id,
            image: None,
        }
    }

    #[test]
    fn a_module_spans_its_segments() {
        let loaded = library(b"/lib/\xff.so", 0x1000, vec![segment(0x20, 0x30), segment(0, 0x10)]);
        let module = loaded.to_module().unwrap();
        assert_eq!((module.range(), module.bias()), (0x1000..0x1030, 0x1000));
        assert_eq!(module.path().as_os_str().as_bytes(), b"/lib/\xff.so");
        assert_eq!(module.build_id().unwrap().to_string(), "ab01");
        let code = CodeSegment { start: 0x1020, end: 0x1030, file_offset: 0x10 };
        assert_eq!(module.code(), [code]);
    }

    #[test]
    fn a_bias_may_wrap_around() {
        // The vDSO of old kernels was linked near the end of the address space.
        let start = u64::MAX - 0xfff;
        let loaded = library(b"vdso", 0x2000_u64.wrapping_sub(start), vec![segment(start, u64::MAX)]);
        assert_eq!(loaded.to_module().unwrap().range(), 0x2000..0x2fff);
    }

    #[test]
    fn what_has_no_segments_is_no_module() {
        assert!(library(b"a", 0, Vec::new()).to_module().is_none());
        assert!(library(b"a", 1, vec![segment(7, 7)]).to_module().is_none());
        assert!(library(b"a", u64::MAX - 7, vec![segment(0, 16)]).to_module().is_none());
    }
}
