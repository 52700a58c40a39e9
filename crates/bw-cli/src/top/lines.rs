//! Refreshes as lines of JSON, for programs.

use std::num::NonZero;
use std::process::ExitCode;

use crate::args::Top;
use crate::failure::Failure;
use crate::follow::{self, Next};
use crate::print;
use crate::snapshot::Snapshot;
use crate::source::Source;

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
        let now = match follow::next(&mut source, first.file())? {
            Next::Now(now) => *now,
            Next::Silent => continue,
            Next::Ended(code) => return Ok(code),
        };
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
