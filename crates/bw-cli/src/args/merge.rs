//! What `merge` can be told.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Color, Symbols};

const LONG_ABOUT: &str = "\
Print where the tasks of many processes wait, from their raw dump files

Tasks of all of them that wait alike are printed once, with how many they are and in how many processes. Traces are put
together by build id and offset before any name is looked up, so each is symbolized once, however many machines, and
whatever address the program was loaded at. Tasks of different builds stay apart unless --across-builds is given. Memory grows with what is
different, not with files or tasks.

One file counts as one process. Modules without a build id are taken for the same where path and size are.";

const EXAMPLES: &str = "\
Examples:
  backtrace-waker merge dumps/*.gz
      What the fleet waits for.
  find /srv/dumps -name '*.gz' -mmin -10 | backtrace-waker merge --files-from -
      Those of the last ten minutes, however many.
  backtrace-waker merge dumps/*.gz --across-builds --format flamegraph > fleet.svg
      A flame graph of all of them.
  DEBUGINFOD_URLS=https://debuginfod.example.com backtrace-waker merge dumps/*.gz --format pprof -o fleet.pb.gz
      A profile, with names from a server, for `go tool pprof`.";

const EXIT_CODES: &str = "\
Exit codes:
  0  it was printed, also where files were skipped or names are missing (unless --strict)
  1  no file could be read, or it could not be printed, or a file that --debug-file names is of another build; or,
     with --strict, a file was skipped or names are missing. The reasons are on stderr
  2  the command line is wrong";

/// Print where the tasks of many processes wait, from their raw dump files
#[derive(Args, Debug)]
#[command(long_about = LONG_ABOUT)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Merge {
    /// Raw dump files, compressed with gzip or not; `-` for one on stdin
    #[arg(value_name = "FILE", required_unless_present = "files_from")]
    pub(crate) files: Vec<PathBuf>,

    /// A file with the names of more files, one a line; `-` for stdin
    #[arg(long, value_name = "LIST")]
    pub(crate) files_from: Option<PathBuf>,

    /// How to print it
    #[arg(long, value_enum, default_value_t = MergedFormat::Text)]
    pub(crate) format: MergedFormat,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,

    /// Every frame, not only the program's own functions
    #[arg(long)]
    pub(crate) full: bool,

    /// Tasks of different builds together, where they wait alike
    ///
    /// Folded stacks and flame graphs never tell builds apart, and profiles always do.
    #[arg(long)]
    pub(crate) across_builds: bool,

    /// Where to write it, instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) symbols: Symbols,

    /// Exit with 1 if a file was skipped, or names or lines are missing
    #[arg(long)]
    pub(crate) strict: bool,

    /// Whether text has colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(crate) color: Color,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MergedFormat {
    /// For people
    Text,
    /// For programs, on one line
    Json,
    /// For flame graphs: `root;…;leaf count`, counted by tasks
    Folded,
    /// A flame graph: a picture (SVG) for browsers, with search and zoom
    Flamegraph,
    /// A profile, compressed, for `go tool pprof` and servers that read pprof
    Pprof,
}

impl Merge {
    /// The format, whichever way it was given.
    pub(crate) fn format(&self) -> MergedFormat {
        if self.json { MergedFormat::Json } else { self.format }
    }
}
