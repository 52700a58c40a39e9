//! What `diff` can be told.

use clap::Args;

use super::{Common, EXIT_CODES};
use crate::target::Target;

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
pub(crate) struct Diff {
    /// The older one: a raw dump file (`-` for stdin), a process, socket or URL
    pub(crate) older: Target,

    /// The newer one
    pub(crate) newer: Target,

    /// As JSON, on one line
    #[arg(long)]
    pub(crate) json: bool,

    /// Every frame; tasks that differ in any are in different groups
    #[arg(long)]
    pub(crate) full: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}
