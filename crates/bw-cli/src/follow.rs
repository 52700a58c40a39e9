//! Asking the same process again and again.

use std::process::ExitCode;

use bw_dump::RawDumpFile;

use crate::diff::is_same_process;
use crate::failure::Failure;
use crate::message;
use crate::snapshot::Snapshot;
use crate::source::Source;

/// What came of asking again.
pub(crate) enum Next {
    Now(Box<Snapshot>),
    /// It did not answer, which was said, and may answer the next time: whoever follows a process that is sick does not want to
    /// start again.
    Silent,
    /// The process ended, or another one took its place, which was said. With what to exit.
    Ended(ExitCode),
}

/// Asks the process that dump is of once more.
pub(crate) fn next(source: &mut Source, before: &RawDumpFile<'_>) -> Result<Next, Failure> {
    /// See the exit codes in the help of the commands.
    const ENDED: u8 = 3;

    match source.take() {
        Ok(now) if is_same_process(before, now.file()) => Ok(Next::Now(Box::new(now))),
        Ok(now) => {
            // Its tasks have the numbers of others.
            let (old, new) = (before.process().pid, now.file().process().pid);
            message::error(&format!("process {old} has ended; process {new} answers in its place"));
            Ok(Next::Ended(ExitCode::from(ENDED)))
        }
        Err(failure) if failure.is_end() => {
            message::error(&failure);
            Ok(Next::Ended(ExitCode::from(ENDED)))
        }
        Err(failure) if failure.may_pass() => {
            message::warning(&failure);
            Ok(Next::Silent)
        }
        Err(failure) => Err(failure),
    }
}
