//! All tasks at once, as a dump that prints itself.

use std::fmt;
use std::sync::OnceLock;

use bw_core::{RawTaskDump, TaskId};
use bw_render::{Detail, Difference, DumpText, TaskTrees, Text, Tree};

use crate::task::registry::Registry;
use crate::task::trace_handle::TraceHandle;
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
/// 75 ms; see [`bw_core::DumpFuture`]. Resident memory rose by 56 MB at most, of which 39 MB were debug information.
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
    /// Where its tasks are found, if it was taken here.
    registry: Option<Registry>,
    trees: OnceLock<Vec<Tree>>,
}

impl TaskDump {
    /// Creates a dump of addresses of this process.
    #[must_use]
    pub fn new(raw: RawTaskDump) -> Self {
        Self { raw, registry: None, trees: OnceLock::new() }
    }

    pub(crate) fn of_registry(raw: RawTaskDump, registry: Registry) -> Self {
        Self { raw, registry: Some(registry), trees: OnceLock::new() }
    }

    /// Returns a handle to the task of that id, to ask it again. `None` if it is over by now, or if this dump was not taken by
    /// [`take`](Self::take) or [`Registry::dump`](crate::Registry::dump). Locks a shard of the registry; linear in its tasks.
    #[must_use]
    pub fn handle(&self, id: TaskId) -> Option<TraceHandle> {
        self.registry.as_ref()?.get(id)
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
        let trees =
            self.trees.get_or_init(|| TaskTrees::trees(&self.raw, &symbolizer().symbolize_all(&self.raw)));
        TaskTrees::new(&self.raw, trees)
    }

    /// Every task below the await of the task that polls it, as a `FuturesUnordered` does, or that spawned it. See
    /// [`DumpText::tree`]. Symbolizes as [`trees`](Self::trees) does; allocates.
    #[must_use]
    pub fn tree(&self) -> String {
        DumpText::new(user_text()).tree(self.trees()).to_string()
    }

    /// Returns the text of one task, with the settings of `{}`: its state, where it was spawned, and where it waits. `None` if the dump
    /// has no task of that id. Symbolizes as [`trees`](Self::trees) does; allocates.
    ///
    /// ```
    /// use backtrace_waker::{TaskDump, TracedExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let task = std::future::pending::<()>().traced_as("waits for ever");
    /// let id = task.handle().id();
    /// tokio::spawn(task);
    /// # tokio::task::yield_now().await;
    /// let text = TaskDump::take().await.task(id).expect("it is not over");
    /// assert!(text.contains("\"waits for ever\""), "{text}");
    /// # }
    /// ```
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<String> {
        let task = self.raw.tasks().iter().find(|task| task.id() == id)?;
        Some(DumpText::new(user_text()).task(self.trees(), task).to_string())
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
