//! `backtrace-waker diff`: what changed between two dumps.

use std::process::ExitCode;

use bw_dump::RawDumpFile;

use crate::args::Diff;
use crate::failure::Failure;
use crate::message;
use crate::print::{self, Look};
use crate::source::Source;
use crate::target::Target;

pub(crate) fn run(arguments: &Diff) -> Result<ExitCode, Failure> {
    if (&arguments.older, &arguments.newer) == (&Target::Stdin, &Target::Stdin) {
        return Err(Failure::new("only one of the two dumps can come from stdin"));
    }
    let mut older = Source::of(&arguments.older, &arguments.common)?;
    // In this order, should both be the same process.
    let older = older.take()?;
    let mut newer = Source::of(&arguments.newer, &arguments.common)?;
    let newer = newer.take()?;
    if !is_same_process(older.file(), newer.file()) {
        message::warning(
            &"the two dumps are of different processes: groups can be compared, the numbers of tasks mean nothing",
        );
    } else if newer.file().dump().taken_at() < older.file().dump().taken_at() {
        message::warning(
            &"the second dump was taken before the first one: what is new is gone, and the other way round",
        );
    }
    let look = Look::new(arguments.full, arguments.common.color);
    let difference = newer.trees().since(&older.trees(), &look.text());
    let printed = print::to(None, |out| {
        if arguments.json { writeln!(out, "{}", difference.to_json()) } else { writeln!(out, "{difference}") }
    });
    let mut problems = [older.problems(), newer.problems()].concat();
    problems.sort();
    problems.dedup();
    let reported = arguments.common.report(&problems);
    printed.and(reported).map(|()| ExitCode::SUCCESS)
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
