//! An executor whose tasks are traced.

#[cfg(feature = "futures")]
mod futures;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "smol")]
mod smol;

#[cfg(any(feature = "futures", feature = "hyper"))]
use crate::task::traced_task::TracedTask;
use crate::task::tracer::Tracer;

/// Wraps an executor; what is spawned through it is traced, and so is in every [`TaskDump`](crate::TaskDump).
///
/// It is an executor by the trait of whoever spawns:
///
/// | feature | wraps | for |
/// |---|---|---|
/// | `hyper` | any `hyper::rt::Executor`, such as hyper-util's `TokioExecutor` | the connections and streams that hyper and hyper-util spawn |
/// | `futures` | any `futures::task::Spawn` or `LocalSpawn` | `SpawnExt`, `LocalSpawnExt`, and libraries that are handed a spawner |
/// | `smol` | smol's `Executor` and `LocalExecutor` | their own `spawn`, here with the same signature |
///
/// Where somebody else's code spawns, the place in that code says little. So tasks that are spawned through a trait have
/// been spawned, as dumps say it, where the executor was [wrapped](Self::new); those of smol's where `spawn` was called.
///
/// Each task costs one allocation more than without; with `futures` two, since its futures are boxed again. A name costs
/// none, whatever the number of tasks.
#[derive(Clone, Debug)]
pub struct TracedExecutor<E> {
    executor: E,
    /// For those who spawn through a trait: with the place of `new`.
    tracer: bw_core::Tracer,
}

impl<E> TracedExecutor<E> {
    /// Wraps an executor. Allocates nothing.
    #[track_caller]
    #[must_use]
    pub const fn new(executor: E) -> Self {
        Self { executor, tracer: bw_core::Tracer::new().spawned_here() }
    }

    /// Wraps an executor, and gives its tasks the name and the registry of this tracer.
    #[track_caller]
    #[must_use]
    pub fn with_tracer(executor: E, tracer: Tracer) -> Self {
        Self { executor, tracer: tracer.0.spawned_here() }
    }

    /// Wraps a future that somebody else's code spawns.
    #[cfg(any(feature = "futures", feature = "hyper"))]
    fn trace<F: Future>(&self, future: F) -> TracedTask<F> {
        self.tracer.trace(future).into()
    }

    /// The executor inside. What is spawned through it directly is not traced.
    #[must_use]
    pub fn get_ref(&self) -> &E {
        &self.executor
    }

    /// The executor inside. Tasks that were spawned stay traced.
    #[must_use]
    pub fn into_inner(self) -> E {
        self.executor
    }
}
