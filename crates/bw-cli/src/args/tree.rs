//! What `tree` can be told.

use clap::Args;

use super::{Common, EXIT_CODES};
use crate::target::Target;

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
pub(crate) struct Tree {
    /// The number of a process, a raw dump file (`-` for stdin), the socket or the URL of an agent
    pub(crate) target: Target,

    /// As JSON, on one line: what `dump --json` prints
    #[arg(long)]
    pub(crate) json: bool,

    /// Every frame
    #[arg(long)]
    pub(crate) full: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}
