//! `backtrace-waker merge`: raw dump files of many processes in, what their tasks wait for out.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bw_dump::{Process, RawDumpFile};
use bw_render::{DumpText, MergedTrees};
use bw_symbolize::Symbolizer;
use clap::{Args, ValueEnum};

use crate::options::symbols::SymbolOptions;
use crate::output::failure::Failure;
use crate::output::format::Color;
use crate::output::print::{self, PrintSettings};
use crate::output::progress::Progress;
use crate::output::{flamegraph, message, snapshot};
use crate::source;

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
pub(super) struct Merge {
    /// Raw dump files, compressed with gzip or not; `-` for one on stdin
    #[arg(value_name = "FILE", required_unless_present = "files_from")]
    files: Vec<PathBuf>,

    /// A file with the names of more files, one a line; `-` for stdin
    #[arg(long, value_name = "LIST")]
    files_from: Option<PathBuf>,

    /// How to print it
    #[arg(long, value_enum, default_value_t = MergedFormat::Text)]
    format: MergedFormat,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// Every frame, not only the program's own functions
    #[arg(long)]
    full: bool,

    /// Tasks of different builds together, where they wait alike
    ///
    /// Folded stacks and flame graphs never tell builds apart, and profiles always do.
    #[arg(long)]
    across_builds: bool,

    /// Where to write it, instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    symbols: SymbolOptions,

    /// Exit with 1 if a file was skipped, or names or lines are missing
    #[arg(long)]
    strict: bool,

    /// Whether text has colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    color: Color,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum MergedFormat {
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
    fn format(&self) -> MergedFormat {
        if self.json { MergedFormat::Json } else { self.format }
    }
}

/// How many files that were skipped are named one by one.
const MOST_NAMED: usize = 20;

/// The longest name in a list of files: more is none.
const MOST_NAME_BYTES: u64 = 64 * 1024;

pub(super) fn run(arguments: &Merge) -> Result<ExitCode, Failure> {
    if arguments.format() == MergedFormat::Pprof {
        print::nothing_for_a_terminal("profile", arguments.output.as_deref())?;
    }
    let sources = arguments.symbols.sources()?;
    let (merge, skipped) = read(&files(arguments)?);
    if merge.dumps() == 0 {
        return Err(Failure::new("no raw dump file could be read"));
    }
    let dump = merge.finish();
    let symbolizer = Symbolizer::for_modules(dump.modules().clone(), sources);
    let trees = MergedTrees::trees(&dump, &snapshot::symbolized(&symbolizer, dump.traces(), false));
    let trees = MergedTrees::new(&dump, &trees).across_builds(arguments.across_builds);
    let settings = PrintSettings::new(arguments.full, arguments.color);
    let printed =
        print::to(arguments.output.as_deref(), |out| write(trees, arguments.format(), settings, out));
    let reported = arguments.symbols.report(&symbolizer.problems(), arguments.strict);
    printed.and(reported)?;
    if arguments.strict && skipped > 0 {
        return Err(Failure::new("files were skipped, and --strict was given"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The files, as they were named, in that order.
fn files(arguments: &Merge) -> Result<Vec<PathBuf>, Failure> {
    let mut files = arguments.files.clone();
    let Some(list) = &arguments.files_from else { return Ok(files) };
    let stdin = Path::new("-");
    if list == stdin && files.iter().any(|file| file == stdin) {
        return Err(Failure::new("stdin can be a dump or a list of files, not both"));
    }
    let failed = |error: io::Error| Failure::new(format!("--files-from {}: {error}", list.display()));
    let input: Box<dyn BufRead> = match list {
        list if list == stdin => Box::new(io::stdin().lock()),
        list => Box::new(BufReader::new(File::open(list).map_err(failed)?)),
    };
    names(input, &mut files).map_err(failed)?;
    if files.is_empty() {
        return Err(Failure::new(format!("--files-from {}: names no file", list.display())));
    }
    Ok(files)
}

/// The names in a list: its lines, but for empty ones.
fn names(mut list: impl BufRead, files: &mut Vec<PathBuf>) -> io::Result<()> {
    loop {
        let mut line = Vec::new();
        let read = io::Read::take(&mut list, MOST_NAME_BYTES).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if read as u64 == MOST_NAME_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "has a line that is too long for the name of a file",
            ));
        }
        let name = line.strip_suffix(b"\n").unwrap_or(&line);
        let name = name.strip_suffix(b"\r").unwrap_or(name);
        if !name.is_empty() {
            files.push(path(name));
        }
    }
}

#[cfg(unix)]
fn path(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(name).into()
}

#[cfg(not(unix))]
fn path(name: &[u8]) -> PathBuf {
    String::from_utf8_lossy(name).into_owned().into()
}

/// Reads one after the other; of those that cannot be read it says why. How many those are comes with it.
fn read(files: &[PathBuf]) -> (bw_dump::Merge, usize) {
    let mut merge = bw_dump::Merge::new();
    let progress = Progress::new("reading dumps", files.len(), "files");
    let mut skipped = 0;
    for path in files {
        match read_one(path) {
            Ok(file) => merge.add(&path.to_string_lossy(), &file),
            Err(reason) => {
                skipped += 1;
                if skipped <= MOST_NAMED {
                    message::warning(&format!("skipped: {reason}"));
                }
            }
        }
        progress.advance();
    }
    drop(progress);
    if skipped > MOST_NAMED {
        message::warning(&format!("skipped: {} more files", skipped - MOST_NAMED));
    }
    (merge, skipped)
}

fn read_one(path: &Path) -> Result<RawDumpFile<'static>, String> {
    if path == Path::new("-") {
        return RawDumpFile::read(io::stdin().lock()).map_err(|error| format!("stdin {error}"));
    }
    let file = File::open(path).map_err(|error| source::no_file(path, &error).to_string())?;
    RawDumpFile::read(file).map_err(|error| format!("{} {error}", path.display()))
}

fn write(
    trees: MergedTrees<'_>,
    format: MergedFormat,
    settings: PrintSettings,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        MergedFormat::Text => {
            let text = DumpText::new(settings.text());
            writeln!(out, "{}", text.merged(trees))
        }
        MergedFormat::Json => writeln!(out, "{}", trees.to_json(false)),
        MergedFormat::Folded => {
            let folded = trees.folded(settings.detail()).to_string();
            if folded.is_empty() { Ok(()) } else { writeln!(out, "{folded}") }
        }
        MergedFormat::Flamegraph => flamegraph::draw(
            &trees.folded(settings.detail()).to_string(),
            &flamegraph::title_of_many(trees.dump()),
            out,
        ),
        MergedFormat::Pprof => {
            let process = Process::default();
            let settings = settings.pprof(&process, trees.dump().modules());
            out.write_all(&trees.to_pprof(&settings))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_name_in_each_line() {
        let mut files = vec![PathBuf::from("first")];
        names(&b"a b\n\n./c\r\nlast"[..], &mut files).unwrap();
        assert_eq!(files, ["first", "a b", "./c", "last"].map(PathBuf::from));
    }

    #[test]
    fn a_list_that_is_none_does_not_fill_the_memory() {
        let error = names(BufReader::new(io::repeat(b'x')), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }
}
