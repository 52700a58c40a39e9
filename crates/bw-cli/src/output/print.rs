//! A snapshot in one of the forms.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use bw_dump::{ModuleMap, Process};
use bw_render::{Detail, DumpText, Html, Palette, Paths, Pprof, Text};

use super::failure::Failure;
use super::flamegraph;
use super::format::{Color, Format};
use super::snapshot::Snapshot;

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrintSettings {
    /// Every task and every frame.
    full: bool,
    color: Color,
}

impl PrintSettings {
    pub(crate) fn new(full: bool, color: Color) -> Self {
        Self { full, color }
    }

    pub(crate) fn detail(self) -> Detail {
        if self.full { Detail::Full } else { Detail::User }
    }

    /// As the dump prints itself in its own process: see `TaskDump` of `backtrace-waker`.
    pub(crate) fn text(self) -> Text {
        let text = Text::new().detail(self.detail()).paths(self.paths());
        text.palette(self.palette())
    }

    /// The colors of text.
    pub(crate) fn palette(self) -> Palette {
        if is_colored(self.color) { Palette::colored() } else { Palette::default() }
    }

    /// A profile of that process with these modules. With everything, paths are whole: `go tool pprof -list` finds the sources by them.
    pub(crate) fn pprof<'a>(self, process: &'a Process, modules: &'a ModuleMap) -> Pprof<'a> {
        let paths = if self.full { Paths::full() } else { self.paths() };
        Pprof::new(process, modules).detail(self.detail()).paths(paths)
    }

    /// Paths relative to where this runs, unless everything is asked for.
    fn paths(self) -> Paths {
        if self.full { Paths::default() } else { relative_to_here(Paths::default()) }
    }
}

/// The paths relative to the folder that this runs in.
pub(crate) fn relative_to_here(paths: Paths) -> Paths {
    match std::env::current_dir().ok().as_deref().and_then(Path::to_str) {
        Some(folder) => paths.relative_to(folder),
        None => paths,
    }
}

/// Whether text on stdout has colours.
pub(crate) fn is_colored(color: Color) -> bool {
    // https://no-color.org: set, and not empty.
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = || std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => !is_set("NO_COLOR") && !is_dumb() && io::stdout().is_terminal(),
    }
}

/// Prints a snapshot: to a file, or to stdout. `false` if the reader of a pipe went away, which is its right.
pub(crate) fn snapshot(
    snapshot: &Snapshot,
    format: Format,
    settings: PrintSettings,
    output: Option<&Path>,
) -> Result<bool, Failure> {
    match format {
        Format::Raw => nothing_for_a_terminal("raw dump", output)?,
        Format::Pprof => nothing_for_a_terminal("profile", output)?,
        _ => {}
    }
    to(output, |out| write(snapshot, format, settings, out))
}

/// Fails where bytes that are no text would go to a terminal.
pub(crate) fn nothing_for_a_terminal(what: &str, output: Option<&Path>) -> Result<(), Failure> {
    if output.is_none() && io::stdout().is_terminal() {
        let advice =
            format!("a {what} is nothing for a terminal: name a file with --output, or send it into a pipe");
        return Err(Failure::new(advice));
    }
    Ok(())
}

/// Has something printed, to a file or to stdout. `false` if the reader of a pipe went away, which is its right.
pub(crate) fn to(
    output: Option<&Path>,
    print: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<bool, Failure> {
    let (printed, name) = match output {
        Some(path) => {
            let (file, is_new) = create(path)
                .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
            let printed = flushed(file, print);
            if printed.is_err() && is_new {
                // Half a file looks like a whole one to whoever finds it.
                let _ = fs::remove_file(path);
            }
            (printed, path.display().to_string())
        }
        None => (flushed(io::stdout().lock(), print), "to stdout".to_owned()),
    };
    match printed {
        Ok(()) => Ok(true),
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(format!("cannot write {name}: {error}"))),
    }
}

/// Opens a file for writing, and empties it. Returns whether it was not there before.
fn create(path: &Path) -> io::Result<(File, bool)> {
    match File::create_new(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok((File::create(path)?, false)),
        created => Ok((created?, true)),
    }
}

fn flushed(out: impl Write, print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    print(&mut out)?;
    out.flush()
}

fn write(
    snapshot: &Snapshot,
    format: Format,
    settings: PrintSettings,
    out: &mut dyn Write,
) -> io::Result<()> {
    let trees = snapshot.trees();
    match format {
        Format::Text => {
            let text = DumpText::new(settings.text());
            if settings.full {
                writeln!(out, "{}", text.full(trees))
            } else {
                writeln!(out, "{}", text.grouped(trees))
            }
        }
        Format::Json => writeln!(out, "{}", trees.to_json(false)),
        Format::Folded => {
            let folded = trees.folded(settings.detail()).to_string();
            if folded.is_empty() { Ok(()) } else { writeln!(out, "{folded}") }
        }
        Format::Html => {
            let process = snapshot.file().process();
            let name = process.executable.as_deref().and_then(Path::file_name);
            let name = name.map(|name| format!("{}, ", name.to_string_lossy())).unwrap_or_default();
            let page = Html::new().subject(format!("{name}pid {}", process.pid));
            write!(out, "{}", page.paths(settings.paths()).render(trees))
        }
        Format::Flamegraph => {
            let folded = trees.folded(settings.detail()).to_string();
            flamegraph::draw(&folded, &flamegraph::title(snapshot.file()), out)
        }
        Format::Pprof => {
            let file = snapshot.file();
            let pprof = settings.pprof(file.process(), file.modules());
            out.write_all(&trees.to_pprof(&pprof))
        }
        Format::Raw => snapshot.file().write_gzip(out),
    }
}
