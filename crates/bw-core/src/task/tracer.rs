//! Wrapping many futures alike.

use std::borrow::Cow;
use std::future::Future;
use std::panic::Location;

use crate::task::registry::Registry;
use crate::task::traced_task::{self, TracedTask};
use crate::trace::name::Name;

/// Wraps futures alike: under one name, in one registry, as spawned at one place. What spawns on behalf of others keeps one,
/// as executors do. Clones cost no allocation.
///
/// ```
/// let workers = bw_core::Tracer::new().named(format!("worker of {}", "a queue"));
/// let (first, second) = (workers.trace(async {}), workers.trace(async {}));
/// assert_eq!(first.handle().name(), second.handle().name());
/// assert_eq!(second.handle().spawned_at().line(), first.handle().spawned_at().line());
///
/// let elsewhere = workers.spawned_here();
/// assert_ne!(elsewhere.trace(async {}).handle().spawned_at().line(), first.handle().spawned_at().line());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Tracer {
    registry: Registry,
    name: Option<Name>,
    spawned_at: Option<&'static Location<'static>>,
}

impl Tracer {
    /// In the global registry, without a name, spawned where [`trace`](Self::trace) is called.
    pub const fn new() -> Self {
        Self { registry: Registry::global(), name: None, spawned_at: None }
    }

    /// With this name. A `&'static str` costs no allocation, any other name one, whatever the number of futures.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = Some(Name::new(name));
        self
    }

    /// In this registry.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// As spawned where this is called, wherever [`trace`](Self::trace) will be.
    #[track_caller]
    pub const fn spawned_here(mut self) -> Self {
        self.spawned_at = Some(Location::caller());
        self
    }

    /// Wraps a future, as [`traced`](crate::traced) does.
    #[track_caller]
    pub fn trace<F: Future>(&self, future: F) -> TracedTask<F> {
        let spawned_at = self.spawned_at.unwrap_or(Location::caller());
        traced_task::new(self.registry.clone(), self.name.clone(), future, spawned_at).0
    }
}

impl Default for Tracer {
    fn default() -> Self {
        Self::new()
    }
}
