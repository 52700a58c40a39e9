//! The wrapper around the user's future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::task::trace_handle::TraceHandle;

/// Wraps a future, and returns it with a handle that reports where it waits.
///
/// Give the task to any executor; it behaves as the future itself does. Allocates once, and adds 48 bytes to
/// the future. The caller's location is kept as the spawn location. Use [`TracedExt`](crate::TracedExt) for method syntax, and
/// [`Tracer`](crate::Tracer) to set a name, a registry or a spawn location.
///
/// # Example
///
/// ```
/// # #[tokio::main]
/// # async fn main() {
/// async fn serve(requests: tokio::sync::mpsc::Receiver<u32>) {
///     let mut requests = requests;
///     while let Some(_request) = requests.recv().await {}
/// }
///
/// let (_sender, receiver) = tokio::sync::mpsc::channel(1);
/// let (task, handle) = backtrace_waker::traced(serve(receiver));
/// tokio::spawn(task);
///
/// let trace = handle.backtrace().await.unwrap();
/// assert!(trace.to_string().contains("serve"));
/// # }
/// ```
#[track_caller]
pub fn traced<F: Future>(future: F) -> (TracedTask<F>, TraceHandle) {
    let (task, handle) = bw_core::traced(future);
    (TracedTask { task }, handle.into())
}

pin_project! {
    /// A future that can be asked where it waits; made by [`traced`], [`TracedExt`](crate::TracedExt) and
    /// [`Tracer`](crate::Tracer).
    ///
    /// Without a request, a poll costs about a nanosecond more than the future's own, and one cache miss more where many tasks
    /// do not fit into the caches: see [`bw_core::TracedTask`].
    ///
    /// Never `Unpin`: pin it with [`Box::pin`] or [`pin!`](std::pin::pin) before passing it to code that requires `Unpin`.
    #[must_use = "a future does nothing unless it is polled"]
    pub struct TracedTask<F> {
        #[pin]
        task: bw_core::TracedTask<F>,
    }
}

impl<F> TracedTask<F> {
    /// Returns another handle to this task.
    #[must_use]
    pub fn handle(&self) -> TraceHandle {
        self.task.handle().into()
    }
}

impl<F: Future> Future for TracedTask<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().task.poll(cx)
    }
}

impl<F> From<bw_core::TracedTask<F>> for TracedTask<F> {
    fn from(task: bw_core::TracedTask<F>) -> Self {
        Self { task }
    }
}

impl<F> fmt::Debug for TracedTask<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.task.fmt(f)
    }
}
