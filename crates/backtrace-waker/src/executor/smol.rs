//! smol's executors.

use std::future::Future;

use async_executor::{Executor, LocalExecutor, Task};

use super::TracedExecutor;
use bw_core::Tracer;

/// smol's `Executor`, traced.
///
/// ```
/// use async_executor::Executor; // the same as `smol::Executor`
/// use backtrace_waker::TracedExecutor;
///
/// static EXECUTOR: TracedExecutor<Executor<'static>> = TracedExecutor::new(Executor::new());
///
/// let task = EXECUTOR.spawn(async { 42 });
/// assert_eq!(futures::executor::block_on(EXECUTOR.run(task)), 42);
/// ```
impl<'a> TracedExecutor<Executor<'a>> {
    /// As [`Executor::spawn`], traced.
    #[track_caller]
    pub fn spawn<T: Send + 'a>(&self, future: impl Future<Output = T> + Send + 'a) -> Task<T> {
        self.executor.spawn(self.tracer_here().trace(future))
    }

    /// As [`Executor::spawn_many`], traced.
    #[track_caller]
    pub fn spawn_many<T: Send + 'a, F: Future<Output = T> + Send + 'a>(
        &self,
        futures: impl IntoIterator<Item = F>,
        handles: &mut impl Extend<Task<F::Output>>,
    ) {
        let tracer = self.tracer_here();
        self.executor.spawn_many(futures.into_iter().map(|future| tracer.trace(future)), handles);
    }

    /// As [`Executor::is_empty`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.executor.is_empty()
    }

    /// As [`Executor::try_tick`].
    pub fn try_tick(&self) -> bool {
        self.executor.try_tick()
    }

    /// As [`Executor::tick`].
    pub fn tick(&self) -> impl Future<Output = ()> {
        self.executor.tick()
    }

    /// As [`Executor::run`]. The future itself is not traced, only what is spawned.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> impl Future<Output = T> {
        self.executor.run(future)
    }
}

/// smol's `LocalExecutor`, traced.
impl<'a> TracedExecutor<LocalExecutor<'a>> {
    /// As [`LocalExecutor::spawn`], traced.
    #[track_caller]
    pub fn spawn<T: 'a>(&self, future: impl Future<Output = T> + 'a) -> Task<T> {
        self.executor.spawn(self.tracer_here().trace(future))
    }

    /// As [`LocalExecutor::spawn_many`], traced.
    #[track_caller]
    pub fn spawn_many<T: 'a, F: Future<Output = T> + 'a>(
        &self,
        futures: impl IntoIterator<Item = F>,
        handles: &mut impl Extend<Task<F::Output>>,
    ) {
        let tracer = self.tracer_here();
        self.executor.spawn_many(futures.into_iter().map(|future| tracer.trace(future)), handles);
    }

    /// As [`LocalExecutor::is_empty`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.executor.is_empty()
    }

    /// As [`LocalExecutor::try_tick`].
    pub fn try_tick(&self) -> bool {
        self.executor.try_tick()
    }

    /// As [`LocalExecutor::tick`].
    pub fn tick(&self) -> impl Future<Output = ()> {
        self.executor.tick()
    }

    /// As [`LocalExecutor::run`]. The future itself is not traced, only what is spawned.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> impl Future<Output = T> {
        self.executor.run(future)
    }
}

impl<E> TracedExecutor<E> {
    /// For those who call `spawn` themselves: with the place of the call.
    #[track_caller]
    fn tracer_here(&self) -> Tracer {
        self.tracer.clone().spawned_here()
    }
}
