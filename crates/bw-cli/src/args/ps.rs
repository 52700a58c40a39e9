//! What `ps` can be told.

use std::time::Duration;

use clap::Args;

use super::duration;

const LONG_ABOUT: &str = "\
List the processes that can be asked

Those that have an agent (`bw_agent::start()`) with a socket in the usual folders, or where the variables XDG_RUNTIME_DIR
and BACKTRACE_WAKER_SOCKET of the process say: yours, and as root everybody's, also in containers of this machine. An
agent with another socket, or with a TCP port only, is not found; name its socket or URL to the other commands.";

const EXIT_CODES: &str = "\
Exit codes:
  0  they were printed, also when there are none
  1  they could not be; the reason is on stderr
  2  the command line is wrong";

const EXAMPLES: &str = "\
Examples:
  backtrace-waker ps
      A line for each process: number, user, start, tasks, program. Where one does not answer, why.
  sudo backtrace-waker ps
      Those of all users.
  backtrace-waker ps --json | jq -r .processes[].pid
      For programs.";

/// List the processes that can be asked
#[derive(Args, Debug)]
#[command(long_about = LONG_ABOUT)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Ps {
    /// As JSON, on one line
    #[arg(long)]
    pub(crate) json: bool,

    /// How long to wait for each of them, such as 500ms or 5s
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration::up_to_a_minute)]
    pub(crate) timeout: Duration,
}
