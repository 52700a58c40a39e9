//! Which traced tasks there are.

use std::fmt;

use bw_core::TaskId;

use crate::task::trace_handle::TraceHandle;
use crate::task::tracer::Tracer;

/// A set of traced tasks. A dump asks all tasks of one registry.
///
/// Tasks belong to the global registry unless their [`Tracer`](crate::Tracer) sets another. To keep its tasks separate, a library or
/// a test creates its own registry. Clones refer to the same registry. A task never changes its registry.
///
/// ```
/// use backtrace_waker::Registry;
///
/// let registry = Registry::new();
/// let task = registry.tracer().trace(async {});
/// let handle = registry.get(task.handle().id()).unwrap();
/// assert_eq!(handle.id(), task.handle().id());
/// drop(task);
/// assert!(registry.is_empty());
/// ```
#[derive(Clone)]
pub struct Registry(pub(crate) bw_core::Registry);

impl Registry {
    /// Creates an empty registry. Allocates 8 KiB.
    #[must_use]
    #[allow(clippy::new_without_default)] // The default registry is the global one, which this is not.
    pub fn new() -> Self {
        Self(bw_core::Registry::new())
    }

    /// Returns the global registry.
    #[must_use]
    pub const fn global() -> Self {
        Self(bw_core::Registry::global())
    }

    /// Returns a [`Tracer`](crate::Tracer) that wraps futures as tasks of this registry.
    pub fn tracer(&self) -> Tracer {
        Tracer(self.0.tracer())
    }

    /// Returns how many tasks there are. Locks each shard for a moment.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no task.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a handle to the task of that id, or `None` if the task has ended or belongs to another registry. Locks one of 64 shards
    /// and searches it linearly.
    #[must_use]
    pub fn get(&self, id: TaskId) -> Option<TraceHandle> {
        self.0.get(id).map(TraceHandle::from)
    }
}

impl From<bw_core::Registry> for Registry {
    fn from(registry: bw_core::Registry) -> Self {
        Self(registry)
    }
}

impl From<Registry> for bw_core::Registry {
    fn from(registry: Registry) -> Self {
        registry.0
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
