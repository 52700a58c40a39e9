//! Refreshes as lines of JSON, for programs.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use crate::failure::Failure;
use crate::message;
use crate::source::Source;

/// The process ended.
const ENDED: u8 = 3;

/// Prints a line of JSON for each refresh, so many, or until the process ends or nobody reads any more.
pub(super) fn run(mut source: Source, interval: Duration, count: Option<u64>) -> Result<ExitCode, Failure> {
    // What cannot change is printed once.
    let count = if source.is_live() { count } else { Some(1) };
    let mut printed = 0_u64;
    let mut warned = false;
    while count.is_none_or(|count| printed < count) {
        if printed > 0 {
            std::thread::sleep(interval);
        }
        let snapshot = match source.take() {
            Ok(snapshot) => snapshot,
            Err(failure) if printed > 0 && failure.is_end() => {
                message::error(&failure);
                return Ok(ExitCode::from(ENDED));
            }
            // Whoever watches a process that is sick does not want to start again.
            Err(failure) if printed > 0 && failure.may_pass() => {
                message::warning(&failure);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        if !std::mem::replace(&mut warned, true) {
            snapshot.problems().iter().for_each(message::warning);
        }
        let mut out = io::stdout().lock();
        match writeln!(out, "{}", snapshot.trees().to_json(false)).and_then(|()| out.flush()) {
            Ok(()) => printed += 1,
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            Err(error) => return Err(Failure::new(format!("cannot write to stdout: {error}"))),
        }
    }
    Ok(ExitCode::SUCCESS)
}
