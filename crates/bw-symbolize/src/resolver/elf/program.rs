//! The modules of this process, as modules like any other's.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::module_map;
use crate::resolver::elf::identity::{Identity, Layout, path_text};
use crate::resolver::elf::loaded::{self, LoadedModule, Snapshot};
use crate::resolver::elf::module::ModuleBytes;

/// Each module of a snapshot, and where its bytes are.
pub(super) fn modules(snapshot: Snapshot) -> impl Iterator<Item = (Identity, ModuleBytes)> {
    snapshot.modules.into_iter().map(module)
}

fn module(loaded: LoadedModule) -> (Identity, ModuleBytes) {
    let LoadedModule { name, is_main, bias, segments, build_id, image } = loaded;
    let (path, bytes) = if is_main {
        let place = main_program_path();
        (path_text(&place), ModuleBytes::File { open: MAIN_PROGRAM.into(), place })
    } else {
        let file = PathBuf::from(OsStr::from_bytes(&name));
        let bytes = match image {
            Some(image) => ModuleBytes::Image(image.into()),
            // A name without a slash must not be looked up in the current directory.
            None if name.contains(&b'/') => ModuleBytes::File { open: file.clone(), place: file },
            None => ModuleBytes::None,
        };
        (String::from_utf8_lossy(&name).into(), bytes)
    };
    (Identity { path, is_main, build_id, bias, layout: Layout::Segments(segments) }, bytes)
}

/// What is loaded, in the loader's order, for symbolizing what lies in it elsewhere. Takes the loader's lock, and
/// allocates; opens no file.
pub(crate) fn modules_of_this_process() -> Vec<module_map::Module> {
    loaded::snapshot().modules.iter().filter_map(map_entry).collect()
}

/// `None` for what has no segments, or segments that end before they begin.
fn map_entry(loaded: &LoadedModule) -> Option<module_map::Module> {
    let segments = || loaded.segments.iter().filter(|segment| !segment.range.is_empty());
    let start = segments().map(|segment| segment.range.start).min()?;
    let end = segments().map(|segment| segment.range.end).max()?;
    let range = loaded.bias.wrapping_add(start)..loaded.bias.wrapping_add(end);
    let path = if loaded.is_main { main_program_path() } else { OsStr::from_bytes(&loaded.name).into() };
    let module = module_map::Module::new(path, range, loaded.bias)?;
    let code = segments().filter(|segment| segment.is_code).map(|segment| module_map::CodeSegment {
        start: loaded.bias.wrapping_add(segment.range.start),
        end: loaded.bias.wrapping_add(segment.range.end),
        file_offset: segment.file_offset,
    });
    Some(module.with_code(code.collect()).with_build_id(loaded.build_id.clone()))
}

/// The file the main program was started from, also when it was replaced or deleted since.
const MAIN_PROGRAM: &str = "/proc/self/exe";

/// Where the main program is, or was, on disk. `/proc/self/exe` itself when the kernel does not tell.
fn main_program_path() -> PathBuf {
    let Ok(path) = std::fs::read_link(MAIN_PROGRAM) else { return MAIN_PROGRAM.into() };
    match path.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(before) => OsStr::from_bytes(before).into(),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build_id::BuildId;
    use crate::resolver::elf::identity::Segment;

    fn segment(start: u64, end: u64) -> Segment {
        Segment { range: start..end, file_offset: start / 2, is_code: start > 0 }
    }

    fn library(name: &[u8], bias: u64, segments: Vec<Segment>) -> LoadedModule {
        let build_id = BuildId::from_bytes(&[0xab, 1]);
        LoadedModule { name: name.to_vec(), is_main: false, bias, segments, build_id, image: None }
    }

    #[test]
    fn a_module_spans_its_segments() {
        let loaded = library(b"/lib/\xff.so", 0x1000, vec![segment(0x20, 0x30), segment(0, 0x10)]);
        let module = map_entry(&loaded).unwrap();
        assert_eq!((module.range(), module.bias()), (0x1000..0x1030, 0x1000));
        assert_eq!(module.path().as_os_str().as_bytes(), b"/lib/\xff.so");
        assert_eq!(module.build_id().unwrap().to_string(), "ab01");
        let code = module_map::CodeSegment { start: 0x1020, end: 0x1030, file_offset: 0x10 };
        assert_eq!(module.code(), [code]);
    }

    #[test]
    fn a_bias_may_wrap_around() {
        // The vDSO of old kernels was linked near the end of the address space.
        let start = u64::MAX - 0xfff;
        let loaded = library(b"vdso", 0x2000_u64.wrapping_sub(start), vec![segment(start, u64::MAX)]);
        assert_eq!(map_entry(&loaded).unwrap().range(), 0x2000..0x2fff);
    }

    #[test]
    fn what_has_no_segments_is_no_module() {
        assert!(map_entry(&library(b"a", 0, Vec::new())).is_none());
        assert!(map_entry(&library(b"a", 1, vec![segment(7, 7)])).is_none());
        assert!(map_entry(&library(b"a", u64::MAX - 7, vec![segment(0, 16)])).is_none());
    }

    #[test]
    fn this_program_comes_first() {
        let modules = modules_of_this_process();
        assert_eq!(modules[0].path(), std::env::current_exe().unwrap());
    }
}
