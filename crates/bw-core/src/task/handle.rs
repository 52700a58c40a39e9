//! Asking a traced task.

use core::fmt;
use core::time::Duration;
use std::panic::Location;
use std::sync::Arc;

use crate::task::capture_future::{self, CaptureFuture};
use crate::task::task_cell::TaskCell;
use crate::trace::error::CaptureError;
use crate::trace::id::TaskId;
use crate::trace::raw_trace::RawTrace;
use crate::trace::state::{TaskState, TaskStatus};

/// Asks a traced task where it waits. From any thread, any number of times, also when the task is gone.
///
/// Clones ask the same task. Dropping the last one does nothing to the task. While a handle lives it keeps the task's
/// cell (about 150 bytes), but neither the future nor, once the task is over, its waker.
#[derive(Clone)]
pub struct TraceHandle {
    cell: Arc<TaskCell>,
}

impl TraceHandle {
    pub(crate) fn new(cell: Arc<TaskCell>) -> Self {
        Self { cell }
    }

    #[cfg(all(test, bw_loom))]
    pub(crate) fn cell(&self) -> &TaskCell {
        &self.cell
    }

    /// Asks the task to record where it waits.
    ///
    /// Wakes it; its executor polls it once, as it would after any wake, and that poll records. Every request that
    /// waits at that poll is answered by it. The future gives up after [`CaptureFuture::DEFAULT_TIMEOUT`] unless told otherwise.
    ///
    /// A task whose poll blocks its thread does not answer. When the timeout has passed, the trace is where that poll blocks:
    /// the stack of its thread, which [blocks](crate::RawStack::is_blocked), as in a dump. On Linux, x86-64, and if
    /// the thread waits in the kernel; of traced polls inside one another the innermost has it.
    ///
    /// Cost: three small allocations, and one for the trace. Reading a blocked thread takes the requester 100 to 500 µs.
    ///
    /// # Errors
    ///
    /// When the task finished, was dropped or panicked, before or during the poll, or when the timeout passed and its poll was not seen to
    /// block;
    /// [`CaptureError`] says which, and what the task was doing. It comes
    /// when the timeout has passed at the latest, to an executor that can poll this future: not to one whose every thread the task blocks.
    /// Ask from another thread or runtime when that may be.
    pub fn capture(&self) -> CaptureFuture {
        CaptureFuture::new(Arc::clone(&self.cell))
    }

    /// As [`capture`](Self::capture), blocking this thread until the answer comes or the timeout passes.
    ///
    /// For threads outside any runtime. On a runtime's thread it can keep the very task it asks from being polled;
    /// then the capture fails when its timeout has passed, like any other.
    ///
    /// # Errors
    ///
    /// As for [`capture`](Self::capture).
    pub fn capture_blocking(&self, timeout: Duration) -> Result<RawTrace, CaptureError> {
        capture_future::block(&self.cell, timeout)
    }

    /// The task's id, unique in this process.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.cell.id
    }

    /// The task's name; see [`Tracer::named`](crate::Tracer::named).
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.cell.name.as_deref()
    }

    /// The type of the future, as [`core::any::type_name`] writes it: `app::transfer::{{closure}}` of an `async fn`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.cell.type_name
    }

    /// Where [`traced`](crate::traced) was called.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.cell.spawned_at
    }

    /// The traced task in whose poll this one is polled: one that awaits it, or has it in a `FuturesUnordered`. Of a task that
    /// was spawned, and so is polled by its executor, the traced task that wrapped it, if any.
    ///
    /// Looked at again when the task is asked, or is polled with another waker: until then, of one that has moved, it is the
    /// old one.
    #[must_use]
    pub fn parent(&self) -> Option<TaskId> {
        self.cell.parent().0
    }

    /// Whether its [`parent`](Self::parent) polls it: then it is no task of the executor's, but a future inside of one.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        self.cell.parent().1
    }

    /// What the task is doing at this moment. Asks nobody and wakes nobody; takes two locks for a moment.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.status().state
    }

    /// What the task is doing at this moment, for how long, how old it is and how often it was polled. Asks nobody and wakes
    /// nobody; takes two locks for a moment, and reads the clock.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        self.cell.status()
    }
}

impl fmt::Debug for TraceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceHandle")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("spawned_at", &format_args!("{}", self.spawned_at()))
            .field("status", &self.status())
            .finish()
    }
}
