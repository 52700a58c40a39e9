//! Asking the same process again and again.

use std::process::ExitCode;
use std::time::Duration;

use bw_dump::RawDumpFile;

use super::Source;
use crate::output::failure::Failure;
use crate::output::message;
use crate::output::snapshot::Snapshot;

/// The exit code of a command whose process ended while the command followed it: see the help of the commands.
const ENDED: u8 = 3;

/// Asks the process that `first` is of again, an interval after each answer, so many times or without an end. Hands `print` each
/// dump and the one before it. Ends early when the process ends, when another process takes its place, and when `print` says that
/// nobody reads any more. A process that does not answer may answer the next time.
pub(crate) fn follow(
    source: &mut Source,
    first: Snapshot,
    interval: Duration,
    mut times: Option<u64>,
    mut print: impl FnMut(&Snapshot, &Snapshot) -> Result<bool, Failure>,
) -> Result<ExitCode, Failure> {
    let mut before = first;
    while times != Some(0) {
        std::thread::sleep(interval);
        let now = match source.take() {
            Ok(now) if is_same_process(before.file(), now.file()) => now,
            Ok(now) => {
                // Its tasks have the numbers of others.
                let (old, new) = (before.file().process().pid, now.file().process().pid);
                message::error(&format!("process {old} has ended; process {new} answers in its place"));
                return Ok(ExitCode::from(ENDED));
            }
            Err(failure) if failure.is_end() => {
                message::error(&failure);
                return Ok(ExitCode::from(ENDED));
            }
            Err(failure) if failure.may_pass() => {
                message::warning(&failure);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        if !print(&before, &now)? {
            break;
        }
        before = now;
        times = times.map(|left| left - 1);
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether two dumps are of the same process, as far as it can be told: a number is used again, a number and a start are not.
pub(crate) fn is_same_process(a: &RawDumpFile<'_>, b: &RawDumpFile<'_>) -> bool {
    let (a, b) = (a.process(), b.process());
    let is_same_start = match (a.started_at, b.started_at) {
        // Computed from an uptime, by clocks that may have been set in between: a process lives longer than that.
        (Some(a), Some(b)) => a.max(b).duration_since(a.min(b)).unwrap_or_default().as_secs() < 2,
        _ => true,
    };
    a.pid == b.pid && is_same_start
}
