//! The modules of this process, as modules like any other's.

use bw_dump::loaded::LoadedModule;

use crate::resolver::elf::identity::{Identity, Layout, Segment, path_text};
use crate::resolver::elf::module::ModuleBytes;

/// Opens the file that this process runs, also when it was replaced or deleted since.
const PROGRAM: &str = "/proc/self/exe";

/// Returns what a module is, and where its bytes are.
pub(super) fn module(loaded: LoadedModule) -> (Identity, ModuleBytes) {
    let LoadedModule { path, is_program, bias, segments, build_id, image, .. } = loaded;
    let segments = segments.into_iter().map(|it| Segment { range: it.range, is_code: it.is_code }).collect();
    let layout = Layout::Segments(segments);
    let identity = Identity { path: path_text(&path), is_main: is_program, build_id, bias, layout };
    let bytes = match image {
        _ if is_program => ModuleBytes::File { open: PROGRAM.into(), place: path },
        Some(image) => ModuleBytes::Image(image.into()),
        // A name without a slash must not be looked up in the current directory.
        None if path.as_os_str().as_encoded_bytes().contains(&b'/') => {
            ModuleBytes::File { open: path.clone(), place: path }
        }
        None => ModuleBytes::None,
    };
    (identity, bytes)
}
