//! What is spawned through the traits of `futures::task`.

use futures_task::{FutureObj, LocalFutureObj, LocalSpawn, Spawn, SpawnError};

use super::TracedExecutor;
use crate::task::traced_task::TracedTask;

/// ```
/// use backtrace_waker::{TracedExecutor, Tracer};
/// use futures::executor::LocalPool;
/// use futures::task::SpawnExt;
///
/// let mut pool = LocalPool::new();
/// let spawner = TracedExecutor::with_tracer(pool.spawner(), Tracer::new().named("pool"));
/// let answer = spawner.spawn_with_handle(async { 42 }).unwrap();
/// assert_eq!(pool.run_until(answer), 42);
/// ```
impl<E: Spawn> Spawn for TracedExecutor<E> {
    fn spawn_obj(&self, future: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        let task: Box<TracedTask<_>> = Box::new(self.trace(future));
        self.executor.spawn_obj(task.into())
    }

    fn status(&self) -> Result<(), SpawnError> {
        self.executor.status()
    }
}

/// As [`Spawn`], for futures that stay on their thread.
impl<E: LocalSpawn> LocalSpawn for TracedExecutor<E> {
    fn spawn_local_obj(&self, future: LocalFutureObj<'static, ()>) -> Result<(), SpawnError> {
        let task: Box<TracedTask<_>> = Box::new(self.trace(future));
        self.executor.spawn_local_obj(task.into())
    }

    fn status_local(&self) -> Result<(), SpawnError> {
        self.executor.status_local()
    }
}
