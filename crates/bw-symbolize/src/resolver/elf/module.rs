//! One module of a process.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::frame::Frame;
use crate::problem::Problem;
use crate::resolver::elf::debug_info::DebugInfo;
use crate::resolver::elf::debug_source::{Found, Search};
use crate::resolver::elf::file_bytes::{Disk, Files};
use crate::resolver::elf::identity::Identity;
use crate::symbol_sources::SymbolSources;

/// One module, and its debug information once somebody asked for it.
pub(crate) struct Module {
    identity: Identity,
    bytes: ModuleBytes,
    /// One lookup at a time: the parsed debug information is lazy inside.
    opened: Mutex<Option<Opened>>,
}

/// Where the bytes of a module itself are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ModuleBytes {
    File {
        /// What to open. For the main program of this process, something that also works after it was replaced.
        open: PathBuf,
        /// Where it is, or was.
        place: PathBuf,
    },
    /// In memory, in no file: the vDSO.
    Image(Arc<[u8]>),
    None,
}

/// What was found at the first question: asked once, not at every address.
struct Opened {
    /// `None` when nothing describes the module.
    debug_info: Option<DebugInfo>,
    problems: Vec<Problem>,
}

impl ModuleBytes {
    /// Those of a module of another process, whose file may be where it was.
    pub(super) fn recorded(path: &Path) -> Self {
        // A name without a folder is none of a file and must not be looked up in the current directory.
        if path.parent().is_some_and(|folder| folder != "") {
            Self::File { open: path.to_owned(), place: path.to_owned() }
        } else {
            Self::None
        }
    }
}

impl Module {
    pub(super) fn new(identity: Identity, bytes: ModuleBytes) -> Self {
        Self { identity, bytes, opened: Mutex::new(None) }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether this is the same module, as far as it can be told from its place and name.
    pub(super) fn is_same(&self, identity: &Identity, bytes: &ModuleBytes) -> bool {
        self.identity == *identity && self.bytes == *bytes
    }

    /// The functions at an address in the file, innermost first. None at an address that is no code.
    ///
    /// Looks for the module's files the first time, while other threads that ask about the same module wait.
    pub(crate) fn frames(&self, svma: u64, sources: &SymbolSources) -> Vec<Frame> {
        if !self.identity.has_code_at(svma) {
            return Vec::new();
        }
        let mut slot = self.opened.lock();
        let opened = slot.get_or_insert_with(|| self.open(sources, &Disk));
        match &mut opened.debug_info {
            Some(debug_info) => debug_info.frames(svma),
            None => Vec::new(),
        }
    }

    /// Why names or lines of this module are missing, as far as it is known.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        self.opened.lock().as_ref().map(|opened| opened.problems.clone()).unwrap_or_default()
    }

    fn open(&self, sources: &SymbolSources, files: &dyn Files) -> Opened {
        let mut problems = Vec::new();
        let found = match &self.bytes {
            ModuleBytes::Image(image) => {
                Found { debug: Some(Box::new(ImageBytes(Arc::clone(image)))), ..Found::default() }
            }
            bytes => {
                let (open, place) = match bytes {
                    ModuleBytes::File { open, place } => (Some(open.as_path()), Some(place.as_path())),
                    _ => (None, None),
                };
                Search::new(&self.identity, open, place, sources, files, &mut problems).run()
            }
        };
        Opened { debug_info: found.debug.map(DebugInfo::from_file), problems }
    }
}

/// A module that is in memory only, as the bytes of a file.
struct ImageBytes(Arc<[u8]>);

impl std::ops::Deref for ImageBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("path", &self.identity.path)
            .field("bias", &self.identity.bias)
            .finish_non_exhaustive()
    }
}
