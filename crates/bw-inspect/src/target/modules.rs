//! The modules of a process: its program and the libraries that are loaded, read from its memory.
//!
//! The ELF header and the program headers of a module lie in its first page, and what they name is mapped. So nothing is read from files,
//! which may have been replaced since, or lie in another container.

use std::ops::Range;
use std::path::{Path, PathBuf};

use bw_core::ReturnAddress;
use bw_dump::loaded::build_id_in_notes;
use bw_dump::{BuildId, CodeSegment, Module, ModuleMap};
use object::elf::{
    ET_EXEC, FileHeader64, PF_R, PF_W, PF_X, PT_GNU_EH_FRAME, PT_GNU_RELRO, PT_LOAD, PT_NOTE, PT_TLS,
    ProgramHeader64,
};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{LittleEndian, pod};

use super::architecture::Architecture;
use super::mappings::Mapping;
use super::memory::Memory;
use super::words::bytes_at;

/// Bytes of the start of a module in which its headers are looked for.
const HEADER_BYTES: usize = 4096;
/// Bytes of notes that are read.
const MOST_NOTE_BYTES: u64 = 64 * 1024;
/// Modules that are looked at.
const MOST_MODULES: usize = 4096;

/// One module, and the parts of it that inspecting needs. Every address is one in the process.
#[derive(Clone, Debug)]
pub(crate) struct LoadedModule {
    module: Module,
    constants: Vec<Range<u64>>,
    unwind: Option<UnwindSegment>,
    architecture: Option<Architecture>,
    /// Bytes of the thread-local variables that each thread has of it.
    thread_local_bytes: u64,
}

/// Where the unwind information of a module is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnwindSegment {
    /// The address of `.eh_frame_hdr`.
    pub(crate) header: u64,
    /// The segment that both `.eh_frame_hdr` and `.eh_frame` are in.
    pub(crate) segment: Range<u64>,
}

impl LoadedModule {
    /// Returns what symbolizers need of it.
    #[must_use]
    pub(crate) fn module(&self) -> &Module {
        &self.module
    }

    /// Returns the parts that hold constants with addresses in them, such as tables of functions.
    #[must_use]
    pub(crate) fn constants(&self) -> &[Range<u64>] {
        &self.constants
    }

    /// Returns where its unwind information is, if it has any.
    #[must_use]
    pub(crate) fn unwind(&self) -> Option<&UnwindSegment> {
        self.unwind.as_ref()
    }

    /// Whether code of this module is at an address.
    #[must_use]
    pub(crate) fn has_code_at(&self, address: u64) -> bool {
        self.module.code().iter().any(|code| (code.start..code.end).contains(&address))
    }
}

/// The modules of a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoadedModules {
    /// By where they begin.
    modules: Vec<LoadedModule>,
    architecture: Architecture,
}

impl LoadedModules {
    /// Reads the headers of every module that is mapped. What is no module, or a damaged one, is left out.
    #[must_use]
    pub(crate) fn read(memory: &dyn Memory, mappings: &[Mapping]) -> Self {
        let starts = mappings.iter().enumerate().filter(|(_, it)| it.is_readable && it.file_offset == 0);
        let starts = starts.filter(|(_, it)| it.file.is_some() || it.path == Path::new("[vdso]"));
        let found = starts.filter_map(|(at, first)| read(memory, first, end_of_file(&mappings[at..])?));
        let mut modules: Vec<LoadedModule> = found.take(MOST_MODULES).collect();
        modules.sort_by_key(|module| module.module.range().start);
        let architecture = modules.iter().find_map(|module| module.architecture).unwrap_or_default();
        Self { modules, architecture }
    }

    /// Returns the modules, by where they begin.
    #[must_use]
    pub(crate) fn all(&self) -> &[LoadedModule] {
        &self.modules
    }

    /// Returns the architecture of the program: that of the first module, until it is known where the program's tasks are.
    #[must_use]
    pub(crate) fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Returns how many bytes of thread-local variables each thread has of all modules.
    #[must_use]
    pub(crate) fn thread_local_bytes(&self) -> u64 {
        self.modules.iter().fold(0, |sum, module| sum.saturating_add(module.thread_local_bytes))
    }

    /// Takes the architecture of the module that has this address. An emulator of processors is of another one than the program in it.
    pub(crate) fn take_architecture_at(&mut self, address: u64) {
        if let Some(architecture) = self.find(address).and_then(|module| module.architecture) {
            self.architecture = architecture;
        }
    }

    /// Returns the module whose code is at an address, or that returns to it.
    #[must_use]
    pub(crate) fn find(&self, address: u64) -> Option<&LoadedModule> {
        let after = self.modules.partition_point(|module| module.module.range().start <= address);
        let module = self.modules.get(after.checked_sub(1)?)?;
        module.module.range().contains(&address).then_some(module)
    }

    /// Whether an address is one that a call can return to: code is in front of it.
    #[must_use]
    pub(crate) fn is_return_address(&self, address: u64) -> bool {
        let before = address.wrapping_sub(1);
        usize::try_from(address).ok().and_then(ReturnAddress::new).is_some()
            && self.find(before).is_some_and(|module| module.has_code_at(before))
    }

    /// Returns the modules as symbolizers and raw dump files have them.
    #[must_use]
    pub(crate) fn map(&self) -> ModuleMap {
        ModuleMap::new(self.modules.iter().map(|module| module.module.clone()).collect())
    }
}

/// Returns where the mappings of the file end that the first one is of, with what is right behind the last: variables that begin as zero
/// are in no file. Memory without a file may also lie between them.
fn end_of_file(mappings: &[Mapping]) -> Option<u64> {
    let file = mappings.first()?.file;
    let mut end = None;
    for mapping in mappings.iter().take_while(|it| it.file == file || it.file.is_none()) {
        if mapping.file == file || end == Some(mapping.range.start) {
            end = Some(mapping.range.end);
        }
    }
    end
}

/// Reads the module whose first bytes are mapped there. Its mappings end at `end` at the latest.
fn read(memory: &dyn Memory, first: &Mapping, end: u64) -> Option<LoadedModule> {
    let start = first.range.start;
    let bytes = bytes_at(memory, start, HEADER_BYTES).ok()?;
    let (elf, _) = pod::from_bytes::<FileHeader64<LittleEndian>>(&bytes).ok()?;
    if !elf.is_supported() || elf.endian().is_err() {
        return None;
    }
    let endian = LittleEndian;
    let architecture = Architecture::of_elf(elf.e_machine(endian).0);
    // The program headers are where linkers put them, or else the module is left out.
    let headers = elf.program_headers(endian, &*bytes).ok()?;
    let of_kind = |kind| headers.iter().filter(move |header| header.p_type(endian) == kind);
    let first_segment = of_kind(PT_LOAD).find(|header| header.p_offset(endian) == 0)?;
    let bias = start.wrapping_sub(first_segment.p_vaddr(endian));
    let extent = |header: &ProgramHeader64<LittleEndian>| {
        let at = header.p_vaddr(endian).wrapping_add(bias);
        at..at.saturating_add(header.p_memsz(endian)).min(end)
    };
    let range = start..of_kind(PT_LOAD).map(|header| extent(header).end).max()?;
    let is_inside = |part: &Range<u64>| range.start <= part.start && part.start < part.end;
    let code = of_kind(PT_LOAD).filter(|header| header.p_flags(endian).0 & PF_X.0 != 0);
    let code = code.map(|header| {
        let at = extent(header);
        CodeSegment::new(at.start, at.end, header.p_offset(endian))
    });
    // Programs that are linked to one address have such tables in memory that was never written. Where nothing is protected after it was
    // relocated, they lie among the variables.
    let is_fixed = elf.e_type(endian) == ET_EXEC;
    let is_protected = of_kind(PT_GNU_RELRO).next().is_some();
    let is_constant = |header: &&ProgramHeader64<LittleEndian>| {
        let flags = header.p_flags(endian).0;
        let is_written = flags & PF_W.0 != 0;
        flags & PF_R.0 != 0 && flags & PF_X.0 == 0 && if is_written { !is_protected } else { is_fixed }
    };
    // Without the zeros behind a segment.
    let in_file = |header: &ProgramHeader64<LittleEndian>| {
        let at = extent(header);
        at.start..at.end.min(at.start.saturating_add(header.p_filesz(endian)))
    };
    let constants =
        of_kind(PT_GNU_RELRO).map(extent).chain(of_kind(PT_LOAD).filter(is_constant).map(in_file));
    let constants = constants.filter(is_inside).collect();
    let unwind = of_kind(PT_GNU_EH_FRAME).next().and_then(|header| {
        let header = extent(header);
        let segment = of_kind(PT_LOAD).map(extent).find(|segment| segment.contains(&header.start))?;
        Some(UnwindSegment { header: header.start, segment })
    });
    let variables = of_kind(PT_TLS).map(|header| {
        let (size, alignment) = (header.p_memsz(endian), header.p_align(endian).max(1));
        size.checked_next_multiple_of(alignment).unwrap_or(size)
    });
    let thread_local_bytes = variables.fold(0, u64::saturating_add);
    let module = Module::new(path_of(first), range.clone(), bias)?;
    let module = module.with_code(code.collect());
    let notes = of_kind(PT_NOTE).find_map(|header| build_id(memory, extent(header), header.p_align(endian)));
    Some(LoadedModule {
        module: module.with_build_id(notes),
        constants,
        unwind,
        architecture,
        thread_local_bytes,
    })
}

fn build_id(memory: &dyn Memory, notes: Range<u64>, align: u64) -> Option<BuildId> {
    let length = notes.end.checked_sub(notes.start)?.min(MOST_NOTE_BYTES);
    let bytes = bytes_at(memory, notes.start, usize::try_from(length).ok()?).ok()?;
    build_id_in_notes(&bytes, usize::try_from(align).ok()?)
}

/// The path of a module as loaders have it: the kernel adds words to that of a file that was deleted, and brackets to the name of
/// its own module.
fn path_of(mapping: &Mapping) -> PathBuf {
    if mapping.path == Path::new("[vdso]") {
        return "linux-vdso.so.1".into();
    }
    let text = mapping.path.to_str().and_then(|path| path.strip_suffix(" (deleted)"));
    text.map_or_else(|| mapping.path.clone(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::mappings;
    use crate::target::memory::Unreadable;

    struct Bytes(Vec<u8>);

    impl Memory for Bytes {
        fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
            let at = usize::try_from(address).unwrap();
            let bytes = self.0.get(at..at + into.len()).ok_or(Unreadable { address })?;
            into.copy_from_slice(bytes);
            Ok(())
        }
    }

    /// Where the constants are of a program at address 0 with these program headers: kind, rights, address, length.
    fn constants(kind: u16, headers: &[(u32, u32, u64, u64)]) -> Vec<Range<u64>> {
        const CODE: u16 = 62;

        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(16, 0);
        for half in [kind, CODE, 1, 0] {
            bytes.extend(half.to_le_bytes());
        }
        for word in [0_u64, 64, 0] {
            bytes.extend(word.to_le_bytes());
        }
        let count = u16::try_from(headers.len()).unwrap();
        for half in [0, 0, 64, 56, count, 64, 0, 0] {
            bytes.extend(half.to_le_bytes());
        }
        for &(kind, flags, address, length) in headers {
            bytes.extend(kind.to_le_bytes());
            bytes.extend(flags.to_le_bytes());
            for word in [address, address, address, length, length, 0x1000] {
                bytes.extend(word.to_le_bytes());
            }
        }
        bytes.resize(HEADER_BYTES, 0);
        let first = mappings::parse(b"0-1000 r--p 00000000 fe:00 7 /usr/bin/app\n").remove(0);
        read(&Bytes(bytes), &first, 0x9000).unwrap().constants
    }

    #[test]
    fn tables_of_a_program_that_is_not_protected_after_relocation_were_passed_over() {
        const LOAD: u32 = 1;
        const RELRO: u32 = 0x6474_e552;
        const READ: u32 = 4;
        const EXECUTABLE: u16 = 2;
        const SHARED: u16 = 3;
        let [code, variables] = [READ | 1, READ | 2];
        let loads =
            [(LOAD, READ, 0, 0x1000), (LOAD, code, 0x1000, 0x1000), (LOAD, variables, 0x2000, 0x1000)];
        assert_eq!(constants(SHARED, &loads), *std::slice::from_ref(&(0x2000..0x3000)));
        assert_eq!(constants(EXECUTABLE, &loads), [0..0x1000, 0x2000..0x3000]);
        let protected = [loads[0], loads[1], loads[2], (RELRO, READ, 0x2000, 0x800)];
        assert_eq!(constants(SHARED, &protected), *std::slice::from_ref(&(0x2000..0x2800)));
        assert_eq!(constants(EXECUTABLE, &protected), [0x2000..0x2800, 0..0x1000]);
    }

    #[test]
    fn zeros_behind_the_last_page_of_a_file_were_cut_off() {
        let end = |text: &str| end_of_file(&mappings::parse(text.as_bytes()));
        let file =
            "1000-5000 r--p 00000000 fe:00 7 /usr/bin/app\n5000-6000 rw-p 00004000 fe:00 7 /usr/bin/app\n";
        assert_eq!(end(file), Some(0x6000));
        assert_eq!(end(&format!("{file}6000-9000 rw-p 00000000 00:00 0\n")), Some(0x9000));
        // Memory elsewhere, or of another file, belongs to something else.
        assert_eq!(end(&format!("{file}7000-9000 rw-p 00000000 00:00 0\n")), Some(0x6000));
        assert_eq!(end(&format!("{file}6000-9000 r--p 00000000 fe:00 8 /usr/lib/other\n")), Some(0x6000));
        // Nobody's memory between two parts of a file.
        let apart = "6000-9000 ---p 00000000 00:00 0\n9000-a000 rw-p 00005000 fe:00 7 /usr/bin/app\n";
        assert_eq!(end(&format!("{file}{apart}")), Some(0xa000));
    }
}
