//! What `watch` can be told.

use std::num::NonZeroU64;
use std::time::Duration;

use clap::Args;

use super::{Common, duration, number};
use crate::target::Target;

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
pub(crate) struct Watch {
    /// The number of a process, the socket or the URL of an agent
    pub(crate) target: Target,

    /// How often it is asked, such as 500ms, 5s or 1m
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration::interval)]
    pub(crate) interval: Duration,

    /// How often it is printed what changed
    #[arg(long, value_name = "N", value_parser = number::times)]
    pub(crate) count: Option<NonZeroU64>,

    /// As JSON, a line each time
    #[arg(long)]
    pub(crate) json: bool,

    /// Every frame; tasks that differ in any are in different groups
    #[arg(long)]
    pub(crate) full: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}
