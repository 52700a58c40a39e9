//! One loaded module.

use std::ffi::OsStr;
use std::fmt;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bw_core::LookupAddress;
use parking_lot::Mutex;

use crate::frame::Frame;
use crate::resolver::elf::debug_info::DebugInfo;
use crate::resolver::elf::debug_source;
use crate::resolver::elf::loaded::LoadedModule;

/// One loaded module, and its debug information once somebody asked for it.
pub(super) struct Module {
    /// For people.
    path: Arc<str>,
    loaded: LoadedModule,
    /// One lookup at a time: the parsed debug information is lazy inside.
    debug_info: Mutex<Option<Opened>>,
}

/// `None` when the module has no file, or its file tells nothing: asked once, not at every address.
type Opened = Option<DebugInfo>;

impl Module {
    pub(super) fn new(loaded: LoadedModule) -> Self {
        let path = if loaded.is_main {
            main_program_path().to_string_lossy().into()
        } else {
            String::from_utf8_lossy(&loaded.name).into()
        };
        Self { path, loaded, debug_info: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> &Arc<str> {
        &self.path
    }

    pub(super) fn is_main(&self) -> bool {
        self.loaded.is_main
    }

    pub(super) fn bias(&self) -> u64 {
        self.loaded.bias
    }

    /// The addresses in this process that belong to it.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        let bias = self.loaded.bias;
        // A range that wraps around is the loader's mistake; it then contains nothing.
        self.loaded
            .segments
            .iter()
            .map(move |segment| bias.wrapping_add(segment.range.start)..bias.wrapping_add(segment.range.end))
    }

    /// Whether the loader speaks of the same module, as far as it can be told from its place and name.
    pub(super) fn is_same(&self, loaded: &LoadedModule) -> bool {
        self.loaded.bias == loaded.bias
            && self.loaded.name == loaded.name
            && self.loaded.segments == loaded.segments
            && self.loaded.build_id == loaded.build_id
    }

    /// The functions at an address in this process, innermost first. None at an address that is no code.
    ///
    /// Opens the module's file the first time, while other threads that ask about the same module wait.
    pub(super) fn frames(&self, address: LookupAddress) -> Vec<Frame> {
        let svma = (address.get() as u64).wrapping_sub(self.loaded.bias);
        // Debug information of functions that the linker dropped says address 0, where the file's header is.
        if !self.loaded.segments.iter().any(|segment| segment.is_code && segment.range.contains(&svma)) {
            return Vec::new();
        }
        let mut slot = self.debug_info.lock();
        match slot.get_or_insert_with(|| self.open()) {
            Some(debug_info) => debug_info.frames(svma),
            None => Vec::new(),
        }
    }

    fn open(&self) -> Opened {
        let file = self.file()?;
        debug_source::find(&file, &self.loaded).map(DebugInfo::from_file)
    }

    /// The file this module was loaded from. `None` for what is no file: the vDSO.
    fn file(&self) -> Option<PathBuf> {
        if self.loaded.is_main {
            return Some(MAIN_PROGRAM.into());
        }
        // The vDSO is named `linux-vdso.so.1`; a name without a slash must not be looked up in the current
        // directory.
        self.loaded.name.contains(&b'/').then(|| OsStr::from_bytes(&self.loaded.name).into())
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("path", &self.path)
            .field("bias", &self.loaded.bias)
            .finish_non_exhaustive()
    }
}

/// The file the main program was started from, also when it was replaced or deleted since.
const MAIN_PROGRAM: &str = "/proc/self/exe";

/// Where the main program is, or was, on disk. `/proc/self/exe` itself when the kernel does not tell.
fn main_program_path() -> PathBuf {
    let Ok(path) = std::fs::read_link(MAIN_PROGRAM) else { return MAIN_PROGRAM.into() };
    match path.to_str().and_then(|path| path.strip_suffix(" (deleted)")) {
        Some(before) => Path::new(before).to_owned(),
        None => path,
    }
}
