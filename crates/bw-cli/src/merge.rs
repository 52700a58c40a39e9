//! `backtrace-waker merge`: raw dump files of many processes in, what their tasks wait for out.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bw_dump::{Process, RawDumpFile};
use bw_render::{DumpText, MergedTrees, TaskTrees};
use bw_symbolize::Symbolizer;

use crate::args::{Merge, MergedFormat};
use crate::failure::Failure;
use crate::flamegraph;
use crate::message;
use crate::print::{self, Look};
use crate::progress::Progress;
use crate::source;

/// How many files that were skipped are named one by one.
const MOST_NAMED: usize = 20;

/// The longest name in a list of files: more is none.
const MOST_NAME_BYTES: u64 = 64 * 1024;

pub(crate) fn run(arguments: &Merge) -> Result<ExitCode, Failure> {
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
    let progress = Progress::new("reading debug information", dump.traces().len(), "traces");
    let symbolized = dump.traces().iter().map(|trace| {
        let symbolized = symbolizer.symbolize(trace);
        progress.advance();
        symbolized
    });
    let trees = TaskTrees::trees(&symbolized.collect::<Vec<_>>());
    drop(progress);
    let trees = MergedTrees::new(&dump, &trees).across_builds(arguments.across_builds);
    let look = Look { full: arguments.full, color: arguments.color };
    let printed = print::to(arguments.output.as_deref(), |out| write(trees, arguments.format(), look, out));
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

fn write(trees: MergedTrees<'_>, format: MergedFormat, look: Look, out: &mut dyn Write) -> io::Result<()> {
    match format {
        MergedFormat::Text => {
            let text = DumpText::new(look.text());
            writeln!(out, "{}", text.merged(trees))
        }
        MergedFormat::Json => writeln!(out, "{}", trees.to_json(false)),
        MergedFormat::Folded => {
            let folded = trees.folded(look.detail()).to_string();
            if folded.is_empty() { Ok(()) } else { writeln!(out, "{folded}") }
        }
        MergedFormat::Flamegraph => flamegraph::draw(
            &trees.folded(look.detail()).to_string(),
            &flamegraph::title_of_many(trees.dump()),
            out,
        ),
        MergedFormat::Pprof => {
            let process = Process::default();
            let settings = look.pprof(&process, trees.dump().modules());
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
