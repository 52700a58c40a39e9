//! Wrapping many futures alike.

use std::borrow::Cow;
use std::future::Future;

use crate::task::registry::Registry;
use crate::task::traced_task::TracedTask;

/// Wraps futures alike: under one name, in one registry, as spawned at one place. Clones cost no allocation.
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
    /// Creates a tracer for the global registry, without a name, whose tasks are spawned where [`trace`](Self::trace) is called.
    pub const fn new() -> Self {
        Self(bw_core::Tracer::new())
    }

    /// Gives every task this name. A `&'static str` costs no allocation, any other name one, whatever the number of futures.
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self(self.0.named(name))
    }

    /// Registers every task in this registry.
    pub fn registry(self, registry: Registry) -> Self {
        Self(self.0.registry(registry.into()))
    }

    /// Has every task spawned, as dumps say it, where this method is called.
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
