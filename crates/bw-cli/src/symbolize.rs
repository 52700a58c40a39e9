//! `backtrace-waker symbolize`: a raw dump file in, functions and lines out.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use bw_render::{Detail, DumpText, Palette, TaskTrees, Text};
use bw_symbolize::{Problem, RawDumpError, RawDumpFile, SymbolSources, SymbolizedTrace, Symbolizer};

use crate::args::{Color, Format, Symbolize};
use crate::message;
use crate::progress::Progress;

/// Why nothing, or not everything, was printed. One line.
pub(crate) struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Said below what is missing.
const WHERE: &str = if cfg!(feature = "debuginfod") {
    "debug information was looked for in what --debug-file PATH and --debug-dir DIR name, at the modules' own paths and \
     beside them, in /usr/lib/debug, and on the servers in DEBUGINFOD_URLS; name the file, the folder it is in, or a server"
} else {
    "debug information was looked for in what --debug-file PATH and --debug-dir DIR name, at the modules' own paths and \
     beside them, and in /usr/lib/debug; name the file, or the folder it is in"
};

pub(crate) fn run(arguments: &Symbolize) -> Result<ExitCode, Failure> {
    let sources = sources(arguments)?;
    let file = read(&arguments.file)?;
    let symbolizer = Symbolizer::for_modules(file.modules().clone(), sources);
    let traces = symbolize(&symbolizer, &file);
    let trees = TaskTrees::trees(&traces);
    drop(traces);
    let printed = print(arguments, TaskTrees::new(file.dump(), &trees));
    let problems = symbolizer.problems();
    for problem in &problems {
        message::warning(problem);
    }
    if !problems.is_empty() {
        message::note(&WHERE);
    }
    match printed {
        Ok(()) => {}
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(Failure(format!("cannot write to stdout: {error}"))),
    }
    // Whoever named a file means it.
    let is_of_another_build = |problem: &&Problem| match problem {
        Problem::WrongBuildId { file, .. } | Problem::WrongLayout { file, .. } => {
            arguments.debug_files.contains(file)
        }
        _ => false,
    };
    if problems.iter().any(|problem| is_of_another_build(&problem)) {
        return Err(Failure("a file that --debug-file names is of another build, and was not used".into()));
    }
    if arguments.strict && !problems.is_empty() {
        return Err(Failure("names or lines are missing, and --strict was given".into()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Where to look. What was named must be there: a typing error would otherwise look like missing debug information.
fn sources(arguments: &Symbolize) -> Result<SymbolSources, Failure> {
    let mut sources = SymbolSources::new();
    for path in &arguments.debug_files {
        match path.metadata() {
            Ok(metadata) if metadata.is_file() => sources = sources.debug_file(path),
            Ok(_) => return Err(Failure(format!("--debug-file {}: is not a file", path.display()))),
            Err(error) => return Err(Failure(format!("--debug-file {}: {error}", path.display()))),
        }
    }
    for path in &arguments.debug_dirs {
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => sources = sources.debug_dir(path),
            Ok(_) => return Err(Failure(format!("--debug-dir {}: is not a folder", path.display()))),
            Err(error) => return Err(Failure(format!("--debug-dir {}: {error}", path.display()))),
        }
    }
    #[cfg(feature = "debuginfod")]
    if let Some(servers) = bw_symbolize::Debuginfod::from_env().filter(|_| !arguments.offline) {
        sources = sources.debuginfod(servers);
    }
    Ok(sources)
}

fn read(path: &Path) -> Result<RawDumpFile<'static>, Failure> {
    if path == Path::new("-") {
        let invalid = |error: RawDumpError| Failure(format!("stdin {error}"));
        return RawDumpFile::read(io::stdin().lock()).map_err(invalid);
    }
    let file = File::open(path).map_err(|error| Failure(format!("{}: {error}", path.display())))?;
    RawDumpFile::read(file).map_err(|error| Failure(format!("{} {error}", path.display())))
}

fn symbolize(symbolizer: &Symbolizer, file: &RawDumpFile<'_>) -> Vec<SymbolizedTrace> {
    let traces = file.dump().traces();
    let progress = Progress::new("reading debug information", traces.len(), "traces");
    let symbolize = |trace| {
        let symbolized = symbolizer.symbolize(trace);
        progress.advance();
        symbolized
    };
    traces.iter().map(symbolize).collect()
}

fn print(arguments: &Symbolize, trees: TaskTrees<'_>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let detail = if arguments.full { Detail::Full } else { Detail::User };
    match arguments.format {
        Format::Text => {
            let text = DumpText::new(text(arguments, detail));
            if arguments.full {
                writeln!(out, "{}", text.full(trees))?;
            } else {
                writeln!(out, "{}", text.grouped(trees))?;
            }
        }
        Format::Json => writeln!(out, "{}", trees.to_json(false))?,
        Format::Folded => {
            let folded = trees.folded(detail).to_string();
            if !folded.is_empty() {
                writeln!(out, "{folded}")?;
            }
        }
    }
    out.flush()
}

/// As the dump prints itself in its own process: see `TaskDump` of `backtrace-waker`.
fn text(arguments: &Symbolize, detail: Detail) -> Text {
    let mut text = Text::new().detail(detail);
    if !arguments.full
        && let Ok(folder) = std::env::current_dir()
        && let Some(folder) = folder.to_str()
    {
        text = text.relative_to(folder);
    }
    if colored(arguments.color) { text.palette(Palette::colored()) } else { text }
}

fn colored(color: Color) -> bool {
    // https://no-color.org: set, and not empty.
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = || std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => !is_set("NO_COLOR") && !is_dumb() && io::stdout().is_terminal(),
    }
}
