//! Addresses in, frames out.

use std::fmt;
use std::sync::Arc;

use bw_core::{RawTaskDump, RawTrace, ReturnAddress};
use bw_dump::ModuleMap;
use bw_dump::loaded::LoadGeneration;
use parking_lot::RwLock;

use crate::cache::Cache;
use crate::frame::PhysicalFrame;
use crate::problem::Problem;
use crate::resolver::{Backend, Budget, DebugFile, RecordedProcess, ThisProcess};
use crate::symbol_sources::SymbolSources;
use crate::symbolized_trace::{SymbolizedStack, SymbolizedTrace};

/// Turns addresses of this process, or of another, into functions, files and lines.
///
/// Lazy: making one opens nothing. A module's file is mapped when the first address in it is symbolized, and stays until [`clear`](Self::clear) or drop. Share one per process, by reference or in an
/// `Arc`: any number of threads may use it at once.
///
/// What one call costs, on Linux (elsewhere the `backtrace` crate does the work, under its process-wide lock):
///
/// | Address | Cost |
/// |---|---|
/// | first in a module | finds and maps its file, and reads the list of its compilation units: 0.8 ms for a server of 27 MB with tokio, hyper and axum, `debug = 1`; 6 ms for a program with 530 MB of debug information |
/// | first in a compilation unit | reads that unit: 0.1 to a few milliseconds |
/// | first that has no debug information | asks all units, once: some milliseconds for 100 MB of debug information |
/// | any other, first time | 100 µs on average |
/// | seen before | 0.1 µs: one look at the loader's counters, one read lock, one hash lookup |
///
/// In memory, beyond mapped files, that server takes 9 MB after 1,000 addresses all over its code, and less after those
/// that tasks wait at. How much may be taken is [bounded](Self::with_memory_limit), by 64 MiB unless told otherwise.
///
/// Every call may allocate, takes locks and may block: on the loader's lock, on another thread that opens the
/// same module, on the disk. Never call it in a waker's `clone`, in a signal handler or from code that the dynamic
/// loader runs. It does not panic, whatever is in the files: what cannot be read is missing from the result, and
/// [`problems`](Self::problems) says why. No capture ever waits for a symbolizer: they share no lock.
///
/// Files of more than 64 KiB are mapped, not read. Replace them by renaming, as linkers and packagers do: who cuts a
/// mapped file short in place can kill the process with `SIGBUS`, as with the program's own file it can without a
/// symbolizer.
///
/// Modules that are loaded or unloaded (`dlopen`, `dlclose`) are noticed at the next call. An address is taken to
/// belong to what is loaded now: symbolize before you unload.
pub struct Symbolizer {
    cache: RwLock<Cache>,
    backend: Backend,
    process: Process,
    sources: SymbolSources,
}

/// Whose addresses are symbolized.
enum Process {
    This,
    Recorded(ModuleMap),
}

/// The bound of memory, unless told otherwise: 64 MiB.
const MEMORY_LIMIT: usize = 64 << 20;

impl Symbolizer {
    /// Makes a symbolizer that has opened nothing yet, and looks for debug information where debuggers do, without a
    /// network. Does not allocate.
    #[must_use]
    pub fn new() -> Self {
        Self::with_sources(SymbolSources::new())
    }

    /// Makes a symbolizer that looks for debug information in these places. Does not allocate.
    #[must_use]
    pub fn with_sources(sources: SymbolSources) -> Self {
        Self::new_with(Process::This, sources, MEMORY_LIMIT)
    }

    /// Makes a symbolizer for another process, here or elsewhere, now or long ago: one that had these modules. It takes
    /// addresses of that process (AVMAs), and looks for debug information in these places.
    ///
    /// The rest of [the type's](Self) documentation holds for it, but for what it says of modules that come and go.
    #[must_use]
    pub fn for_modules(modules: ModuleMap, sources: SymbolSources) -> Self {
        Self::new_with(Process::Recorded(modules), sources, MEMORY_LIMIT)
    }

    /// The same symbolizer with another bound on its memory, in bytes: what was parsed and the frames kept may take so
    /// much, beyond mapped files. Nothing is cached any more.
    ///
    /// When more is used, compilation units are given back, those that were not asked about for longest first, and read again when
    /// they are asked for, which takes milliseconds each. Of one module, 8 MiB of units are kept at most, or the last four. The list of units of
    /// a module that is in use stays, and so do its symbol table and sections that are stored compressed, which have to be unpacked;
    /// together they may exceed a small bound. What would be larger than 16 times the bound, unpacked, is not used, and
    /// [`problems`](Self::problems) says so.
    #[must_use]
    pub fn with_memory_limit(self, bytes: usize) -> Self {
        let Self { process, sources, .. } = self;
        Self::new_with(process, sources, bytes)
    }

    fn new_with(process: Process, sources: SymbolSources, memory_limit: usize) -> Self {
        // Names are kept by the frames as well as by what they come from, so that the frames are the smaller part.
        let for_frames = memory_limit / 4;
        let budget = Budget::new(memory_limit - for_frames);
        let backend = match &process {
            Process::This => Backend::ThisProcess(ThisProcess::new(sources.clone(), budget)),
            Process::Recorded(modules) => {
                Backend::Recorded(RecordedProcess::new(modules.clone(), sources.clone(), budget))
            }
        };
        Self { cache: RwLock::new(Cache::new(for_frames)), backend, process, sources }
    }

    /// Symbolizes every stack of a trace. Equal addresses share one frame.
    ///
    /// Costs what [the type](Self) says for each address, and one allocation for each stack.
    #[must_use]
    pub fn symbolize(&self, trace: &RawTrace) -> SymbolizedTrace {
        let generation = self.backend.generation();
        let stacks = trace
            .stacks()
            .map(|stack| SymbolizedStack {
                frames: stack.addresses().map(|address| self.frame(address, generation)).collect(),
                flags: stack.flags(),
            })
            .collect();
        SymbolizedTrace { stacks, dropped: trace.dropped() }
    }

    /// Symbolizes every distinct trace of a dump, in their order: thousands of tasks mostly wait at a few places.
    ///
    /// Costs what [`symbolize`](Self::symbolize) costs for each distinct trace, however many tasks there are.
    #[must_use]
    pub fn symbolize_all(&self, dump: &RawTaskDump) -> Vec<SymbolizedTrace> {
        dump.traces().iter().map(|trace| self.symbolize(trace)).collect()
    }

    /// Symbolizes one return address. The same address gives the same `Arc`, as long as it stays cached.
    ///
    /// An address that lies in no module yields a frame without module and names; one in a module without debug
    /// information and symbols yields its module and offset. See [the type](Self) for the cost.
    #[must_use]
    pub fn symbolize_address(&self, address: ReturnAddress) -> Arc<PhysicalFrame> {
        self.frame(address, self.backend.generation())
    }

    /// Returns the file with the debug information of the module at an address of another process: for readers of more than names and
    /// lines, such as types. Looks for it each time, where this symbolizer looks. `None` if there is none, or the process is this one.
    #[must_use]
    pub fn debug_file(&self, address: u64) -> Option<DebugFile> {
        self.backend.debug_file(address)
    }

    /// Why names or lines are missing in what was symbolized since the last [`clear`](Self::clear): each problem once,
    /// in order. Empty where the `backtrace` crate does the work.
    ///
    /// May wait for a thread that opens a module.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.backend.problems();
        problems.sort();
        problems.dedup();
        problems
    }

    /// Gives all memory back: the cached frames and every opened file. Frames handed out stay valid; the next
    /// address of a module opens its file again.
    ///
    /// Takes the write lock of the cache. A thread that is symbolizing at this moment keeps what it uses until it
    /// is done.
    pub fn clear(&self) {
        self.cache.write().clear();
        self.backend.clear();
    }

    fn frame(&self, address: ReturnAddress, generation: LoadGeneration) -> Arc<PhysicalFrame> {
        let cached = self.cache.read().get(address, generation);
        cached.unwrap_or_else(|| self.resolve(address, generation))
    }

    #[cold]
    fn resolve(&self, address: ReturnAddress, generation: LoadGeneration) -> Arc<PhysicalFrame> {
        self.advance(generation);
        // Asked again: the frame may have outlived a change of modules, or another thread may have found it.
        let cached = self.cache.read().get(address, generation);
        cached.unwrap_or_else(|| {
            // No lock is held here: resolving takes long, and takes locks of its own.
            let (generation, frame) = self.backend.resolve(address, generation);
            self.advance(generation);
            self.cache.write().insert(frame, generation)
        })
    }

    fn advance(&self, now: LoadGeneration) {
        self.cache.write().advance(now, |frame, then, now| self.backend.outlives(frame, then, now));
    }
}

impl Default for Symbolizer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Symbolizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never waits: a debug print must not hang behind a thread that opens a file.
        let cached = self.cache.try_read().map(|cache| cache.len());
        f.debug_struct("Symbolizer").field("cached", &cached).finish_non_exhaustive()
    }
}
