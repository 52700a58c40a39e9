//! One module of a process.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::frame::Frame;
use crate::problem::Problem;
use crate::resolver::elf::budget::Budget;
use crate::resolver::elf::debug_info::DebugInfo;
use crate::resolver::elf::debug_source::Search;
use crate::resolver::elf::file_bytes::{Disk, Files};
use crate::resolver::elf::identity::Identity;
use crate::resolver::elf::object_bytes::{Bundle, SplitPlaces};
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
    /// What `debug_info` was said to use.
    bytes: usize,
    budget: Arc<Budget>,
}

impl Opened {
    fn new(debug_info: Option<DebugInfo>, problems: Vec<Problem>, budget: &Arc<Budget>) -> Self {
        Self { debug_info, problems, bytes: 0, budget: Arc::clone(budget) }
    }

    fn frames(&mut self, svma: u64) -> Vec<Frame> {
        let Some(debug_info) = &mut self.debug_info else { return Vec::new() };
        let frames = debug_info.frames(svma);
        self.measure();
        if self.budget.is_exceeded() {
            self.shrink(self.budget.share(self.bytes));
        }
        frames
    }

    fn shrink(&mut self, limit: usize) {
        if let Some(debug_info) = &mut self.debug_info {
            debug_info.shrink(limit);
        }
        self.measure();
    }

    fn measure(&mut self) {
        let now = self.debug_info.as_ref().map_or(0, DebugInfo::bytes);
        self.budget.change(self.bytes, now);
        self.bytes = now;
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.budget.change(self.bytes, 0);
    }
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
    pub(crate) fn frames(&self, svma: u64, sources: &SymbolSources, budget: &Arc<Budget>) -> Vec<Frame> {
        if !self.identity.has_code_at(svma) {
            return Vec::new();
        }
        let mut slot = self.opened.lock();
        slot.get_or_insert_with(|| self.open(sources, Arc::new(Disk), budget)).frames(svma)
    }

    /// Gives back what can be, unless somebody is asking at this moment.
    pub(super) fn shrink(&self) {
        if let Some(mut slot) = self.opened.try_lock()
            && let Some(opened) = &mut *slot
        {
            opened.shrink(0);
        }
    }

    /// Why names or lines of this module are missing, as far as it is known.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let slot = self.opened.lock();
        let Some(opened) = &*slot else { return Vec::new() };
        let mut problems = opened.problems.clone();
        if let Some(debug_info) = &opened.debug_info {
            let module = || Arc::clone(&self.identity.path);
            if debug_info.has_line_tables_only() {
                problems.push(Problem::LineTablesOnly { module: module() });
            }
            let missing = debug_info.missing().into_iter();
            problems.extend(missing.map(|file| Problem::NoSplitDwarf { module: module(), file }));
        }
        problems
    }

    fn open(&self, sources: &SymbolSources, files: Arc<dyn Files>, budget: &Arc<Budget>) -> Opened {
        let mut problems = Vec::new();
        let (open, place) = match &self.bytes {
            ModuleBytes::File { open, place } => (Some(open.as_path()), Some(place.as_path())),
            ModuleBytes::None => (None, None),
            ModuleBytes::Image(image) => {
                let image = Box::new(ImageBytes(Arc::clone(image)));
                let debug_info =
                    DebugInfo::from_bundle(Bundle::new(image, None, SplitPlaces::default(), true));
                return Opened::new(Some(debug_info), problems, budget);
            }
        };
        let found = Search::new(&self.identity, open, place, sources, &*files, &mut problems).run();
        // A file that this process runs could do worse than overflow a stack.
        let is_trusted = self.identity.is_of_this_process() && found.is_own;
        let places = SplitPlaces {
            files: Some(files),
            packages: found.packages,
            folders: found.dwo_dirs,
            uses_paths: sources.uses_module(),
        };
        let debug_info = found
            .debug
            .map(|debug| DebugInfo::from_bundle(Bundle::new(debug, found.own, places, is_trusted)));
        if let Some(damage) = debug_info.as_ref().and_then(DebugInfo::damage) {
            problems.push(Problem::Unreadable {
                module: Arc::clone(&self.identity.path),
                file: (&*self.identity.path).into(),
                reason: damage.reason().to_owned(),
            });
        }
        Opened::new(debug_info, problems, budget)
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
