//! tokio's `JoinSet`, traced.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::task::{Context, Poll};

use bw_core::TracedExt;

use ::tokio::runtime::Handle;
use ::tokio::task::{self, AbortHandle, Id, JoinError, LocalSet};

/// [`tokio::task::JoinSet`](::tokio::task::JoinSet) whose tasks are traced.
///
/// The same methods with the same meaning, and for each that spawns a future one that gives it a name as well. A name that is
/// not a `&'static str` costs an allocation. In the [tree](crate::TaskDump::tree) of a dump its tasks stand below the task that
/// spawned them.
///
/// Tasks of `spawn_blocking` are not traced: they await nothing.
///
/// ```
/// use backtrace_waker::tokio::JoinSet;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut squares = JoinSet::new();
/// for n in 1..=3 {
///     squares.spawn_named("square", async move { n * n });
/// }
/// assert_eq!(squares.join_all().await.iter().sum::<i32>(), 14);
/// # }
/// ```
pub struct JoinSet<T> {
    set: task::JoinSet<T>,
}

impl<T> JoinSet<T> {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self { set: task::JoinSet::new() }
    }

    /// How many tasks are in the set, finished ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether no task is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }
}

// What awaits is handed on, not awaited here: no frame of ours stands in a trace.
impl<T: 'static> JoinSet<T> {
    /// Spawns a traced task on the current runtime.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[track_caller]
    pub fn spawn<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.set.spawn(task.traced())
    }

    /// As [`spawn`](Self::spawn), with a name.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[track_caller]
    pub fn spawn_named<F>(&mut self, name: impl Into<Cow<'static, str>>, task: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.set.spawn(task.traced_as(name))
    }

    /// Spawns a traced task on that runtime.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, task: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.set.spawn_on(task.traced(), handle)
    }

    /// As [`spawn_on`](Self::spawn_on), with a name.
    #[track_caller]
    pub fn spawn_on_named<F>(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        task: F,
        handle: &Handle,
    ) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.set.spawn_on(task.traced_as(name), handle)
    }

    /// Spawns a traced task on the current `LocalSet` or `LocalRuntime`.
    ///
    /// # Panics
    ///
    /// Outside of both.
    #[track_caller]
    pub fn spawn_local<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.set.spawn_local(task.traced())
    }

    /// As [`spawn_local`](Self::spawn_local), with a name.
    ///
    /// # Panics
    ///
    /// Outside of a `LocalSet` and of a `LocalRuntime`.
    #[track_caller]
    pub fn spawn_local_named<F>(&mut self, name: impl Into<Cow<'static, str>>, task: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.set.spawn_local(task.traced_as(name))
    }

    /// Spawns a traced task on that `LocalSet`, which need not be running yet.
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, task: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.set.spawn_local_on(task.traced(), local_set)
    }

    /// As [`spawn_local_on`](Self::spawn_local_on), with a name.
    #[track_caller]
    pub fn spawn_local_on_named<F>(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        task: F,
        local_set: &LocalSet,
    ) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.set.spawn_local_on(task.traced_as(name), local_set)
    }

    /// Spawns blocking code on the current runtime. Not traced: it awaits nothing.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.set.spawn_blocking(f)
    }

    /// Spawns blocking code on that runtime. Not traced: it awaits nothing.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, f: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.set.spawn_blocking_on(f, handle)
    }

    /// Waits until one of the tasks is over, and takes it out of the set. `None` if the set is empty. Cancel safe.
    ///
    /// # Errors
    ///
    /// In the `Some`: the task panicked or was aborted.
    pub fn join_next(&mut self) -> impl Future<Output = Option<Result<T, JoinError>>> {
        self.set.join_next()
    }

    /// As [`join_next`](Self::join_next), with tokio's id of the task.
    ///
    /// # Errors
    ///
    /// In the `Some`: the task panicked or was aborted; [`JoinError::id`] says which.
    pub fn join_next_with_id(&mut self) -> impl Future<Output = Option<Result<(Id, T), JoinError>>> {
        self.set.join_next_with_id()
    }

    /// Takes a task out of the set that is over. `None` if none is, or the set is empty.
    ///
    /// # Errors
    ///
    /// In the `Some`: the task panicked or was aborted.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.set.try_join_next()
    }

    /// As [`try_join_next`](Self::try_join_next), with tokio's id of the task.
    ///
    /// # Errors
    ///
    /// In the `Some`: the task panicked or was aborted; [`JoinError::id`] says which.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        self.set.try_join_next_with_id()
    }

    /// Polls for a task that is over; see [`tokio::task::JoinSet::poll_join_next`](::tokio::task::JoinSet::poll_join_next).
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.set.poll_join_next(cx)
    }

    /// As [`poll_join_next`](Self::poll_join_next), with tokio's id of the task.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        self.set.poll_join_next_with_id(cx)
    }

    /// Aborts all tasks and waits until they are over.
    pub fn shutdown(&mut self) -> impl Future<Output = ()> {
        self.set.shutdown()
    }

    /// Waits for all tasks, and gives their outputs in the order in which they finished.
    ///
    /// # Panics
    ///
    /// If a task panicked, with its panic, or was aborted.
    pub fn join_all(self) -> impl Future<Output = Vec<T>> {
        self.set.join_all()
    }

    /// Aborts all tasks. They stay in the set until they are joined.
    pub fn abort_all(&mut self) {
        self.set.abort_all();
    }

    /// Takes all tasks out of the set without aborting them.
    pub fn detach_all(&mut self) {
        self.set.detach_all();
    }
}

/// Holds tasks that are traced or not, as they were spawned.
impl<T> From<task::JoinSet<T>> for JoinSet<T> {
    fn from(set: task::JoinSet<T>) -> Self {
        Self { set }
    }
}

/// For code that wants tokio's own. Its tasks stay traced, those it will spawn are not.
impl<T> From<JoinSet<T>> for task::JoinSet<T> {
    fn from(set: JoinSet<T>) -> Self {
        set.set
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.set.fmt(f)
    }
}

/// Spawns every future. Called through `collect()`, the place the tasks were spawned at is in the standard library, because
/// `collect()` does not hand on its caller's: [`extend`](Extend::extend) an empty set to have yours.
impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = F>>(tasks: I) -> Self {
        let mut set = Self::new();
        for task in tasks {
            set.spawn(task);
        }
        set
    }
}

impl<T, F> Extend<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn extend<I: IntoIterator<Item = F>>(&mut self, tasks: I) {
        for task in tasks {
            self.spawn(task);
        }
    }
}
