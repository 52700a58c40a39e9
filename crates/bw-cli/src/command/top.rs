//! `backtrace-waker top`: the tasks of a process in a live view, or as lines of JSON.

use std::io::{self, IsTerminal};
use std::num::NonZeroU64;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::options::request::RequestOptions;
use crate::options::symbols::SymbolOptions;
use crate::options::target::Target;
use crate::options::{number, time_limits};
use crate::output::failure::Failure;
use crate::output::format::Color;
use crate::output::print;
use crate::output::snapshot::Snapshot;
use crate::source::Source;
use crate::source::follow::follow;
use crate::top;

const LONG_ABOUT: &str = "\
Watch the tasks of a process in a live view

Groups of tasks that wait alike, all tasks, or tasks as a tree, with their states, for how long, and how often they are
polled; and where the one at the cursor waits. An agent has each task polled once for every refresh; where memory is
read, nothing in the process notices. Where stdout is no terminal, and with --json, each refresh is a line of JSON
instead: what `dump --json` prints.";

const EXIT_CODES: &str = "\
Exit codes:
  0  somebody quit the view, or so many lines were printed, or the reader of a pipe went away
  1  the process could not be asked, or the terminal not be used; the reason is on stderr
  2  the command line is wrong
  3  while lines were printed the process ended, or another one took its place; the view shows what was there last";

const EXAMPLES: &str = "\
Examples:
  backtrace-waker top 4711
      What the tasks of process 4711 do, every two seconds.
  backtrace-waker top 4711 --interval 500ms --filter name:conn
      Only tasks with `conn` in their names, twice a second.
  backtrace-waker top shop.dump
      A raw dump file, to look around in.
  backtrace-waker top 4711 --count 10 | jq '.groups[0]'
      The first group, ten times: of an agent, the one that has waited longest.";

/// How long to wait after each refresh, unless told.
const INTERVAL: Duration = Duration::from_secs(2);

/// Watch the tasks of a process in a live view
#[derive(Args, Debug)]
#[command(long_about = LONG_ABOUT)]
#[command(after_help = format!("Keys: ? shows them\n\n{EXIT_CODES}"))]
#[command(after_long_help = format!("{}\n{EXAMPLES}\n\n{EXIT_CODES}", top::help()))]
pub(super) struct Top {
    /// The number or name of a process, a raw dump or core file (`-` for stdin), the socket or the URL of an agent
    target: Target,

    /// How long to wait after each refresh, such as 500ms, 5s or 1m [default: 2s]
    #[arg(long, value_name = "TIME", value_parser = time_limits::interval)]
    interval: Option<Duration>,

    /// Print lines of JSON, also on a terminal
    #[arg(long)]
    json: bool,

    /// End after so many lines of JSON, which then come on a terminal as well
    #[arg(long, value_name = "N", value_parser = number::times)]
    count: Option<NonZeroU64>,

    #[command(flatten)]
    request: RequestOptions,

    #[command(flatten)]
    symbols: SymbolOptions,

    /// Whether the view has colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    color: Color,
}

pub(super) fn run(arguments: &Top) -> Result<ExitCode, Failure> {
    let source = Source::open(&arguments.target, &arguments.request, arguments.symbols.sources()?)?;
    let interval = arguments.interval.unwrap_or(INTERVAL);
    if arguments.interval.is_some() && !source.is_live() {
        let failure = format!("--interval has no effect on {}: a file does not change", arguments.target);
        return Err(Failure::new(failure).with_help("leave out --interval"));
    }
    if arguments.json || arguments.count.is_some() || !io::stdout().is_terminal() {
        return print_lines(source, arguments, interval);
    }
    if std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb") {
        return Err(Failure::new("this terminal (TERM=dumb) cannot show a live view; --json prints lines"));
    }
    top::run(source.quiet(), interval, print::is_colored(arguments.color))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a line of JSON for each refresh, so many, or until the process ends or nobody reads any more.
fn print_lines(mut source: Source, arguments: &Top, interval: Duration) -> Result<ExitCode, Failure> {
    let first = source.take()?;
    arguments.symbols.report(first.problems(), false)?;
    if !print_line(&first)? || !source.is_live() {
        // What cannot change is printed once.
        return Ok(ExitCode::SUCCESS);
    }
    let times = arguments.count.map(|count| count.get() - 1);
    follow(&mut source, first, interval, times, |_, now| print_line(now))
}

/// Returns `false` if nobody reads.
fn print_line(snapshot: &Snapshot) -> Result<bool, Failure> {
    print::to(None, |out| writeln!(out, "{}", snapshot.trees().to_json(false)))
}
