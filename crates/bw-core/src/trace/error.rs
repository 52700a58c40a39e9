//! Why there is no trace.

use core::fmt;
use core::time::Duration;
use std::error::Error;
use std::io;
use std::sync::Arc;

use crate::trace::raw_trace::RawTrace;
use crate::trace::state::{TaskState, TaskStatus};

/// What a request for a trace is answered with.
pub(crate) type Answer = Result<RawTrace, CaptureError>;

/// Why a capture gave no trace. Ask with the `is_*` predicates.
#[derive(Clone, Debug)]
pub struct CaptureError {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Finished,
    Dropped,
    Panicked,
    /// Boxed, to keep what is passed along when all is well small.
    TimedOut(Box<(Duration, TaskStatus)>),
    NoTimer {
        cause: Arc<io::Error>,
    },
}

impl CaptureError {
    pub(crate) fn finished() -> Self {
        Self { kind: Kind::Finished }
    }

    pub(crate) fn dropped() -> Self {
        Self { kind: Kind::Dropped }
    }

    pub(crate) fn panicked() -> Self {
        Self { kind: Kind::Panicked }
    }

    pub(crate) fn timeout(timeout: Duration, status: TaskStatus) -> Self {
        Self { kind: Kind::TimedOut(Box::new((timeout, status))) }
    }

    pub(crate) fn no_timer(cause: io::Error) -> Self {
        Self { kind: Kind::NoTimer { cause: Arc::new(cause) } }
    }

    /// The task finished: before it was asked, or in the very poll that was traced. It waits nowhere any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.kind, Kind::Finished)
    }

    /// The task was dropped or aborted before it finished.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        matches!(self.kind, Kind::Dropped)
    }

    /// A poll of the task panicked: an earlier one, or the one that was traced.
    #[must_use]
    pub fn is_panicked(&self) -> bool {
        matches!(self.kind, Kind::Panicked)
    }

    /// The timeout passed: the executor did not poll the task in time, or that poll did not end in time;
    /// [`state`](Self::state) tells which.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::TimedOut(_))
    }

    /// What the task was doing when the capture gave up. `None` if it was never asked, because no timer could be
    /// started.
    #[must_use]
    pub fn state(&self) -> Option<TaskState> {
        match &self.kind {
            Kind::Finished => Some(TaskState::Finished),
            Kind::Dropped => Some(TaskState::Dropped),
            Kind::Panicked => Some(TaskState::Panicked),
            Kind::TimedOut(timed_out) => Some(timed_out.1.state.clone()),
            Kind::NoTimer { .. } => None,
        }
    }
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Finished => f.write_str("no trace: the task has finished"),
            Kind::Dropped => f.write_str("no trace: the task was dropped before it finished"),
            Kind::Panicked => f.write_str("no trace: the task panicked"),
            Kind::TimedOut(timed_out) => {
                let (timeout, status) = &**timed_out;
                write!(f, "no trace within {timeout:?}: the task {status}")?;
                match status.state {
                    TaskState::NeverPolled => f.write_str("; was it spawned, and does its executor run?"),
                    TaskState::Woken => f.write_str("; is every worker of its executor blocked?"),
                    TaskState::Polling(_) => {
                        f.write_str("; that poll has not returned, so it blocks or computes on that thread")
                    }
                    _ => Ok(()),
                }
            }
            Kind::NoTimer { cause } => write!(
                f,
                "no trace: the thread that keeps deadlines could not be started ({cause}); \
                 capture_blocking needs no such thread"
            ),
        }
    }
}

impl Error for CaptureError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            Kind::NoTimer { cause } => Some(&**cause),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_the_task_does() {
        let timeout = Duration::from_millis(250);
        let never = CaptureError::timeout(timeout, TaskStatus::new(TaskState::NeverPolled));
        assert!(never.is_timeout() && !never.is_finished());
        assert_eq!(
            never.to_string(),
            "no trace within 250ms: the task has never been polled; was it spawned, and does its executor run?"
        );
        let woken =
            TaskStatus { in_state: Some(Duration::from_millis(3_240)), ..TaskStatus::new(TaskState::Woken) };
        assert_eq!(
            CaptureError::timeout(timeout, woken).to_string(),
            "no trace within 250ms: the task was woken and has not been polled since (for 3.2s); is every worker of its \
             executor blocked?"
        );
        assert_eq!(CaptureError::finished().state(), Some(TaskState::Finished));
        assert_eq!(CaptureError::dropped().state(), Some(TaskState::Dropped));
        assert_eq!(CaptureError::panicked().state(), Some(TaskState::Panicked));
        assert!(CaptureError::finished().is_finished());
        assert!(CaptureError::dropped().is_dropped());
        assert!(CaptureError::panicked().is_panicked());
    }

    #[test]
    fn a_missing_timer_names_its_cause() {
        let error = CaptureError::no_timer(io::Error::other("no more threads"));
        assert!(error.to_string().contains("no more threads"));
        assert_eq!(error.source().unwrap().to_string(), "no more threads");
        assert_eq!(error.state(), None);
    }
}
