//! One module of a process.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::frame::Frame;
use crate::problem::Problem;
use crate::resolver::elf::file_bytes::{Disk, Files};
use crate::resolver::elf::find::identity::Identity;
use crate::resolver::elf::find::search::Search;
use crate::resolver::elf::process::debug_file::DebugFile;
use crate::resolver::elf::process::memory_budget::Budget;
use crate::resolver::elf::read::debug_info::DebugInfo;
use crate::resolver::elf::read::object_bytes::{Bundle, ObjectBytes, SplitPlaces};
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
pub(crate) enum ModuleBytes {
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
    pub(crate) fn recorded(path: &Path, sources: &SymbolSources) -> Self {
        // A name without a folder is none of a file and must not be looked up in the current directory.
        if path.parent().is_some_and(|folder| folder != "") {
            let (open, place) = sources.place_of(path);
            Self::File { open, place }
        } else {
            Self::None
        }
    }
}

impl Module {
    pub(crate) fn new(identity: Identity, bytes: ModuleBytes) -> Self {
        Self { identity, bytes, opened: Mutex::new(None) }
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether this is the same module, as far as it can be told from its place and name.
    pub(crate) fn is_same(&self, identity: &Identity, bytes: &ModuleBytes) -> bool {
        self.identity == *identity && self.bytes == *bytes
    }

    /// The functions at an address in the file, innermost first. None at an address that is no code.
    ///
    /// Looks for the module's files the first time, while other threads that ask about the same module wait.
    pub(crate) fn frames(&self, svma: u64, sources: &SymbolSources, budget: &Arc<Budget>) -> Vec<Frame> {
        self.frames_from(svma, sources, budget, Arc::new(Disk))
    }

    fn frames_from(
        &self,
        svma: u64,
        sources: &SymbolSources,
        budget: &Arc<Budget>,
        files: Arc<dyn Files>,
    ) -> Vec<Frame> {
        if !self.identity.has_code_at(svma) {
            return Vec::new();
        }
        let mut slot = self.opened.lock();
        let opened = slot.get_or_insert_with(|| {
            contained(|| self.open(sources, files, budget))
                .unwrap_or_else(|| Opened::new(None, vec![self.panicked()], budget))
        });
        contained(|| opened.frames(svma)).unwrap_or_else(|| {
            // Half changed, maybe. Its memory is given back with it.
            let problems = [std::mem::take(&mut opened.problems), vec![self.panicked()]].concat();
            *opened = Opened::new(None, problems, budget);
            Vec::new()
        })
    }

    /// The file with its debug information. Looks for it, on the disk and where else `sources` says. `None` without any.
    pub(super) fn debug_file(&self, sources: &SymbolSources, budget: &Budget) -> Option<DebugFile> {
        let ModuleBytes::File { open, place } = &self.bytes else { return None };
        let mut problems = Vec::new();
        let search = Search::new(&self.identity, Some(open), Some(place), sources, &Disk, &mut problems);
        let found = search.run();
        let file = found.debug.filter(|_| found.has_debug_info)?;
        Some(DebugFile::new(ObjectBytes::new(file, budget.most_unpacked()), self.identity.bias))
    }

    fn panicked(&self) -> Problem {
        Problem::Unreadable {
            module: Arc::clone(&self.identity.path),
            file: (&*self.identity.path).into(),
            reason: "its debug information is damaged: reading it panicked".to_owned(),
        }
    }

    /// Gives back what can be, unless somebody is asking at this moment.
    pub(crate) fn shrink(&self) {
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
            if debug_info.is_too_large() {
                let reason =
                    "its compressed debug information is larger than the memory limit allows: raise it";
                problems.push(Problem::Unreadable {
                    module: module(),
                    file: (&*self.identity.path).into(),
                    reason: reason.to_owned(),
                });
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
                let debug_info = DebugInfo::from_bundle(Bundle::new(image, None, SplitPlaces::default(), 0));
                return Opened::new(Some(debug_info), problems, budget);
            }
        };
        let found = Search::new(&self.identity, open, place, sources, &*files, &mut problems).run();
        let places = SplitPlaces {
            files: Some(files),
            packages: found.packages,
            folders: found.dwo_dirs,
            uses_paths: sources.uses_module(),
        };
        let debug_info = found.debug.map(|debug| {
            DebugInfo::from_bundle(Bundle::new(debug, found.own, places, budget.most_unpacked()))
        });
        Opened::new(debug_info, problems, budget)
    }
}

/// What it returns, or `None` when it panics.
///
/// Whatever is in a file, the libraries that read it should not panic, and fuzzing looks for what makes them. Where it
/// happens all the same, names are missing; the program, which may be sick already, goes on. With `panic = "abort"` it
/// does not.
fn contained<T>(read: impl FnOnce() -> T) -> Option<T> {
    // Unwind safe: the callers throw away what the closure may have left half changed.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).ok()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::elf::file_bytes::FileBytes;
    use crate::resolver::elf::find::identity::Layout;
    use std::io;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn module() -> Module {
        let identity = Identity {
            path: "/app".into(),
            is_main: true,
            build_id: None,
            bias: 0,
            layout: Layout::Span(0x1000..0x2000),
        };
        Module::new(identity, ModuleBytes::File { open: "/app".into(), place: "/app".into() })
    }

    /// Files none of which can be read, counted.
    struct Counted(AtomicUsize);

    impl Files for Counted {
        fn open(&self, path: &Path) -> io::Result<FileBytes> {
            // Ordering: joined before it is read.
            self.0.fetch_add(usize::from(path == "/app"), Ordering::Relaxed);
            Err(io::Error::other("broken disk"))
        }
    }

    #[test]
    fn two_threads_do_not_open_the_same_module_twice() {
        let (module, budget) = (module(), Arc::new(Budget::new(1 << 20)));
        let files = Arc::new(Counted(AtomicUsize::new(0)));
        let start = Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    for svma in 0x1000..0x1100 {
                        let files: Arc<Counted> = Arc::clone(&files);
                        assert!(module.frames_from(svma, &SymbolSources::new(), &budget, files).is_empty());
                    }
                });
            }
        });
        assert_eq!(files.0.load(Ordering::Relaxed), 1);
        let problems = module.problems();
        assert!(problems.iter().any(|problem| problem.to_string().contains("broken disk")), "{problems:?}");
    }

    /// A disk whose driver panics stands for a library that does.
    struct Panics;

    impl Files for Panics {
        fn open(&self, _: &Path) -> io::Result<FileBytes> {
            panic!("expected by the test")
        }
    }

    #[test]
    fn a_panic_while_reading_costs_names_and_nothing_else() {
        let (module, budget) = (module(), Arc::new(Budget::new(1 << 20)));
        for _ in 0..2 {
            assert!(module.frames_from(0x1800, &SymbolSources::new(), &budget, Arc::new(Panics)).is_empty());
        }
        let problems = module.problems();
        assert!(problems[0].to_string().contains("panicked"), "{problems:?}");
    }

    /// A disk that answers when it is told to.
    struct Held(Barrier);

    impl Files for Held {
        fn open(&self, _: &Path) -> io::Result<FileBytes> {
            self.0.wait();
            self.0.wait();
            Err(io::ErrorKind::NotFound.into())
        }
    }

    #[test]
    fn a_capture_does_not_wait_for_a_symbolizer_that_waits_for_the_disk() {
        use std::future::{Future, poll_fn};
        use std::pin::pin;
        use std::task::{Context, Poll, Waker};

        let (module, budget) = (module(), Arc::new(Budget::new(1 << 20)));
        let held = Arc::new(Held(Barrier::new(2)));
        let sources = SymbolSources::none().debug_file("/app.debug");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let files: Arc<Held> = Arc::clone(&held);
                module.frames_from(0x1800, &sources, &budget, files)
            });
            // The other thread holds the module's lock from here.
            held.0.wait();
            assert!(module.opened.is_locked());
            let leaf = poll_fn::<(), _>(|context| {
                drop(context.waker().clone());
                Poll::Pending
            });
            let (task, handle) = bw_core::traced(leaf);
            let (mut task, mut capture) = (pin!(task), pin!(handle.capture()));
            let mut context = Context::from_waker(Waker::noop());
            let trace = loop {
                if let Poll::Ready(trace) = capture.as_mut().poll(&mut context) {
                    break trace;
                }
                assert!(task.as_mut().poll(&mut context).is_pending());
            };
            assert_eq!(trace.expect("a suspended task has a trace").stacks().count(), 1);
            held.0.wait();
        });
    }
}
