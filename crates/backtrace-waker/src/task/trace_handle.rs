//! Asking a traced task for a trace that prints itself.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bw_core::{CaptureError, CaptureFuture, RawTrace, TaskId, TaskState, TaskStatus};

use crate::trace::Trace;

/// Asks a traced task where it waits. From any thread, any number of times, also when the task is gone.
///
/// Clones ask the same task. Dropping the last one does nothing to the task. While a handle lives it keeps the task's
/// cell (about 150 bytes), but neither the future nor, once the task is over, its waker.
#[derive(Clone)]
pub struct TraceHandle(bw_core::TraceHandle);

impl TraceHandle {
    /// Asks the task to record where it waits.
    ///
    /// Wakes it; its executor polls it once, as it would after any wake, and that poll records. Nothing is symbolized
    /// until the [`Trace`] is printed. Gives up after [`CaptureFuture::DEFAULT_TIMEOUT`] unless
    /// [`BacktraceFuture::timeout`] says otherwise. Cost: three small allocations.
    ///
    /// # Errors
    ///
    /// When the task finished, was dropped or panicked, before or during the poll, or when the timeout passed;
    /// [`CaptureError`] says which, and what the task was doing. The error comes when the timeout has passed at the latest, to an
    /// executor that can poll this future: not to one whose every thread the task blocks. Ask from another thread or runtime
    /// when that may be.
    pub fn backtrace(&self) -> BacktraceFuture {
        BacktraceFuture(self.capture())
    }

    /// As [`backtrace`](Self::backtrace), blocking this thread until the answer comes or the timeout passes.
    ///
    /// For threads outside any runtime: on a runtime's thread it can keep the very task it asks from being polled.
    ///
    /// # Errors
    ///
    /// As for [`backtrace`](Self::backtrace).
    pub fn backtrace_blocking(&self, timeout: Duration) -> Result<Trace, CaptureError> {
        self.capture_blocking(timeout).map(Trace::new)
    }

    /// As [`backtrace`](Self::backtrace), for the raw addresses.
    ///
    /// # Errors
    ///
    /// As for [`backtrace`](Self::backtrace).
    pub fn capture(&self) -> CaptureFuture {
        self.0.capture()
    }

    /// As [`backtrace_blocking`](Self::backtrace_blocking), for the raw addresses.
    ///
    /// # Errors
    ///
    /// As for [`backtrace`](Self::backtrace).
    pub fn capture_blocking(&self, timeout: Duration) -> Result<RawTrace, CaptureError> {
        self.0.capture_blocking(timeout)
    }

    /// Returns the task's id, unique in this process.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.0.id()
    }

    /// Returns the name that [`traced_as`](crate::TracedExt::traced_as) or [`Tracer::named`](crate::Tracer::named) gave the task.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name()
    }

    /// Returns the place in the source where the task was wrapped.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.0.spawned_at()
    }

    /// Returns the traced task that polls or wrapped this one; see [`bw_core::TraceHandle::parent`].
    #[must_use]
    pub fn parent(&self) -> Option<TaskId> {
        self.0.parent()
    }

    /// Whether its [`parent`](Self::parent) polls it: then it is no task of the executor's, but a future inside of one.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        self.0.is_nested()
    }

    /// Returns what the task is doing at this moment. Asks and wakes nobody; takes two locks for a moment.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.0.state()
    }

    /// Returns what the task is doing at this moment, for how long, how old it is and how often it was polled. Asks and wakes
    /// nobody; takes two locks for a moment, and reads the clock.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        self.0.status()
    }
}

impl From<bw_core::TraceHandle> for TraceHandle {
    fn from(handle: bw_core::TraceHandle) -> Self {
        Self(handle)
    }
}

impl fmt::Debug for TraceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The future of a trace; made by [`TraceHandle::backtrace`].
///
/// Does nothing until it is polled. Dropping it withdraws the request.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct BacktraceFuture(CaptureFuture);

impl BacktraceFuture {
    /// Waits at most this long, counted from the first poll. No effect once polled.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(self.0.timeout(timeout))
    }

    /// Waits for as long as the task does. For a caller who has a timeout of their own.
    pub fn no_timeout(self) -> Self {
        Self(self.0.no_timeout())
    }
}

impl Future for BacktraceFuture {
    type Output = Result<Trace, CaptureError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.map(Trace::new))
    }
}
