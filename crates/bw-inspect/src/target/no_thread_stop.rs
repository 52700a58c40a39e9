//! Where the threads of other processes cannot be stopped.

use std::time::{Duration, Instant};

use super::live_process::LiveProcess;
use super::open_error::OpenError;
use super::threads::Thread;

/// What was done while the threads stood still.
#[allow(dead_code, reason = "nothing is stopped")]
#[derive(Debug)]
pub(crate) struct StopOutcome<R> {
    pub(crate) result: Option<R>,
    pub(crate) pause: Duration,
}

/// Refuses.
pub(crate) fn while_stopped<R: Send>(
    _: &LiveProcess,
    _: Duration,
    _: impl FnOnce(Vec<Thread>, Instant) -> R + Send,
) -> Result<StopOutcome<R>, OpenError> {
    Err(OpenError::Unsupported)
}
