//! `backtrace-waker watch`: what changes in a process.

use std::process::ExitCode;

use bw_dump::rfc3339;
use bw_render::{Count, DumpText, Elapsed};

use crate::args::Watch;
use crate::failure::Failure;
use crate::follow::{self, Next};
use crate::print::{self, Look};
use crate::snapshot::Snapshot;
use crate::source::Source;

pub(crate) fn run(arguments: &Watch) -> Result<ExitCode, Failure> {
    let mut source = Source::of(&arguments.target, &arguments.common)?.quiet();
    if !source.is_live() {
        let target = &arguments.target;
        return Err(Failure::new(format!(
            "{target} is a file, which does not change: name a process, or compare two files with `diff`"
        )));
    }
    let look = Look::new(arguments.full, arguments.common.color);
    let mut before = source.take()?;
    if !begin(&before, arguments, look)? {
        return Ok(ExitCode::SUCCESS);
    }
    arguments.common.report(before.problems())?;
    let mut left = arguments.count.map(std::num::NonZero::get);
    while left != Some(0) {
        std::thread::sleep(arguments.interval);
        let now = match follow::next(&mut source, before.file())? {
            Next::Now(now) => *now,
            Next::Silent => continue,
            Next::Ended(code) => return Ok(code),
        };
        if !step(&before, &now, arguments, look)? {
            return Ok(ExitCode::SUCCESS);
        }
        before = now;
        left = left.map(|left| left - 1);
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what there is at first. `false` if nobody reads.
fn begin(first: &Snapshot, arguments: &Watch, look: Look) -> Result<bool, Failure> {
    // Every line of JSON is a change.
    if arguments.json {
        return Ok(true);
    }
    let dump = first.file().dump();
    let text = DumpText::new(look.text());
    let (at, tasks) = (rfc3339::seconds(dump.taken_at()), Count(dump.tasks().len()));
    let (pid, interval) = (first.file().process().pid, Elapsed(arguments.interval));
    let warnings = text.warnings(first.trees());
    let warnings = look.palette().paint(&warnings).to_string();
    print::to(None, |out| {
        writeln!(out, "{at}: process {pid}, tasks: {tasks}; asked again every {interval}")?;
        if warnings.is_empty() { Ok(()) } else { writeln!(out, "{warnings}") }
    })
}

/// Says what changed. `false` if nobody reads.
fn step(before: &Snapshot, now: &Snapshot, arguments: &Watch, look: Look) -> Result<bool, Failure> {
    let difference = now.trees().since(&before.trees(), &look.text());
    if arguments.json {
        return print::to(None, |out| writeln!(out, "{}", difference.to_json()));
    }
    let at = rfc3339::seconds(now.file().dump().taken_at());
    print::to(None, |out| writeln!(out, "\n{at}, {difference}"))
}
