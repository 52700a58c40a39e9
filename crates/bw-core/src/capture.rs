//! Waiting for a trace.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use crate::deadline::{self, Key};
use crate::error::CaptureError;
use crate::raw_trace::RawTrace;
use crate::request::{Answer, Request};
use crate::task_cell::TaskCell;

/// A trace on its way; made by [`TraceHandle::capture`](crate::TraceHandle::capture).
///
/// Does nothing until it is polled. Dropping it withdraws the request; the task may still be polled once for it.
#[must_use = "a future does nothing unless it is polled"]
pub struct Capture {
    cell: Arc<TaskCell>,
    deadline: Option<Duration>,
    asked: Option<Asked>,
}

struct Asked {
    request: Arc<Request>,
    timer: Option<Key>,
}

impl Capture {
    /// How long a capture waits unless told otherwise: 2 s.
    ///
    /// A healthy executor polls a woken task within microseconds. Two seconds of silence mean that it is not, and are
    /// as long as a person at a terminal, or a health check, likes to wait.
    pub const DEADLINE: Duration = Duration::from_secs(2);

    pub(crate) fn new(cell: Arc<TaskCell>) -> Self {
        Self { cell, deadline: Some(Self::DEADLINE), asked: None }
    }

    /// Waits at most this long, counted from the first poll. No effect once polled.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Waits for as long as the task does. For a caller who has a timeout of their own.
    pub fn no_deadline(mut self) -> Self {
        self.deadline = None;
        self
    }
}

/// Asks and blocks the thread. See [`TraceHandle::capture_blocking`](crate::TraceHandle::capture_blocking).
pub(crate) fn block(cell: &TaskCell, deadline: Duration) -> Answer {
    let request = Request::new();
    // Beyond what the clock can count is no deadline.
    let at = Instant::now().checked_add(deadline);
    cell.request(&request);
    if let Some(answer) = request.wait(at) {
        return answer;
    }
    // An answer that comes at this very moment is the one given.
    cell.expire(&request, deadline);
    request.wait(None).unwrap_or_else(|| Err(CaptureError::deadline(deadline, cell.status())))
}

impl Future for Capture {
    type Output = Result<RawTrace, CaptureError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let asked = this.asked.get_or_insert_with(|| {
            let request = Request::new();
            this.cell.request(&request);
            Asked { request, timer: None }
        });
        let mut poll = asked.request.poll(cx);
        if poll.is_pending()
            && asked.timer.is_none()
            && let Some(after) = this.deadline
            && let Some(at) = Instant::now().checked_add(after)
        {
            match deadline::schedule(at, after, &this.cell, &asked.request) {
                Ok(key) => asked.timer = Some(key),
                Err(cause) => {
                    this.cell.forget(&asked.request);
                    asked.request.answer(Err(CaptureError::no_timer(cause)));
                    poll = asked.request.poll(cx);
                }
            }
        }
        if poll.is_ready()
            && let Some(key) = asked.timer.take()
        {
            deadline::cancel(key);
        }
        poll
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if let Some(asked) = self.asked.take() {
            if let Some(key) = asked.timer {
                deadline::cancel(key);
            }
            self.cell.forget(&asked.request);
            asked.request.withdraw();
        }
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("task", &self.cell.id)
            .field("deadline", &self.deadline)
            .field("asked", &self.asked.is_some())
            .finish()
    }
}
