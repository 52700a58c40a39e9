//! Where debug information comes from. The one file of this backend that opens files.
//!
//! Today that is the module's own file. Split DWARF, separate files by build id and `.gnu_debuglink` belong
//! here, behind [`find`].
//!
//! Unsafe: mapping a file.
#![allow(unsafe_code)]

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;
use object::{Object, ObjectSegment};

use crate::resolver::elf::debug_info::FileBytes;
use crate::resolver::elf::loaded::LoadedModule;

/// The bytes of the file that describes a module. `None` when there is none that can be read, or when the file
/// is not what was loaded: wrong names would be worse than none.
///
/// Blocks on the disk.
pub(super) fn find(path: &Path, loaded: &LoadedModule) -> Option<FileBytes> {
    let file = map(path)?;
    describes(&file, loaded).then(|| Box::new(file) as FileBytes)
}

fn map(path: &Path) -> Option<Mmap> {
    let file = File::open(path).ok()?;
    // Mapping anything but a regular file could block or fail later.
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    // SAFETY: the map is private and read-only. It must not change while it is borrowed as bytes: the file is
    // (or claims to be) the one that the loader itself has mapped for its code, and a process whose modules are
    // overwritten in place is lost anyway; updates replace the file, and this map keeps the old one.
    unsafe { Mmap::map(&file) }.ok()
}

/// Whether a file is what was loaded: it may have been replaced since, and under `ld.so program`, `/proc/self/exe`
/// is the loader. Told by the build id where both have one, and always by the place of the segments.
fn describes(file: &[u8], loaded: &LoadedModule) -> bool {
    let Ok(object) = object::File::parse(file) else { return false };
    if let (Some(in_memory), Ok(Some(in_file))) = (&loaded.build_id, object.build_id())
        && in_memory != in_file
    {
        return false;
    }
    // Empty segments are not listed by every reader.
    let in_file =
        object.segments().map(|segment| (segment.address(), segment.size())).filter(|&(_, size)| size != 0);
    let in_memory = loaded
        .segments
        .iter()
        .map(|it| (it.range.start, it.range.end - it.range.start))
        .filter(|&(_, size)| size != 0);
    in_file.eq(in_memory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::elf::loaded;

    fn main_program() -> LoadedModule {
        loaded::snapshot().modules.remove(0)
    }

    #[test]
    fn this_program_is_what_was_loaded() {
        assert!(find(Path::new("/proc/self/exe"), &main_program()).is_some());
    }

    #[test]
    fn a_file_that_is_not_what_was_loaded_is_refused() {
        let exe = Path::new("/proc/self/exe");
        let other_build = LoadedModule { build_id: Some(vec![0; 20]), ..main_program() };
        let has_build_id = main_program().build_id.is_some();
        assert_eq!(find(exe, &other_build).is_none(), has_build_id);
        let mut other_place = main_program();
        other_place.segments[0].range.end += 1;
        assert!(find(exe, &other_place).is_none());
    }

    #[test]
    fn what_cannot_be_read_is_nothing() {
        for path in ["", "/", "/nowhere/at/all", "/dev/null", "/proc/self/maps", "/etc/passwd"] {
            assert!(find(Path::new(path), &main_program()).is_none(), "{path}");
        }
    }
}
