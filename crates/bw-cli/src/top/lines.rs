//! Refreshes as lines of JSON, for programs.

use std::num::NonZero;
use std::process::ExitCode;

use crate::args::Top;
use crate::diff::is_same_process;
use crate::failure::Failure;
use crate::message;
use crate::print;
use crate::snapshot::Snapshot;
use crate::source::Source;

/// The process ended, or another one took its place.
const ENDED: u8 = 3;

/// Prints a line of JSON for each refresh, so many, or until the process ends or nobody reads any more.
pub(super) fn run(mut source: Source, arguments: &Top) -> Result<ExitCode, Failure> {
    let first = source.take()?;
    arguments.symbols.report(first.problems(), false)?;
    if !print(&first)? || !source.is_live() {
        // What cannot change is printed once.
        return Ok(ExitCode::SUCCESS);
    }
    let mut left = arguments.count.map(|count| NonZero::get(count) - 1);
    while left != Some(0) {
        std::thread::sleep(arguments.interval);
        let now = match source.take() {
            Ok(now) => now,
            Err(failure) if failure.is_end() => {
                message::error(&failure);
                return Ok(ExitCode::from(ENDED));
            }
            // Whoever watches a process that is sick does not want to start again.
            Err(failure) if failure.may_pass() => {
                message::warning(&failure);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        if !is_same_process(first.file(), now.file()) {
            // Its tasks have the numbers of others.
            let (old, new) = (first.file().process().pid, now.file().process().pid);
            message::error(&format!("process {old} has ended; process {new} answers in its place"));
            return Ok(ExitCode::from(ENDED));
        }
        if !print(&now)? {
            break;
        }
        left = left.map(|left| left - 1);
    }
    Ok(ExitCode::SUCCESS)
}

/// `false` if nobody reads.
fn print(snapshot: &Snapshot) -> Result<bool, Failure> {
    print::to(None, |out| writeln!(out, "{}", snapshot.trees().to_json(false)))
}
