//! A trace that prints itself.

use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use bw_core::RawTrace;
use bw_render::{Detail, Paths, Text, Tree};
use bw_symbolize::{SymbolizedTrace, Symbolizer};

/// Where a task waits, and how it got there.
///
/// `{}` prints what a person wants: the program's own functions from the task's root to its leaves, and what each leaf
/// waits in. `{:#}` prints everything that was captured. Source files below the working directory are printed relative to
/// it.
///
/// Nothing is symbolized before the first time it is needed, as with `std::backtrace::Backtrace`. That first time in a
/// process opens the program's debug information, which takes some milliseconds: rather not on a thread that
/// runs tasks. Later traces cost microseconds. [`raw`](Self::raw) never symbolizes; [`symbolizer`] gives the memory back.
///
/// For other styles, colours or filters print its [`tree`](Self::tree) with [`Text`].
pub struct Trace {
    raw: RawTrace,
    type_name: Option<Arc<str>>,
    symbolized: OnceLock<Symbolized>,
}

struct Symbolized {
    trace: SymbolizedTrace,
    tree: Tree,
}

static SYMBOLIZER: LazyLock<Symbolizer> = LazyLock::new(Symbolizer::new);

/// The symbolizer that every [`Trace`] of this process shares: its cache makes the second trace cheap.
///
/// [`Symbolizer::clear`] gives its memory back.
#[must_use]
pub fn symbolizer() -> &'static Symbolizer {
    &SYMBOLIZER
}

impl Trace {
    /// A trace of addresses of this process.
    #[must_use]
    pub fn new(raw: RawTrace) -> Self {
        Self { raw, type_name: None, symbolized: OnceLock::new() }
    }

    /// The same trace of a task whose future is of that type: see [`TraceHandle::type_name`](crate::TraceHandle::type_name). Printed where
    /// nothing names a function of the program.
    #[must_use]
    pub fn of_type(mut self, type_name: impl Into<Arc<str>>) -> Self {
        self.type_name = Some(type_name.into());
        self.symbolized = OnceLock::new();
        self
    }

    /// The addresses, as they were captured.
    #[must_use]
    pub fn raw(&self) -> &RawTrace {
        &self.raw
    }

    /// The functions and positions of every stack. Symbolizes the first time: may block, allocate and read files.
    #[must_use]
    pub fn symbolized(&self) -> &SymbolizedTrace {
        &self.symbolize().trace
    }

    /// The tree of frames, nothing left out. Symbolizes the first time: may block, allocate and read files.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.symbolize().tree
    }

    /// The settings that `{}` prints with, to be changed: other glyphs, colours, more detail.
    ///
    /// ```
    /// # let (task, handle) = backtrace_waker::traced(async {});
    /// # fn print(trace: backtrace_waker::Trace) {
    /// use backtrace_waker::Glyphs;
    ///
    /// println!("{}", trace.text().glyphs(Glyphs::Ascii).render(trace.tree()));
    /// # }
    /// ```
    #[must_use]
    pub fn text(&self) -> Text {
        user_text()
    }

    fn symbolize(&self) -> &Symbolized {
        self.symbolized.get_or_init(|| {
            let trace = SYMBOLIZER.symbolize(&self.raw);
            let tree = Tree::of_task(&trace, self.type_name.as_deref());
            Symbolized { trace, tree }
        })
    }
}

/// What `{}` prints with.
pub(crate) fn user_text() -> Text {
    Text::new().paths(paths())
}

/// Paths relative to the working directory.
pub(crate) fn paths() -> Paths {
    let folder = std::env::current_dir().ok().and_then(|folder| folder.into_os_string().into_string().ok());
    folder.map_or_else(Paths::default, |folder| Paths::default().relative_to(folder))
}

impl From<RawTrace> for Trace {
    fn from(raw: RawTrace) -> Self {
        Self::new(raw)
    }
}

impl Clone for Trace {
    /// Shares the addresses. What was symbolized is symbolized anew, from the cache.
    fn clone(&self) -> Self {
        Self { type_name: self.type_name.clone(), ..Self::new(self.raw.clone()) }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if f.alternate() { Text::new().detail(Detail::Full) } else { self.text() };
        fmt::Display::fmt(&text.render(self.tree()), f)
    }
}

impl fmt::Debug for Trace {
    /// The addresses; never symbolizes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(&self.raw).finish()
    }
}
