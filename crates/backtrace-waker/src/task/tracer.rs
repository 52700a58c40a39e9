//! Wrapping many futures with the same settings.

use std::borrow::Cow;
use std::future::Future;

use crate::task::registry::Registry;
use crate::task::traced_task::TracedTask;

/// Wraps futures with the same name, registry and spawn location. Clones cost no allocation.
///
/// ```
/// use backtrace_waker::{Registry, Tracer};
///
/// let registry = Registry::new();
/// let workers = Tracer::new().named("worker").registry(registry.clone());
/// let task = workers.trace(async {});
/// assert_eq!(task.handle().name(), Some("worker"));
/// assert_eq!(registry.len(), 1);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Tracer(pub(crate) bw_core::Tracer);

impl Tracer {
    /// Creates a tracer for the global registry, without a name, that uses the caller of [`trace`](Self::trace) as the spawn
    /// location.
    pub const fn new() -> Self {
        Self(bw_core::Tracer::new())
    }

    /// Gives every task this name. A `&'static str` costs no allocation. Any other name is allocated once and shared by all tasks.
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self(self.0.named(name))
    }

    /// Registers every task in this registry.
    pub fn registry(self, registry: Registry) -> Self {
        Self(self.0.registry(registry.into()))
    }

    /// Sets the spawn location of every task to the caller of this method.
    #[track_caller]
    pub fn spawned_here(self) -> Self {
        Self(self.0.spawned_here())
    }

    /// Wraps a future, as [`traced`](crate::traced) does.
    #[track_caller]
    pub fn trace<F: Future>(&self, future: F) -> TracedTask<F> {
        self.0.trace(future).into()
    }
}
