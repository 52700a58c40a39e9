//! `backtrace-waker tree`: the tasks of a process as a tree.

use std::process::ExitCode;

use bw_render::DumpText;
use clap::Args;

use super::EXIT_CODES;
use crate::options::SharedOptions;
use crate::options::target::Target;
use crate::output::failure::Failure;
use crate::output::format::Format;
use crate::output::print::{self, PrintSettings};
use crate::source::Source;

const LONG_ABOUT: &str = "\
Print the tasks of a process as a tree

Children stand below the await of the task that polls them, or else below the one that spawned them.";

const EXAMPLES: &str = "\
Examples:
  backtrace-waker tree 4711
      Who waits for whom. Children that wait alike stand together.
  backtrace-waker tree before.dump --json | jq '.tasks[] | select(.parent == 12)'
      JSON is that of `dump`: each task names its parent there.";

/// Print the tasks of a process as a tree
#[derive(Args, Debug)]
#[command(long_about = LONG_ABOUT)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Tree {
    /// The number or name of a process, a raw dump or core file (`-` for stdin), the socket or the URL of an agent
    target: Target,

    /// As JSON, on one line: what `dump --json` prints
    #[arg(long)]
    json: bool,

    /// Every frame
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    shared: SharedOptions,
}

pub(super) fn run(arguments: &Tree) -> Result<ExitCode, Failure> {
    let mut source = Source::of(&arguments.target, &arguments.shared)?;
    let settings = PrintSettings::new(arguments.full, arguments.shared.color);
    let snapshot = source.take()?;
    let printed = if arguments.json {
        print::snapshot(&snapshot, Format::Json, settings, None)
    } else {
        let text = DumpText::new(settings.text());
        print::to(None, |out| writeln!(out, "{}", text.tree(snapshot.trees())))
    };
    let reported = arguments.shared.report(snapshot.problems());
    printed.and(reported).map(|()| ExitCode::SUCCESS)
}
