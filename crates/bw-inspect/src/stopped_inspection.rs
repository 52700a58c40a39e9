//! Looking at a process as it is at one moment, while its threads stand still.

use std::time::Duration;

use crate::capture::limits::Limits;
use crate::inspection::{Inspection, inspect};
use crate::target::LiveProcess;
use crate::target::open_error::OpenError;
use crate::target::recorder::Recorder;
use crate::target::stopped_copy::{MOST_WHOLE_BYTES, StoppedCopy};

/// Looks at a process as it is at one moment. All threads are stopped while the memory that they can change is copied; they go on before
/// anything is found in it, and after `most` at the latest. The [pause](bw_core::RawTaskDump::pause) is in the dump.
///
/// A system call that a thread waits in may end with `EINTR`: `epoll_wait` does, and `recv`, `accept` and others on a socket with a timeout.
///
/// Of a process with more than 128 MiB of such memory, only what a first look without a stop used is copied.
///
/// # Errors
///
/// As of [`inspect`]; and when another process traces this one.
pub fn inspect_stopped(
    process: &LiveProcess,
    limits: &Limits,
    most: Duration,
) -> Result<Inspection, OpenError> {
    let parts = if StoppedCopy::changing_bytes(process)? > MOST_WHOLE_BYTES {
        let recorder = Recorder::new(process);
        inspect(&recorder, limits)?;
        Some(recorder.runs())
    } else {
        None
    };
    inspect(&StoppedCopy::of(process, parts.as_deref(), most)?, limits)
}
