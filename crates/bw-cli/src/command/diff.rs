//! `backtrace-waker diff`: what changed between two dumps.

use std::process::ExitCode;

use clap::Args;

use super::EXIT_CODES;
use crate::options::SharedOptions;
use crate::options::target::Target;
use crate::output::failure::Failure;
use crate::output::message;
use crate::output::print::{self, PrintSettings};
use crate::source::Source;
use crate::source::follow::is_same_process;

const LONG_ABOUT: &str = "\
Print what changed between two dumps of a process

Which groups of tasks grew, which tasks came and went, and which were not polled in between. Both may be files; the
second may as well be the process itself.";

const EXAMPLES: &str = "\
Examples:
  backtrace-waker dump 4711 --format raw -o before.dump
  backtrace-waker diff before.dump 4711
      What is piling up since.
  backtrace-waker diff monday.dump tuesday.dump --json | jq .grown
      For programs.";

/// Print what changed between two dumps of a process
#[derive(Args, Debug)]
#[command(long_about = LONG_ABOUT)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Diff {
    /// The older one: a raw dump or core file (`-` for stdin), a process, socket or URL
    older: Target,

    /// The newer one
    newer: Target,

    /// As JSON, on one line
    #[arg(long)]
    json: bool,

    /// Every frame; tasks that differ in any are in different groups
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    shared: SharedOptions,
}

pub(super) fn run(arguments: &Diff) -> Result<ExitCode, Failure> {
    if (&arguments.older, &arguments.newer) == (&Target::Stdin, &Target::Stdin) {
        return Err(Failure::new("only one of the two dumps can come from stdin"));
    }
    let [mut older, mut newer] = Source::both([&arguments.older, &arguments.newer], &arguments.shared)?;
    // In this order, should both be the same process.
    let older = older.take()?;
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
    let settings = PrintSettings::new(arguments.full, arguments.shared.color);
    let difference = newer.trees().since(&older.trees(), &settings.text());
    let printed = print::to(None, |out| {
        if arguments.json { writeln!(out, "{}", difference.to_json()) } else { writeln!(out, "{difference}") }
    });
    let mut problems = [older.problems(), newer.problems()].concat();
    problems.sort();
    problems.dedup();
    let reported = arguments.shared.report(&problems);
    printed.and(reported).map(|()| ExitCode::SUCCESS)
}
