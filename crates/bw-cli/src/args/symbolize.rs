//! What `symbolize` can be told.

use std::path::PathBuf;

use clap::Args;

use super::{Color, EXIT_CODES, Format, Symbols};

const LONG_ABOUT: &str = "\
Print a raw dump file, with functions and lines

A raw dump file has addresses, and the build ids of the modules they lie in. Debug information is
looked for in what is named here; in the files the process had loaded, if they are here, and beside
them; in /usr/lib/debug; and on the debuginfod servers in the variable DEBUGINFOD_URLS, when it is
set. A file of another build is never used. What is missing is said on stderr, and printed as
module+offset.

`dump` prints such a file as well, and has --output, --html and --filter, too.";

const EXAMPLES: &str = "\
Examples:
  backtrace-waker symbolize shop.dump
      Tasks that wait alike, together. Finds the program where it was, and its debug information
      where debuggers look for it.
  backtrace-waker symbolize shop.dump --debug-file shop.debug
      The program ran elsewhere and is stripped; this is its debug information.
  backtrace-waker symbolize shop.dump --debug-dir /srv/symbols --full
      Every task and every frame; debug information by build id in a folder.
  backtrace-waker symbolize shop.dump --format flamegraph > shop.svg
      A flame graph of where tasks wait.
  ssh server cat shop.dump.gz | backtrace-waker symbolize - --format json | jq .groups
      From a pipe, compressed with gzip or not, to a pipe.";

/// Print a raw dump file, with functions and lines
#[derive(Args, Debug)]
#[command(long_about = LONG_ABOUT)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Symbolize {
    /// The raw dump file, compressed with gzip or not; `-` for stdin
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) symbols: Symbols,

    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,

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
