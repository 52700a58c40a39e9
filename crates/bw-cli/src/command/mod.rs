//! The commands: in a file each its arguments and what it does.

mod diagnose;
mod diff;
mod dump;
mod merge;
mod ps;
mod symbolize;
mod top;
mod tree;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::output::failure::Failure;

const ABOUT: &str = "Where every async task of another process is waiting";

/// What most commands end with.
const EXIT_CODES: &str = "\
Exit codes:
  0  it was printed, also where names are missing (unless --strict) or the reader of a pipe went away
  1  it could not be read or printed, or a file that --debug-file names is of another build; the reason is on stderr
  2  the command line is wrong";

const EXAMPLES: &str = "\
Examples:
  backtrace-waker ps
      The processes with async tasks, and whether an agent or their memory is asked.
  backtrace-waker dump 4711
      Where the tasks of process 4711 wait, those that wait alike together.
  backtrace-waker top 4711
      The same in a live view, with who blocks a thread at the top.
  backtrace-waker diagnose 4711
      Which tasks wait for each other, and who holds what.
  backtrace-waker watch 4711
      What changes there, every five seconds.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "backtrace-waker", version, about = ABOUT)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
#[command(arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

// In the order of help: from finding a process to taking it apart.
#[derive(Debug, Subcommand)]
enum Command {
    Ps(ps::Ps),
    Dump(dump::Dump),
    Tree(tree::Tree),
    Top(top::Top),
    Diagnose(diagnose::Diagnose),
    Diff(diff::Diff),
    Watch(watch::Watch),
    Symbolize(symbolize::Symbolize),
    Merge(merge::Merge),
}

/// Does what the command line says. Ends the process itself with 2 when the command line is wrong, and with 0 after help or version.
pub(crate) fn run() -> Result<ExitCode, Failure> {
    match Arguments::parse().command {
        Command::Ps(arguments) => ps::run(&arguments),
        Command::Dump(arguments) => dump::run(&arguments),
        Command::Tree(arguments) => tree::run(&arguments),
        Command::Top(arguments) => top::run(&arguments),
        Command::Diagnose(arguments) => diagnose::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Symbolize(arguments) => symbolize::run(&arguments),
        Command::Merge(arguments) => merge::run(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
