//! All tasks at once: the future of a dump.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bw_core::{RawTaskDump, TaskFilter};

use crate::dump::task_dump::TaskDump;
use crate::task::registry::Registry;

/// The future of a [`TaskDump`]; made by [`TaskDump::take`] and [`Registry::dump`](crate::Registry::dump). Await it, or call
/// [`blocking`](Self::blocking).
///
/// Never fails: it ends when its [timeout](Self::timeout) has passed, with what is known by then. See [`bw_core::DumpFuture`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct DumpFuture {
    dump: bw_core::DumpFuture,
    registry: Registry,
    alive: Alive,
}

impl TaskDump {
    /// Asks every task of the global registry. Those of another: [`Registry::dump`].
    pub fn take() -> DumpFuture {
        Registry::global().dump()
    }
}

impl Registry {
    /// Asks every task where it waits. See [`TaskDump`].
    pub fn dump(&self) -> DumpFuture {
        DumpFuture { dump: self.0.dump(), registry: self.clone(), alive: Alive::Unknown }
    }

    /// Returns what its tasks are doing, without asking or waking any: a dump without traces, of the tasks that pass the filter.
    /// See [`bw_core::Registry::look`] for what it costs.
    #[must_use]
    pub fn look(&self, filter: &TaskFilter) -> TaskDump {
        TaskDump::of_registry(self.0.look(filter), self.clone())
    }
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

impl DumpFuture {
    /// Waits at most this long; [`bw_core::DumpFuture::DEFAULT_TIMEOUT`] unless told.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.dump = self.dump.timeout(timeout);
        self
    }

    /// Asks at most so many tasks at once; [`bw_core::DumpFuture::DEFAULT_AT_ONCE`] unless told.
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

    /// Waits for the dump on this thread: best one that runs no tasks. See [`bw_core::DumpFuture::blocking`].
    #[must_use]
    pub fn blocking(self) -> TaskDump {
        let Self { dump, registry, mut alive } = self;
        let alive = alive.count();
        TaskDump::of_registry(with_alive(dump.blocking(), alive), registry)
    }
}

impl Future for DumpFuture {
    type Output = TaskDump;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TaskDump> {
        let alive = self.alive.count();
        let raw = ready!(Pin::new(&mut self.dump).poll(cx));
        Poll::Ready(TaskDump::of_registry(with_alive(raw, alive), self.registry.clone()))
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

fn with_alive(raw: RawTaskDump, alive: Option<usize>) -> RawTaskDump {
    match alive {
        Some(alive) => raw.with_alive(alive),
        None => raw,
    }
}
