//! `backtrace-waker watch`: what changes in a process.

use std::num::NonZeroU64;
use std::process::ExitCode;
use std::time::Duration;

use bw_dump::rfc3339;
use bw_render::{Count, DumpText, Elapsed};
use clap::Args;

use crate::options::target::Target;
use crate::options::{SharedOptions, number, time_limits};
use crate::output::failure::Failure;
use crate::output::print::{self, PrintSettings};
use crate::output::snapshot::Snapshot;
use crate::source::Source;
use crate::source::follow::follow;

const LONG_ABOUT: &str = "\
Print what changes in a process

Asks it again and again, and prints what `diff` would of each two dumps in a row. Until ^C, until it was printed so many
times, or until the process ends.";

const EXIT_CODES: &str = "\
Exit codes:
  0  what changed was printed --count times, or the reader of a pipe went away
  1  the process could not be asked the first time, or names are missing and --strict was given; the reason is on stderr
  2  the command line is wrong
  3  the process ended, or another one took its place";

const EXAMPLES: &str = "\
Examples:
  backtrace-waker watch 4711
      Every five seconds, until ^C.
  backtrace-waker watch 4711 --interval 1m --filter name:conn
      What piles up slowly.
  backtrace-waker watch 4711 --count 10 --json > changes.jsonl
      A line of JSON each time.";

/// Print what changes in a process
#[derive(Args, Debug)]
#[command(long_about = LONG_ABOUT)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Watch {
    /// The number or name of a process, the socket or the URL of an agent
    target: Target,

    /// How often it is asked, such as 500ms, 5s or 1m
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time_limits::interval)]
    interval: Duration,

    /// How often it is printed what changed
    #[arg(long, value_name = "N", value_parser = number::times)]
    count: Option<NonZeroU64>,

    /// As JSON, a line each time
    #[arg(long)]
    json: bool,

    /// Every frame; tasks that differ in any are in different groups
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    shared: SharedOptions,
}

pub(super) fn run(arguments: &Watch) -> Result<ExitCode, Failure> {
    let mut source = Source::of(&arguments.target, &arguments.shared)?.quiet();
    if !source.is_live() {
        let target = &arguments.target;
        return Err(Failure::new(format!(
            "{target} is a file, which does not change: name a process, or compare two files with `diff`"
        )));
    }
    let settings = PrintSettings::new(arguments.full, arguments.shared.color);
    let first = source.take()?;
    if !print_first(&first, arguments, settings)? {
        return Ok(ExitCode::SUCCESS);
    }
    arguments.shared.report(first.problems())?;
    let times = arguments.count.map(NonZeroU64::get);
    follow(&mut source, first, arguments.interval, times, |before, now| {
        print_change(before, now, arguments, settings)
    })
}

/// Prints what there is at first. Returns `false` if nobody reads.
fn print_first(first: &Snapshot, arguments: &Watch, settings: PrintSettings) -> Result<bool, Failure> {
    // Every line of JSON is a change.
    if arguments.json {
        return Ok(true);
    }
    let dump = first.file().dump();
    let text = DumpText::new(settings.text());
    let (at, tasks) = (rfc3339::seconds(dump.taken_at()), Count(dump.tasks().len()));
    let (pid, interval) = (first.file().process().pid, Elapsed(arguments.interval));
    let origin = DumpText::origin(dump);
    let is_uncounted =
        dump.source().is_memory() && dump.tasks().iter().any(|task| task.status().age.is_none());
    let warnings = settings.palette().paint(&text.warnings(first.trees())).to_string();
    print::to(None, |out| {
        origin.map_or(Ok(()), |origin| writeln!(out, "{origin}"))?;
        let again = if dump.source().is_memory() { "read" } else { "asked" };
        writeln!(out, "{at}: process {pid}, tasks: {tasks}; {again} again every {interval}")?;
        if is_uncounted {
            writeln!(out, "memory does not show whether tasks are polled in between")?;
        }
        if warnings.is_empty() { Ok(()) } else { writeln!(out, "{warnings}") }
    })
}

/// Prints what changed. Returns `false` if nobody reads.
fn print_change(
    before: &Snapshot,
    now: &Snapshot,
    arguments: &Watch,
    settings: PrintSettings,
) -> Result<bool, Failure> {
    let difference = now.trees().since(&before.trees(), &settings.text());
    if arguments.json {
        return print::to(None, |out| writeln!(out, "{}", difference.to_json()));
    }
    let at = rfc3339::seconds(now.file().dump().taken_at());
    // The polls that an agent counts are of interest by themselves.
    if now.file().dump().source().is_memory() && difference.is_empty() {
        let later = Elapsed(difference.between());
        return print::to(None, |out| writeln!(out, "\n{at}, {later} later: nothing changed"));
    }
    let difference = difference.without_uncounted();
    print::to(None, |out| writeln!(out, "\n{at}, {difference}"))
}
