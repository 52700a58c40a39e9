//! What the command can be told: here what several of its commands can, and in a file each what one of them can.

mod diff;
mod dump;
mod duration;
mod filter;
mod merge;
mod number;
mod ps;
mod symbolize;
mod top;
mod tree;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use bw_dump::RawDumpReader;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use diff::Diff;
pub(crate) use dump::Dump;
pub(crate) use filter::Filter;
pub(crate) use merge::{Merge, MergedFormat};
pub(crate) use ps::Ps;
pub(crate) use symbolize::Symbolize;
pub(crate) use top::Top;
pub(crate) use tree::Tree;
pub(crate) use watch::Watch;

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
      The processes that can be asked: those with `bw_agent::start()` in their main.
  backtrace-waker dump 4711
      Where the tasks of process 4711 wait, those that wait alike together.
  backtrace-waker top 4711
      The same in a live view, with who blocks a thread at the top.
  backtrace-waker watch 4711
      What changes there, every five seconds.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "backtrace-waker", version, about = ABOUT)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

// In the order of help: from finding a process to taking it apart.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Ps(Ps),
    Dump(Dump),
    Tree(Tree),
    Top(Top),
    Diff(Diff),
    Watch(Watch),
    Symbolize(Symbolize),
    Merge(Merge),
}

/// What to ask, and how long to wait for the answer.
#[derive(Args, Clone, Debug)]
pub(crate) struct Ask {
    /// Only tasks that pass; may be given several times
    ///
    /// Terms with commas between them, all of which must hold: name:PART, id:N, state:suspended, older:90s (since it was
    /// wrapped), for:5m (in the state it is in).
    #[arg(long = "filter", value_name = "TERMS")]
    pub(crate) filters: Vec<Filter>,

    /// How long tasks may take to answer, such as 500ms, 5s or 1m
    ///
    /// Those that do not are in the dump with what they are doing. The process itself is waited for a few seconds longer.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration::up_to_a_minute)]
    pub(crate) timeout: Duration,

    /// What the agent at a URL wants to be told; better given in the variable BACKTRACE_WAKER_TOKEN
    ///
    /// Others on this machine see a command line, but not the variables of a process. Never sent to a socket.
    #[allow(clippy::doc_markdown, reason = "it is printed as help")]
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,

    /// How many bytes an answer or a file may have, decompressed
    #[arg(long = "max-bytes", value_name = "BYTES", default_value_t = RawDumpReader::MOST_BYTES, value_parser = number::bytes)]
    pub(crate) most_bytes: usize,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            filters: Vec::new(),
            timeout: Duration::from_secs(2),
            token: None,
            most_bytes: RawDumpReader::MOST_BYTES,
        }
    }
}

/// Where debug information is looked for.
#[derive(Args, Clone, Debug)]
pub(crate) struct Symbols {
    /// A file with debug information; may be given several times
    ///
    /// A .debug file, the program before it was stripped, or a .dwp file.
    #[arg(long = "debug-file", value_name = "PATH")]
    pub(crate) debug_files: Vec<PathBuf>,

    /// A folder with debug information; may be given several times
    ///
    /// By build id, as .build-id/xx/yyyy.debug, or named like the modules.
    #[arg(long = "debug-dir", value_name = "DIR")]
    pub(crate) debug_dirs: Vec<PathBuf>,

    /// Ask no debuginfod server
    ///
    /// A server learns the build ids of the modules, and what it sends is kept in its cache folder.
    #[arg(long)]
    #[cfg_attr(not(feature = "debuginfod"), allow(dead_code, reason = "there is nobody to ask"))]
    pub(crate) offline: bool,
}

/// What all that ask and print can be told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) ask: Ask,

    #[command(flatten)]
    pub(crate) symbols: Symbols,

    /// Exit with 1 if names or lines are missing
    #[arg(long)]
    pub(crate) strict: bool,

    /// Whether text has colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(crate) color: Color,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs, on one line
    Json,
    /// For flame graphs: `root;…;leaf count`, counted by tasks
    Folded,
    /// A page for browsers, in one file: search, filters, trees
    Html,
    /// A flame graph: a picture (SVG) for browsers, with search and zoom
    Flamegraph,
    /// A profile, compressed, for `go tool pprof` and servers that read pprof
    Pprof,
    /// A raw dump file, compressed with gzip: to be symbolized later or elsewhere
    Raw,
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless the variable NO_COLOR is set
    #[allow(clippy::doc_markdown, reason = "it is printed as help")]
    Auto,
    /// Also in files and pipes
    Always,
    /// Nowhere
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
