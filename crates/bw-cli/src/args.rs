//! What the command can be told.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const ABOUT: &str = "Where every async task of another process is waiting, from the raw dump file it wrote";

const ABOUT_SYMBOLIZE: &str = "\
Print a raw dump file, with functions and lines

A raw dump file has addresses, and the build ids of the modules they lie in. Debug information is
looked for in what is named here; in the files the process had loaded, if they are here, and beside
them; in /usr/lib/debug; and on the debuginfod servers in the variable DEBUGINFOD_URLS, when it is
set. A file of another build is never used. What is missing is said on stderr, and printed as
module+offset.";

const EXIT_CODES: &str = "\
Exit codes:
  0  it was printed, also where names are missing (unless --strict) or the reader of a pipe went away
  1  it could not be read or printed, or a file that --debug-file names is of another build; the reason is on stderr
  2  the command line is wrong";

const EXAMPLES: &str = "\
Examples:
  backtrace-waker symbolize shop.dump
      Tasks that wait alike, together. Finds the program where it was, and its debug information
      where debuggers look for it.
  backtrace-waker symbolize shop.dump --debug-file shop.debug
      The program ran elsewhere and is stripped; this is its debug information.
  backtrace-waker symbolize shop.dump --debug-dir /srv/symbols --full
      Every task and every frame; debug information by build id in a folder.
  backtrace-waker symbolize shop.dump --format folded | inferno-flamegraph > shop.svg
      A flame graph of where tasks wait.
  ssh server cat shop.dump.gz | backtrace-waker symbolize - --format json | jq .groups
      From a pipe, compressed with gzip or not, to a pipe.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "backtrace-waker", version, about = ABOUT, after_help = EXIT_CODES)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print a raw dump file, with functions and lines
    #[command(long_about = ABOUT_SYMBOLIZE)]
    #[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
    Symbolize(Symbolize),
}

#[derive(Args, Debug)]
pub(crate) struct Symbolize {
    /// The raw dump file, compressed with gzip or not; `-` for stdin
    pub(crate) file: PathBuf,

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

    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Every task and every frame
    ///
    /// Without it: tasks that wait alike together, and the program's own functions.
    /// JSON has everything anyway.
    #[arg(long)]
    pub(crate) full: bool,

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
