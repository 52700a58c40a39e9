//! All tasks at once, as a dump that prints itself.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use bw_core::{Dump, RawTaskDump, Registry, TaskFilter};
use bw_render::{Detail, Difference, DumpText, TaskTrees, Text, Tree};

#[cfg(any(feature = "html", feature = "pprof"))]
use crate::trace::paths;
use crate::trace::{symbolizer, user_text};

/// Every traced task, what it is doing and for how long, and where it waits.
///
/// `{}` prints tasks that look alike once, with how many they are, those that hold a thread first, then the group that has waited longest. `{:#}` prints every
/// task. [`tree`](Self::tree) prints children below their parents, `to_json` (feature `json`) is for programs,
/// `to_html` (feature `html`) is for browsers, [`since`](Self::since) tells what changed.
///
/// Nothing is symbolized before the first time it is needed; see [`Trace`](crate::Trace) for what that costs. Each distinct
/// trace is symbolized once, however many tasks have it: of 100,000 tasks the text in groups took 39 to 78 ms from the
/// request, 57 to 105 ms the first time in the process, and that of every task 95 to 135 ms, where the dump alone took 35 to
/// 75 ms; see [`bw_core::Dump`]. Resident memory rose by 56 MB at most, of which 39 MB were debug information.
///
/// ```
/// use backtrace_waker::{TaskDump, TracedExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// for _ in 0..3 {
///     tokio::spawn(tokio::time::sleep(std::time::Duration::from_secs(3600)).traced_as("sleeper"));
/// }
/// # tokio::task::yield_now().await;
///
/// let dump = TaskDump::take().await;
/// println!("{dump}");
/// # assert!(dump.to_string().contains("3 tasks suspended"), "{dump}");
/// # }
/// ```
pub struct TaskDump {
    raw: RawTaskDump,
    trees: OnceLock<Vec<Tree>>,
}

impl TaskDump {
    /// Asks every task of the global registry.
    pub fn take() -> DumpRequest {
        Self::of(&Registry::global())
    }

    /// Asks every task of a registry.
    pub fn of(registry: &Registry) -> DumpRequest {
        DumpRequest { dump: registry.dump(), alive: Alive::Unknown }
    }

    /// A dump of addresses of this process.
    #[must_use]
    pub fn new(raw: RawTaskDump) -> Self {
        Self { raw, trees: OnceLock::new() }
    }

    /// The tasks and their addresses, as they were captured. Never symbolizes.
    #[must_use]
    pub fn raw(&self) -> &RawTaskDump {
        &self.raw
    }

    /// The tasks with the trees of where they wait, for other output than these methods give. Symbolizes the first time: may
    /// block, allocate and read files.
    #[must_use]
    pub fn trees(&self) -> TaskTrees<'_> {
        let trees = self.trees.get_or_init(|| TaskTrees::trees(&symbolizer().symbolize_all(&self.raw)));
        TaskTrees::new(&self.raw, trees)
    }

    /// Every task below the await of the task that polls it, as a `FuturesUnordered` does, or that spawned it. See
    /// [`DumpText::tree`]. Symbolizes as [`trees`](Self::trees) does; allocates.
    #[must_use]
    pub fn tree(&self) -> String {
        DumpText::new(user_text()).tree(self.trees()).to_string()
    }

    /// Returns all of it for programs; see [`bw_render::json`] for the schema. Symbolizes as [`trees`](Self::trees) does;
    /// allocates. Feature `json`.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn to_json(&self) -> String {
        self.trees().to_json(false)
    }

    /// All of it as a profile for `go tool pprof` and others that read pprof, compressed; see [`bw_render::pprof`]. Its mappings are
    /// what is loaded now. Symbolizes as [`trees`](Self::trees) does; allocates. For one without names, or with every frame:
    /// [`TaskTrees::to_pprof`]. Feature `pprof`.
    #[cfg(feature = "pprof")]
    #[must_use]
    pub fn to_pprof(&self) -> Vec<u8> {
        let file = bw_dump::RawDumpFile::of_this_process(&self.raw);
        let profile = bw_render::Pprof::new(file.process(), file.modules());
        self.trees().to_pprof(&profile.paths(paths()))
    }

    /// All of it as a page of HTML, one file with all it needs, for a browser; see [`bw_render::html`]. Paths are short.
    /// Symbolizes as [`trees`](Self::trees) does; allocates. Feature `html`.
    #[cfg(feature = "html")]
    #[must_use]
    pub fn to_html(&self) -> String {
        bw_render::Html::new().paths(paths()).render(self.trees())
    }

    /// What changed since an older dump of this process. Symbolizes both as [`trees`](Self::trees) does; allocates.
    #[must_use]
    pub fn since(&self, older: &Self) -> Difference {
        self.trees().since(&older.trees(), &user_text())
    }
}

impl fmt::Display for TaskDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            let text = Text::new().detail(Detail::Full);
            write!(f, "{}", DumpText::new(text).full(self.trees()))
        } else {
            write!(f, "{}", DumpText::new(user_text()).grouped(self.trees()))
        }
    }
}

impl fmt::Debug for TaskDump {
    /// Never symbolizes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskDump")
            .field("tasks", &self.raw.tasks().len())
            .field("traces", &self.raw.traces().len())
            .field("taken_at", &self.raw.taken_at())
            .finish_non_exhaustive()
    }
}

/// A dump on its way; made by [`TaskDump::take`]. Await it, or call [`blocking`](Self::blocking).
///
/// Never fails: it ends by its deadline, two seconds unless told otherwise, with what is known by then. See
/// [`bw_core::Dump`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct DumpRequest {
    dump: Dump,
    alive: Alive,
}

/// How many tasks are alive, traced or not.
#[derive(Debug)]
enum Alive {
    Unknown,
    Number(usize),
    /// That runtime knows.
    #[cfg(feature = "tokio")]
    In(::tokio::runtime::Handle),
}

impl DumpRequest {
    /// Waits at most this long.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.dump = self.dump.deadline(deadline);
        self
    }

    /// Asks at most so many tasks at once; [`Dump::AT_ONCE`] unless told.
    pub fn at_once(mut self, tasks: usize) -> Self {
        self.dump = self.dump.at_once(tasks);
        self
    }

    /// Leaves out, and does not ask, the tasks that do not pass.
    pub fn only(mut self, filter: TaskFilter) -> Self {
        self.dump = self.dump.only(filter);
        self
    }

    /// Has the dump say how many of the tasks that are alive are traced, such as `traced 812 of 1,040 tasks alive`. The number is
    /// the runtime's, which has to be asked right before; with the feature `tokio`, `alive_in` does that.
    ///
    /// Traced futures which other traced tasks poll (in a `FuturesUnordered`, say) are no tasks of the runtime's, and those
    /// that were never polled may not be: the line counts both apart. Whether the others are this runtime's is not known. So if
    /// more are traced than are alive, it says that some are not; if fewer, some may still not be.
    pub fn alive(mut self, tasks: usize) -> Self {
        self.alive = Alive::Number(tasks);
        self
    }

    /// As [`alive`](Self::alive), with the number of tasks that are alive in a tokio runtime when the dump begins. Feature
    /// `tokio`.
    ///
    /// tokio counts the tasks that were spawned on the runtime: not the future of `block_on`, nor those of a `LocalSet`, nor
    /// blocking ones.
    #[cfg(feature = "tokio")]
    pub fn alive_in(mut self, runtime: &::tokio::runtime::Handle) -> Self {
        self.alive = Alive::In(runtime.clone());
        self
    }

    /// Waits for the dump on this thread: best one that runs no tasks. See [`Dump::blocking`].
    #[must_use]
    pub fn blocking(self) -> TaskDump {
        let Self { dump, mut alive } = self;
        let alive = alive.count();
        with_alive(dump.blocking(), alive)
    }
}

impl Future for DumpRequest {
    type Output = TaskDump;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TaskDump> {
        let alive = self.alive.count();
        Pin::new(&mut self.dump).poll(cx).map(|raw| with_alive(raw, alive))
    }
}

impl Alive {
    /// Asks the runtime the first time: when the dump begins.
    fn count(&mut self) -> Option<usize> {
        #[cfg(feature = "tokio")]
        if let Self::In(runtime) = self {
            *self = Self::Number(runtime.metrics().num_alive_tasks());
        }
        match self {
            Self::Number(tasks) => Some(*tasks),
            _ => None,
        }
    }
}

fn with_alive(raw: RawTaskDump, alive: Option<usize>) -> TaskDump {
    TaskDump::new(match alive {
        Some(alive) => raw.with_alive(alive),
        None => raw,
    })
}
