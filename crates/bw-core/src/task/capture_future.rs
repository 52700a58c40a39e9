//! Waiting for a trace.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use crate::task::blocked_poll;
use crate::task::request::Request;
use crate::task::task_cell::TaskCell;
use crate::time::timer::{self, TimerKey};
use crate::trace::error::{Answer, CaptureError};
use crate::trace::raw_trace::RawTrace;
use crate::trace::state::TaskState;

/// The future of one trace; made by [`TraceHandle::capture`](crate::TraceHandle::capture).
///
/// If the task's poll blocks its thread, the future returns the stack of that thread once the timeout has passed.
///
/// Does nothing until it is polled. Dropping it withdraws the request; the task may still be polled once for it.
#[must_use = "a future does nothing unless it is polled"]
pub struct CaptureFuture {
    cell: Arc<TaskCell>,
    timeout: Option<Duration>,
    asked: Option<Asked>,
}

struct Asked {
    request: Arc<Request>,
    timer: Option<TimerKey>,
}

impl CaptureFuture {
    /// How long a capture waits unless [`timeout`](Self::timeout) says otherwise: 2 s.
    ///
    /// A healthy executor polls a woken task within microseconds. Two seconds of silence mean that it is not, and are
    /// as long as a person at a terminal, or a health check, likes to wait.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

    pub(crate) fn new(cell: Arc<TaskCell>) -> Self {
        Self { cell, timeout: Some(Self::DEFAULT_TIMEOUT), asked: None }
    }

    /// Waits at most this long, counted from the first poll. No effect once polled.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits for as long as the task does. For a caller who has a timeout of their own.
    pub fn no_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }
}

/// Asks and blocks the thread. See [`TraceHandle::capture_blocking`](crate::TraceHandle::capture_blocking).
pub(crate) fn block(cell: &TaskCell, timeout: Duration) -> Answer {
    let request = Request::new();
    // Beyond what the clock can count is no deadline.
    let deadline = Instant::now().checked_add(timeout);
    cell.request(&request);
    if let Some(answer) = request.wait(deadline) {
        return answer;
    }
    // An answer that comes at this very moment is the one given.
    cell.expire(&request, timeout);
    let answer = request.wait(None).unwrap_or_else(|| Err(CaptureError::timeout(timeout, cell.status())));
    or_blocked(cell, answer)
}

/// The answer, or where the task's poll blocks if the timeout passed for that. Read on the requester's thread, and not by the timer,
/// which keeps the timeouts of others.
fn or_blocked(cell: &TaskCell, answer: Answer) -> Answer {
    answer.or_else(|error| {
        let is_in_poll = error.is_timeout() && matches!(error.state(), Some(TaskState::Polling(_)));
        let trace = is_in_poll.then(|| blocked_poll::trace(cell)).flatten();
        trace.ok_or(error)
    })
}

impl Future for CaptureFuture {
    type Output = Result<RawTrace, CaptureError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let asked = this.asked.get_or_insert_with(|| {
            let request = match this.timeout {
                Some(timeout) => Request::expiring(Arc::clone(&this.cell), timeout),
                None => Request::new(),
            };
            this.cell.request(&request);
            Asked { request, timer: None }
        });
        let mut poll = asked.request.poll(cx);
        if poll.is_pending()
            && asked.timer.is_none()
            && let Some(timeout) = this.timeout
            && let Some(deadline) = Instant::now().checked_add(timeout)
        {
            match timer::schedule(deadline, asked.request.clone()) {
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
            timer::cancel(key);
        }
        poll.map(|answer| or_blocked(&this.cell, answer))
    }
}

impl Drop for CaptureFuture {
    fn drop(&mut self) {
        if let Some(asked) = self.asked.take() {
            if let Some(key) = asked.timer {
                timer::cancel(key);
            }
            self.cell.forget(&asked.request);
            asked.request.withdraw();
        }
    }
}

impl fmt::Debug for CaptureFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureFuture")
            .field("task", &self.cell.id)
            .field("timeout", &self.timeout)
            .field("asked", &self.asked.is_some())
            .finish()
    }
}
