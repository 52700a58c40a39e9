//! What the dynamic loader says is loaded.
//!
//! Unsafe: `dl_iterate_phdr` hands out raw pointers, valid during its callback. Everything is copied out of
//! them here, so that nothing else in this crate sees one. The vDSO, which is no file, is copied whole.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};
use std::mem::offset_of;
use std::ptr;
use std::slice;

use crate::build_id::BuildId;
use crate::resolver::Generation;
use crate::resolver::elf::build_id;
use crate::resolver::elf::identity::Segment;

/// A module as it stands in memory.
#[derive(Clone, Debug)]
pub(super) struct LoadedModule {
    /// The loader's name for it, empty for the main program. Bytes of a path, not necessarily UTF-8.
    pub(super) name: Vec<u8>,
    /// Whether it is the main program.
    pub(super) is_main: bool,
    /// Address in this process minus address in the file; wraps.
    pub(super) bias: u64,
    /// Its `PT_LOAD` segments.
    pub(super) segments: Vec<Segment>,
    /// Its build id, read from memory.
    pub(super) build_id: Option<BuildId>,
    /// All of it, if it is the vDSO.
    pub(super) image: Option<Vec<u8>>,
}

/// Every loaded module, the main program first, and the generation they belong to.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) generation: Generation,
    pub(super) modules: Vec<LoadedModule>,
}

/// How often modules were loaded and unloaded. Takes the loader's lock for about 100 ns.
///
/// Old C libraries (Android before 11) do not count. There the number of modules stands for the loads, and a
/// module exchanged for another goes unnoticed.
pub(super) fn generation() -> Generation {
    let mut generation = Generation::default();
    let data: *mut Generation = &raw mut generation;
    // SAFETY: the callback has the required signature, and `data` is what it expects: an exclusive pointer to a
    // `Generation` that outlives this call. It does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(count), data.cast()) };
    generation
}

/// Everything about every module. Takes the loader's lock, and allocates under it.
pub(super) fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::default();
    let data: *mut Snapshot = &raw mut snapshot;
    // SAFETY: the callback has the required signature, and `data` is what it expects: an exclusive pointer to a
    // `Snapshot` that outlives this call. It does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(copy), data.cast()) };
    snapshot
}

/// The callback of [`generation`]: stops at the first module, since all of them tell the same counts.
unsafe extern "C" fn count(info: *mut libc::dl_phdr_info, size: usize, data: *mut c_void) -> c_int {
    // SAFETY: `data` comes from `generation`, which lends its local `Generation` to this callback alone.
    let generation = unsafe { &mut *data.cast::<Generation>() };
    // SAFETY: called by the loader, with a structure of `size` bytes.
    match unsafe { counters(info, size) } {
        Some(counted) => {
            *generation = counted;
            1
        }
        None => {
            generation.loads += 1;
            0
        }
    }
}

/// The callback of [`snapshot`]: copies one module.
unsafe extern "C" fn copy(info: *mut libc::dl_phdr_info, size: usize, data: *mut c_void) -> c_int {
    // SAFETY: `data` comes from `snapshot`, which lends its local `Snapshot` to this callback alone.
    let snapshot = unsafe { &mut *data.cast::<Snapshot>() };
    // SAFETY: called by the loader, with a structure of `size` bytes.
    match unsafe { counters(info, size) } {
        Some(counted) => snapshot.generation = counted,
        None => snapshot.generation.loads += 1,
    }
    // SAFETY: the loader's structure is valid during this call, and every C library fills in the first four
    // fields.
    let bias = unsafe { (*info).dlpi_addr };
    // SAFETY: as above.
    let name = unsafe { (*info).dlpi_name };
    // SAFETY: as above.
    let headers = unsafe { (*info).dlpi_phdr };
    // SAFETY: as above.
    let header_count = unsafe { (*info).dlpi_phnum };

    let name = if name.is_null() {
        Vec::new()
    } else {
        // SAFETY: not null, and the loader's names end with a zero and stay while its lock is held, as it is
        // during this call.
        unsafe { CStr::from_ptr(name) }.to_bytes().to_vec()
    };
    let headers = if headers.is_null() {
        &[][..]
    } else {
        // SAFETY: not null; `dlpi_phdr` points to `dlpi_phnum` initialized program headers, aligned for their
        // type, which nobody changes while the module is loaded; the loader's lock keeps it loaded.
        unsafe { slice::from_raw_parts(headers, usize::from(header_count)) }
    };
    #[allow(clippy::useless_conversion, reason = "addresses are 32 bits wide on 32-bit platforms")]
    let (bias, header_range) = (u64::from(bias), |at: u64, size: u64| at..at.saturating_add(size));
    #[allow(clippy::useless_conversion, reason = "addresses are 32 bits wide on 32-bit platforms")]
    let of_kind = |kind| {
        headers
            .iter()
            .filter(move |header| header.p_type == kind)
            .map(move |header| (header, header_range(u64::from(header.p_vaddr), u64::from(header.p_memsz))))
    };
    let segments = of_kind(libc::PT_LOAD)
        .map(|(header, range)| {
            #[allow(clippy::useless_conversion, reason = "addresses are 32 bits wide on 32-bit platforms")]
            let file_offset = u64::from(header.p_offset);
            Segment { range, file_offset, is_code: header.p_flags & libc::PF_X != 0 }
        })
        .collect();
    let build_id = of_kind(libc::PT_NOTE).find_map(|(note, range)| {
        let is_readable = of_kind(libc::PT_LOAD).any(|(segment, loaded)| {
            segment.p_flags & libc::PF_R != 0 && loaded.start <= range.start && range.end <= loaded.end
        });
        if !is_readable || range.is_empty() {
            return None;
        }
        let start = usize::try_from(bias.wrapping_add(range.start)).ok()?;
        let length = usize::try_from(range.end - range.start).ok()?;
        // SAFETY: the bytes lie in a loaded, readable segment of a module that the loader's lock keeps loaded,
        // and notes are never written. They were mapped by the loader, so their address is exposed to us.
        let notes = unsafe { slice::from_raw_parts(ptr::with_exposed_provenance::<u8>(start), length) };
        BuildId::from_bytes(build_id::find(notes, usize::try_from(note.p_align).ok()?)?)
    });
    let is_main = snapshot.modules.is_empty();
    let end = of_kind(libc::PT_LOAD).map(|(_, range)| range.end).max();
    let image = end.filter(|_| !is_main && !name.contains(&b'/')).and_then(|end| vdso(bias, end));
    snapshot.modules.push(LoadedModule { name, is_main, bias, segments, build_id, image });
    0
}

/// The bytes of the vDSO, if that is what is loaded at `bias`, up to the address `end` in its file.
fn vdso(bias: u64, end: u64) -> Option<Vec<u8>> {
    /// What the kernel maps the vDSO in, on every platform that we have walks for; a bigger page has all of it.
    const PAGE: u64 = 4096;
    /// No kernel's is as large.
    const MAX_BYTES: u64 = 1 << 20;

    // SAFETY: reads a value that the kernel gave the process at its start.
    let start = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
    #[allow(clippy::useless_conversion, reason = "addresses are 32 bits wide on 32-bit platforms")]
    if u64::from(start) != bias || start == 0 || end > MAX_BYTES {
        return None;
    }
    // Its section headers stand after what its segments list, in the same page.
    let length = usize::try_from(end.next_multiple_of(PAGE)).ok()?;
    let start = ptr::with_exposed_provenance::<u8>(usize::try_from(start).ok()?);
    // SAFETY: the kernel maps the vDSO in whole pages, readable and never written, at the address it just told, and
    // nobody unmaps it while the loader lists it. Its segments end at `end`, and pages are of 4 KiB or more.
    Some(unsafe { slice::from_raw_parts(start, length) }.to_vec())
}

/// The loader's counters, where its structure has them.
///
/// # Safety
///
/// `info` points to a `dl_phdr_info` of which the first `size` bytes are initialized.
unsafe fn counters(info: *const libc::dl_phdr_info, size: usize) -> Option<Generation> {
    if size < offset_of!(libc::dl_phdr_info, dlpi_subs) + size_of::<u64>() {
        return None;
    }
    // SAFETY: the structure is long enough to have both counters, as just checked.
    let loads = unsafe { (*info).dlpi_adds };
    // SAFETY: as above.
    let unloads = unsafe { (*info).dlpi_subs };
    Some(Generation { loads, unloads })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_program_comes_first_and_holds_this_function() {
        let snapshot = snapshot();
        let main = &snapshot.modules[0];
        assert!(main.is_main);
        let here = (the_main_program_comes_first_and_holds_this_function as fn() as usize) as u64;
        let svma = here.wrapping_sub(main.bias);
        assert!(main.segments.iter().any(|segment| segment.is_code && segment.range.contains(&svma)));
        assert!(snapshot.modules.iter().skip(1).all(|module| !module.is_main));
    }

    #[test]
    fn the_generation_holds_still_while_nothing_is_loaded() {
        assert_eq!(generation(), generation());
        assert_eq!(generation(), snapshot().generation);
    }
}
