//! Asks the dynamic loader of Linux and Android.
//!
//! Unsafe: `dl_iterate_phdr` hands out raw pointers, valid during its callback. Everything is copied out of
//! them here, so that nothing else in this crate sees one. The vDSO, which is no file, is copied whole.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::mem::offset_of;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr;
use std::slice;

use super::{LoadGeneration, LoadedModule, LoadedModules, LoadedSegment, build_id_in_notes};

/// The implementation of [`LoadGeneration::now`].
pub(super) fn generation() -> LoadGeneration {
    let mut generation = LoadGeneration::default();
    let data: *mut LoadGeneration = &raw mut generation;
    // SAFETY: the callback has the required signature, and `data` is what it expects: an exclusive pointer to a
    // `LoadGeneration` that outlives this call. It does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(count), data.cast()) };
    generation
}

/// The implementation of [`LoadedModules::now`].
pub(super) fn modules() -> LoadedModules {
    let mut loaded = LoadedModules::default();
    let data: *mut LoadedModules = &raw mut loaded;
    // SAFETY: the callback has the required signature, and `data` is what it expects: an exclusive pointer to a
    // `LoadedModules` that outlives this call. It does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(copy), data.cast()) };
    for module in loaded.modules.iter_mut().filter(|module| module.is_program) {
        // The loader has no name for it.
        module.path = program_path();
    }
    loaded
}

/// The file that the program was started from. Without the mark of the kernel where it was deleted or replaced since.
/// `/proc/self/exe` itself when the kernel does not tell.
fn program_path() -> PathBuf {
    const PROGRAM: &str = "/proc/self/exe";
    let Ok(path) = std::fs::read_link(PROGRAM) else { return PROGRAM.into() };
    match path.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(before) => OsStr::from_bytes(before).into(),
        None => path,
    }
}

/// The callback of [`generation`]: stops at the first module, since all of them tell the same counts.
unsafe extern "C" fn count(info: *mut libc::dl_phdr_info, size: usize, data: *mut c_void) -> c_int {
    // SAFETY: `data` comes from `generation`, which lends its local `LoadGeneration` to this callback alone.
    let generation = unsafe { &mut *data.cast::<LoadGeneration>() };
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

/// The callback of [`modules`]: copies one module.
unsafe extern "C" fn copy(info: *mut libc::dl_phdr_info, size: usize, data: *mut c_void) -> c_int {
    // SAFETY: `data` comes from `modules`, which lends its local `LoadedModules` to this callback alone.
    let loaded = unsafe { &mut *data.cast::<LoadedModules>() };
    // SAFETY: called by the loader, with a structure of `size` bytes.
    match unsafe { counters(info, size) } {
        Some(counted) => loaded.generation = counted,
        None => loaded.generation.loads += 1,
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
            LoadedSegment { range, file_offset, is_code: header.p_flags & libc::PF_X != 0 }
        })
        .collect();
    let build_id = of_kind(libc::PT_NOTE).find_map(|(note, range)| {
        let is_readable = of_kind(libc::PT_LOAD).any(|(segment, extent)| {
            segment.p_flags & libc::PF_R != 0 && extent.start <= range.start && range.end <= extent.end
        });
        if !is_readable || range.is_empty() {
            return None;
        }
        let start = usize::try_from(bias.wrapping_add(range.start)).ok()?;
        let length = usize::try_from(range.end - range.start).ok()?;
        // SAFETY: the bytes lie in a loaded, readable segment of a module that the loader's lock keeps loaded,
        // and notes are never written. They were mapped by the loader, so their address is exposed to us.
        let notes = unsafe { slice::from_raw_parts(ptr::with_exposed_provenance::<u8>(start), length) };
        build_id_in_notes(notes, usize::try_from(note.p_align).ok()?)
    });
    let is_program = loaded.modules.is_empty();
    let end = of_kind(libc::PT_LOAD).map(|(_, range)| range.end).max();
    let image = end.filter(|_| !is_program && !name.contains(&b'/')).and_then(|end| vdso(bias, end));
    let path = OsStr::from_bytes(&name).into();
    loaded.modules.push(LoadedModule { path, is_program, bias, segments, build_id, image });
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
unsafe fn counters(info: *const libc::dl_phdr_info, size: usize) -> Option<LoadGeneration> {
    if size < offset_of!(libc::dl_phdr_info, dlpi_subs) + size_of::<u64>() {
        return None;
    }
    // SAFETY: the structure is long enough to have both counters, as just checked.
    let loads = unsafe { (*info).dlpi_adds };
    // SAFETY: as above.
    let unloads = unsafe { (*info).dlpi_subs };
    Some(LoadGeneration { loads, unloads })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_program_comes_first_and_holds_this_function() {
        let loaded = modules();
        let program = &loaded.modules[0];
        assert!(program.is_program);
        assert_eq!(program.path, std::env::current_exe().unwrap());
        let here = (the_main_program_comes_first_and_holds_this_function as fn() as usize) as u64;
        let svma = here.wrapping_sub(program.bias);
        assert!(program.segments.iter().any(|segment| segment.is_code && segment.range.contains(&svma)));
        assert!(loaded.modules.iter().skip(1).all(|module| !module.is_program));
    }

    #[test]
    fn the_generation_holds_still_while_nothing_is_loaded() {
        assert_eq!(generation(), generation());
        assert_eq!(generation(), modules().generation);
    }
}
