//! Asking a traced task for a trace that prints itself.

use std::borrow::Cow;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bw_core::{Capture, CaptureError, TracedTask};

use crate::trace::Trace;

/// Wraps a future so that its handle can ask where it waits.
///
/// Give the task to any executor; it behaves as the future itself does. Allocates once, and adds 48 bytes to
/// the future. See [`bw_core::traced`].
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
    (task, TraceHandle(handle))
}

/// As [`traced`], with a name that the handle gives back. A `&'static str` costs no allocation.
#[track_caller]
pub fn traced_as<F: Future>(name: impl Into<Cow<'static, str>>, future: F) -> (TracedTask<F>, TraceHandle) {
    let (task, handle) = bw_core::traced_as(name, future);
    (task, TraceHandle(handle))
}

/// Asks a traced task where it waits. From any thread, any number of times, also when the task is gone.
///
/// Dereferences to [`bw_core::TraceHandle`], which has the task's id, name, state and the raw captures.
#[derive(Clone, Debug)]
pub struct TraceHandle(bw_core::TraceHandle);

impl TraceHandle {
    /// Asks the task to record where it waits.
    ///
    /// Wakes it; its executor polls it once, as it would after any wake, and that poll records. Nothing is symbolized
    /// until the [`Trace`] is printed. Gives up after [`Capture::DEADLINE`] unless told otherwise.
    ///
    /// # Errors
    ///
    /// When the task finished, was dropped or panicked, before or during the poll, or when the deadline passed;
    /// [`CaptureError`] says which, and what the task was doing. Given at
    /// the deadline at the latest, to an executor that can poll this future: not to one whose every thread the task blocks.
    /// Ask from another thread or runtime when that may be.
    pub fn backtrace(&self) -> Backtrace {
        Backtrace(self.0.capture())
    }

    /// As [`backtrace`](Self::backtrace), blocking this thread until the answer or the deadline.
    ///
    /// For threads outside any runtime: on a runtime's thread it can keep the very task it asks from being polled.
    ///
    /// # Errors
    ///
    /// As for [`backtrace`](Self::backtrace).
    pub fn backtrace_blocking(&self, deadline: Duration) -> Result<Trace, CaptureError> {
        self.0.capture_blocking(deadline).map(Trace::new)
    }
}

impl From<bw_core::TraceHandle> for TraceHandle {
    fn from(handle: bw_core::TraceHandle) -> Self {
        Self(handle)
    }
}

impl Deref for TraceHandle {
    type Target = bw_core::TraceHandle;

    fn deref(&self) -> &bw_core::TraceHandle {
        &self.0
    }
}

/// A trace on its way; made by [`TraceHandle::backtrace`].
///
/// Does nothing until it is polled. Dropping it withdraws the request.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Backtrace(Capture);

impl Backtrace {
    /// Waits at most this long, counted from the first poll. No effect once polled.
    pub fn deadline(self, deadline: Duration) -> Self {
        Self(self.0.deadline(deadline))
    }

    /// Waits for as long as the task does. For a caller who has a timeout of their own.
    pub fn no_deadline(self) -> Self {
        Self(self.0.no_deadline())
    }
}

impl Future for Backtrace {
    type Output = Result<Trace, CaptureError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.map(Trace::new))
    }
}
