//! The formats of a dump, and whether text has colours.

use clap::ValueEnum;

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
