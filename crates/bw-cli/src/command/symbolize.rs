//! `backtrace-waker symbolize`: another name for `dump FILE`, whose help shows only what is for files.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Arg, Args};

use super::EXIT_CODES;
use super::dump::{self, Dump};
use crate::options::target::Target;
use crate::output::failure::Failure;

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

/// The options of `dump` that the help shows, in this order.
const SHOWN: [&str; 8] =
    ["debug_files", "debug_dirs", "offline", "format", "json", "full", "strict", "color"];

/// Print a raw dump file, with functions and lines
#[derive(Args, Debug)]
#[command(long_about = LONG_ABOUT)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
#[command(mut_args(as_in_help))]
pub(super) struct Symbolize {
    #[command(flatten)]
    dump: Dump,
}

pub(super) fn run(arguments: &Symbolize) -> Result<ExitCode, Failure> {
    dump::run(&arguments.dump)
}

/// An argument of `dump` as `symbolize` shows it.
fn as_in_help(argument: Arg) -> Arg {
    if argument.get_id() == "target" {
        return argument
            .value_name("FILE")
            .value_parser(OsStringValueParser::new().map(file))
            .help("The raw dump file, compressed with gzip or not; `-` for stdin")
            .long_help(None);
    }
    match SHOWN.iter().position(|name| argument.get_id() == name) {
        Some(at) => argument.display_order(at),
        None => argument.hide(true),
    }
}

/// A file, whatever else its name could mean.
fn file(name: OsString) -> Target {
    if name == "-" { Target::Stdin } else { Target::File(name.into()) }
}
