//! Loaded modules and their unwind sections, in memory. One of the files that may use `unsafe`.
//!
//! Two kinds are told apart. The *home* module contains this code, so it cannot go away while any of it runs; it is
//! found once. Nearly every frame between a leaf and a traced poll is in it. Others may be unloaded, and something
//! else may come to the same addresses; they are looked up for every capture that meets one, with glibc's
//! `_dl_find_object`, which takes no lock. Where the C library does not have it (older than 2.35, musl), only the home
//! module can be walked by rules. `--cfg bw_no_dl_find_object` makes every C library such a one, for tests.

use core::ffi::{c_int, c_void};
use core::mem::size_of;
use core::num::NonZeroUsize;
use core::ops::Range;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::sync::OnceLock;

use libc::{Elf64_Ehdr, Elf64_Phdr, PF_R, PF_W, PT_GNU_EH_FRAME, PT_LOAD, PT_NOTE};

/// The smallest page. What begins at the start of a page is mapped up to here.
const PAGE: usize = 4096;

/// A module's addresses, and where its unwind information is. Everything is an AVMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) start: usize,
    pub(super) end: usize,
    /// `.eh_frame_hdr`.
    pub(super) header: usize,
    /// The end of the segment that `header` is in; `.eh_frame` follows it there.
    pub(super) segment_end: usize,
    /// The start of that segment.
    pub(super) segment_start: usize,
}

impl Module {
    #[inline(always)]
    pub(super) fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.start) < self.end - self.start
    }

    /// From its first address to the one after its last.
    pub(super) fn addresses(&self) -> Range<usize> {
        self.start..self.end
    }

    /// A hash of all that identifies a loaded module. FNV-1a.
    pub(super) fn fingerprint(&self, build_id: BuildId<'_>) -> NonZeroUsize {
        /// Build ids have 20 bytes or fewer, unless somebody chose theirs.
        const LONGEST: usize = 64;
        let addresses = [self.start, self.end, self.header, self.segment_end];
        let bytes = addresses
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .chain(build_id.0.iter().copied().take(LONGEST));
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        #[allow(clippy::cast_possible_truncation)] // usize is 64 bits on these platforms.
        let hash = hash as usize;
        NonZeroUsize::MIN | hash
    }

    /// The segment with the unwind sections.
    ///
    /// # Safety
    ///
    /// The module is loaded for as long as the slice is used: it is the home module, or a frame of this thread's stack
    /// is in it.
    pub(super) unsafe fn unwind_segment<'a>(&self) -> &'a [u8] {
        let start = core::ptr::with_exposed_provenance::<u8>(self.segment_start);
        // SAFETY: a `PT_LOAD` segment of a loaded module (see `Parsed::module`), which is readable, constant after
        // relocation (unwind sections hold none, or were relocated before this code could run), and mapped for as long
        // as the caller promises.
        unsafe { core::slice::from_raw_parts(start, self.segment_end - self.segment_start) }
    }
}

static HOME: OnceLock<Option<Module>> = OnceLock::new();

/// The module with this code, once [`prepare`] has found it.
#[inline(always)]
pub(super) fn home() -> Option<&'static Module> {
    HOME.get()?.as_ref()
}

/// The segment of the home module with its unwind sections, once [`prepare`] has found it.
#[cfg(target_arch = "x86_64")]
pub(super) fn home_segment() -> Option<&'static [u8]> {
    // SAFETY: the home module is loaded for as long as any of this code runs.
    Some(unsafe { home()?.unwind_segment() })
}

/// Finds the home module and `_dl_find_object`. Outside the hook: may lock and allocate, the first time.
pub(super) fn prepare() {
    HOME.get_or_init(|| {
        if !cfg!(bw_no_dl_find_object) {
            // SAFETY: a nul-terminated name; `RTLD_DEFAULT` is a valid handle.
            let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
            // Ordering: Release pairs with the Acquire load in `find`.
            DL_FIND_OBJECT.store(symbol, Ordering::Release);
        }
        let here = prepare as fn() as usize;
        // SAFETY: the module with this very code.
        let found = unsafe { find(here) }.map(|(module, _)| module);
        found.or_else(|| executable().filter(|module| module.contains(here)))
    });
}

/// `int _dl_find_object(void *address, struct dl_find_object *result)`, or null.
static DL_FIND_OBJECT: AtomicPtr<c_void> = AtomicPtr::new(core::ptr::null_mut());

/// glibc's `struct dl_find_object`, as of 2.35, x86-64 and AArch64 (`bits/dl_find_object.h`: neither has the two
/// optional members). The reserved words are for later versions.
#[repr(C)]
struct DlFindObject {
    flags: u64,
    map_start: *mut c_void,
    map_end: *mut c_void,
    link_map: *mut c_void,
    eh_frame: *mut c_void,
    reserved: [u64; 7],
}

/// Where the loaded module begins and ends that contains an address, and where its `.eh_frame_hdr` is, as the loader says.
/// Reads nothing of the module, which may be gone the next moment. Takes no lock; does not allocate.
pub(super) fn locate(address: usize) -> Option<(usize, usize, usize)> {
    // Ordering: Acquire pairs with the Release store in `prepare`.
    let function = DL_FIND_OBJECT.load(Ordering::Acquire);
    if function.is_null() {
        return None;
    }
    type Find = unsafe extern "C" fn(*mut c_void, *mut DlFindObject) -> c_int;
    // SAFETY: the C library's own `_dl_find_object`, which has this type (glibc manual, "Dynamic Linker Introspection").
    let function = unsafe { core::mem::transmute::<*mut c_void, Find>(function) };
    let null = core::ptr::null_mut();
    let mut found = DlFindObject {
        flags: 0,
        map_start: null,
        map_end: null,
        link_map: null,
        eh_frame: null,
        reserved: [0; 7],
    };
    // SAFETY: any address may be asked for; the result is written to `found`, which is as large as glibc's.
    let status = unsafe { function(core::ptr::without_provenance_mut(address), &raw mut found) };
    if status != 0 || found.eh_frame.is_null() {
        return None;
    }
    Some((found.map_start.addr(), found.map_end.addr(), found.eh_frame.addr()))
}

/// The loaded module that contains an address, and its build id. Takes no lock; does not allocate.
///
/// # Safety
///
/// If a module contains the address, it stays loaded for as long as the result is used.
pub(super) unsafe fn find(address: usize) -> Option<(Module, Option<BuildId<'static>>)> {
    let (start, end, header) = locate(address)?;
    if start % PAGE != 0 {
        return None;
    }
    // SAFETY: a module's first segment is mapped at `map_start`, the start of a page, and the module stays.
    let parsed = unsafe { parse(start) }?;
    // What the loader says and what the headers say must be the same thing.
    if parsed.eh_frame_header() != Some(header) {
        return None;
    }
    Some((parsed.module(header, Some((start, end)))?, parsed.build_id()))
}

/// The program itself, as the kernel describes it in the auxiliary vector. Takes no lock; does not allocate.
fn executable() -> Option<Module> {
    // SAFETY: no preconditions.
    let headers = unsafe { libc::getauxval(libc::AT_PHDR) };
    // Program headers follow the ELF header directly, unless a tool has moved them; then they may be anywhere.
    let start = usize::try_from(headers).ok()?.checked_sub(size_of::<Elf64_Ehdr>())?;
    if start == 0 || start % PAGE != 0 {
        return None;
    }
    // SAFETY: the start of the page with the program headers, which the kernel has mapped.
    let parsed = unsafe { parse(start) }?;
    parsed.module(parsed.eh_frame_header()?, None)
}

/// A module's program headers.
struct Parsed {
    /// AVMA of the ELF header.
    start: usize,
    headers: &'static [Elf64_Phdr],
    bias: usize,
}

/// Reads the ELF and program headers of a loaded module, if they are where linkers put them.
///
/// # Safety
///
/// `start` is the start of a page that is mapped for reading and that nobody writes to.
unsafe fn parse(start: usize) -> Option<Parsed> {
    let header = core::ptr::with_exposed_provenance::<Elf64_Ehdr>(start);
    // SAFETY: the caller promises a page, which is larger and better aligned; any bytes are valid integers.
    let elf = unsafe { header.read() };
    if elf.e_ident.get(..5) != Some(b"\x7fELF\x02") || usize::from(elf.e_phentsize) != size_of::<Elf64_Phdr>()
    {
        return None;
    }
    // Tools that rewrite binaries may put the program headers at the end of the file, which is mapped elsewhere or not
    // at all: `e_phoff` is no address.
    let offset = usize::try_from(elf.e_phoff).ok()?;
    let length = usize::from(elf.e_phnum);
    if offset % align_of::<Elf64_Phdr>() != 0 || offset.checked_add(length * size_of::<Elf64_Phdr>())? > PAGE
    {
        return None;
    }
    let headers = core::ptr::with_exposed_provenance::<Elf64_Phdr>(start + offset);
    // SAFETY: in the page that the caller promises, as was just checked, and aligned.
    let headers = unsafe { core::slice::from_raw_parts(headers, length) };
    // The segment that begins the file holds the ELF header.
    let first = headers
        .iter()
        .find(|header| header.p_type == PT_LOAD && header.p_offset == 0 && header.p_filesz != 0)?;
    let bias = start.wrapping_sub(usize::try_from(first.p_vaddr).ok()?);
    Some(Parsed { start, headers, bias })
}

impl Parsed {
    /// Where the segments of a type begin and end in memory whose flags, those of the mask, are these.
    fn segments(&self, kind: u32, mask: u32, flags: u32) -> impl Iterator<Item = (usize, usize)> {
        let headers = self.headers.iter();
        headers.filter(move |header| header.p_type == kind && header.p_flags & mask == flags).filter_map(
            |header| {
                let start = self.bias.wrapping_add(usize::try_from(header.p_vaddr).ok()?);
                Some((start, start.checked_add(usize::try_from(header.p_memsz).ok()?)?))
            },
        )
    }

    /// The segment that contains an address, if it can be read and nobody writes to it.
    fn constant(&self, address: usize) -> Option<(usize, usize)> {
        self.segments(PT_LOAD, PF_R | PF_W, PF_R).find(|(start, end)| (*start..*end).contains(&address))
    }

    fn eh_frame_header(&self) -> Option<usize> {
        self.segments(PT_GNU_EH_FRAME, 0, 0).next().map(|(start, _)| start)
    }

    fn module(&self, header: usize, range: Option<(usize, usize)>) -> Option<Module> {
        let last = self.segments(PT_LOAD, 0, 0).map(|(_, end)| end).max()?;
        let (start, end) = range.unwrap_or((self.start, last));
        let (segment_start, segment_end) = self.constant(header)?;
        (start < end).then_some(Module { start, end, header, segment_end, segment_start })
    }

    fn build_id(&self) -> Option<BuildId<'static>> {
        self.segments(PT_NOTE, PF_R, PF_R).find_map(|(start, end)| {
            let (_, segment_end) = self.constant(start)?;
            (end <= segment_end).then_some(())?;
            let notes = core::ptr::with_exposed_provenance::<u8>(start);
            // SAFETY: in a segment of a loaded module that can be read and is not writable, as was just checked.
            BuildId::among(unsafe { core::slice::from_raw_parts(notes, end - start) })
        })
    }
}

/// What the linker made of a module's contents: another build has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BuildId<'a>(pub(super) &'a [u8]);

impl<'a> BuildId<'a> {
    /// The one among these ELF notes: `NT_GNU_BUILD_ID`.
    fn among(mut notes: &'a [u8]) -> Option<Self> {
        const KIND: u32 = 3;
        loop {
            let (head, rest) = notes.split_first_chunk::<12>()?;
            let word = |at: usize| Some(u32::from_ne_bytes(*head.get(at..)?.first_chunk()?));
            let (name_length, length, kind) = (word(0)?, word(4)?, word(8)?);
            let (name, rest) = rest.split_at_checked(padded(name_length)?)?;
            let id = rest.get(..usize::try_from(length).ok()?)?;
            if kind == KIND && name == b"GNU\0" && !id.is_empty() {
                return Some(Self(id));
            }
            notes = rest.get(padded(length)?..)?;
        }
    }
}

/// Names and contents of notes take whole words.
fn padded(length: u32) -> Option<usize> {
    usize::try_from(length.checked_next_multiple_of(4)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_module_contains_this_code_and_both_ways_to_find_it_agree() {
        prepare();
        let home = *home().expect("test programs have unwind tables");
        let here = the_home_module_contains_this_code_and_both_ways_to_find_it_agree as fn() as usize;
        assert!(home.contains(here));
        assert!(!home.contains(home.end) && !home.contains(home.start - 1));
        if let Some(module) = executable() {
            assert_eq!((module.header, module.segment_end), (home.header, home.segment_end));
        }
    }

    #[test]
    fn addresses_in_no_module_are_not_found() {
        prepare();
        let local = 0_u8;
        for address in [0, 1, core::ptr::from_ref(&local).addr(), usize::MAX] {
            // SAFETY: no module contains it.
            assert_eq!(unsafe { find(address) }, None, "{address:#x}");
        }
    }

    /// As tools do that rewrite binaries.
    #[test]
    fn program_headers_that_were_moved_are_not_looked_for() {
        #[repr(C, align(4096))]
        struct Page(Elf64_Ehdr, [u8; PAGE - size_of::<Elf64_Ehdr>()]);

        prepare();
        let home = home().expect("test programs have unwind tables");
        let original = core::ptr::with_exposed_provenance::<Elf64_Ehdr>(home.start);
        // SAFETY: a module begins with its ELF header.
        let header = unsafe { original.read() };
        for offset in [1, 60, PAGE as u64 - 56, 1 << 20, u64::MAX - 55] {
            let page = Box::new(Page(Elf64_Ehdr { e_phoff: offset, ..header }, [0; _]));
            // SAFETY: one page, at the start of one.
            let parsed = unsafe { parse(core::ptr::from_ref(&*page).expose_provenance()) };
            assert!(parsed.is_none(), "{offset}");
        }
    }

    #[test]
    fn the_build_id_is_found_among_other_notes() {
        fn note(kind: u32, name: &[u8], contents: &[u8]) -> Vec<u8> {
            let head =
                [name.len(), contents.len()].map(|length| u32::try_from(length).unwrap().to_ne_bytes());
            let mut note = [head[0], head[1], kind.to_ne_bytes()].concat();
            for part in [name, contents] {
                note.extend_from_slice(part);
                note.resize(note.len().next_multiple_of(4), 0);
            }
            note
        }
        let (abi, id) = (note(1, b"GNU\0", &[0; 16]), note(3, b"GNU\0", &[1, 2, 3, 4, 5]));
        let other = note(3, b"other\0", &[9; 3]);
        for (notes, expected) in [
            ([abi.clone(), other.clone(), id].concat(), Some(&[1, 2, 3, 4, 5][..])),
            ([abi, other].concat(), None),
            (note(3, b"GNU\0", &[]), None),
            (vec![255; 40], None),
            (vec![], None),
        ] {
            for cut in 0..=notes.len() {
                let found = BuildId::among(&notes[..cut]);
                assert!(found.is_none() || found.map(|id| id.0) == expected);
                assert!(cut != notes.len() || found.map(|id| id.0) == expected);
            }
        }
    }
}
