//! Asking a traced task for a trace that prints itself.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bw_core::{CaptureError, CaptureFuture, RawTrace, TaskId, TaskState, TaskStatus};

use crate::trace::Trace;

/// Asks a traced task where it waits. Can be used from any thread, any number of times, even after the task has ended.
///
/// Clones ask the same task. Dropping a handle has no effect on the task. A live handle keeps about 150 bytes of task state. It
/// keeps neither the future nor, after the task has ended, its waker.
#[derive(Clone)]
pub struct TraceHandle(bw_core::TraceHandle);

impl TraceHandle {
    /// Asks the task to record where it waits.
    ///
    /// Wakes the task. Its executor polls it once, as after any wake, and that poll records the call stacks. Nothing is symbolized
    /// until the [`Trace`] is printed. The timeout is [`CaptureFuture::DEFAULT_TIMEOUT`] unless
    /// [`BacktraceFuture::timeout`] sets another. Cost: three small allocations, and one for the trace.
    ///
    /// A task whose poll blocks its thread does not answer. When the timeout has passed, the trace is the place where that poll
    /// blocks its thread, and prints `(blocks its thread)` there, as in a [dump](crate::TaskDump). This works on Linux (x86-64), for a thread that waits in
    /// the kernel. If traced tasks are polled inside one another, the innermost task has the trace.
    ///
    /// # Errors
    ///
    /// * The task finished, was dropped or panicked, before or during that poll.
    /// * The timeout passed, and the place where the poll blocks could not be read. The error says what the task was doing.
    /// * The thread that keeps timeouts could not be started.
    ///
    /// The future needs its own executor to poll it, even to report a timeout. If the task may block every thread of this
    /// executor, ask from another thread or runtime.
    pub fn backtrace(&self) -> BacktraceFuture {
        BacktraceFuture { capture: self.capture(), type_name: self.type_name() }
    }

    /// As [`backtrace`](Self::backtrace), blocking this thread until the answer comes or the timeout passes.
    ///
    /// For threads outside any runtime. On a thread of a runtime, this call can block the thread that would poll the task.
    ///
    /// # Errors
    ///
    /// As for [`backtrace`](Self::backtrace).
    pub fn backtrace_blocking(&self, timeout: Duration) -> Result<Trace, CaptureError> {
        self.capture_blocking(timeout).map(|raw| Trace::new(raw).of_type(self.type_name()))
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

    /// Returns the type of the future, as [`core::any::type_name`] writes it: `app::transfer::{{closure}}` of an `async fn`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.0.type_name()
    }

    /// Returns the place in the source where the task was wrapped.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.0.spawned_at()
    }

    /// Returns the traced task that polls this task, or else the traced task in which this one was wrapped; see [`bw_core::TraceHandle::parent`].
    #[must_use]
    pub fn parent(&self) -> Option<TaskId> {
        self.0.parent()
    }

    /// Returns whether the [`parent`](Self::parent) polls this task, so that it is a future inside another task.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        self.0.is_nested()
    }

    /// Returns what the task is doing at this moment. Does not wake the task. Takes a few locks for a moment, and reads the clock.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.0.state()
    }

    /// Returns what the task is doing at this moment, for how long, how old it is and how often it was polled. Does
    /// not wake the task. Takes a few locks for a moment, and reads the clock.
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

/// The future returned by [`TraceHandle::backtrace`].
///
/// Does nothing until it is polled. Dropping it withdraws the request.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct BacktraceFuture {
    capture: CaptureFuture,
    type_name: &'static str,
}

impl BacktraceFuture {
    /// Waits at most this long, counted from the first poll. Has no effect after the first poll.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { capture: self.capture.timeout(timeout), ..self }
    }

    /// Disables the timeout. Use it when the caller has its own.
    pub fn no_timeout(self) -> Self {
        Self { capture: self.capture.no_timeout(), ..self }
    }
}

impl Future for BacktraceFuture {
    type Output = Result<Trace, CaptureError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let type_name = self.type_name;
        Pin::new(&mut self.capture)
            .poll(cx)
            .map(|answer| answer.map(|raw| Trace::new(raw).of_type(type_name)))
    }
}
