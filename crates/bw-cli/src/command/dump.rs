//! `backtrace-waker dump`: where the tasks of a process wait.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::EXIT_CODES;
use crate::options::SharedOptions;
use crate::options::target::Target;
use crate::output::failure::Failure;
use crate::output::format::{Color, Format};
use crate::output::print::{self, PrintSettings};
use crate::source::Source;

const LONG_ABOUT: &str = "\
Print where the tasks of a process wait

The process is asked for raw addresses, which costs it little; functions and lines are found here, in the file
it runs, and where `symbolize` looks.

A process without an agent is not asked. Its memory is read instead, and nothing in it is stopped or changed. The first
line says so.";

const EXAMPLES: &str = "\
Examples:
  backtrace-waker dump 4711
      Tasks that wait alike, together; those that wait longest first. Memory does not show for how long tasks wait.
  backtrace-waker dump shop
      The process of that name. If there are several, they are listed.
  backtrace-waker dump 4711 --filter name:conn,for:5m --full
      Every task with `conn` in its name that has been where it is for five minutes, and every frame.
  backtrace-waker dump 4711 -o before.dump --format raw
      To be looked at later: with `dump`, `tree`, `diff` or `symbolize`, here or elsewhere.
  backtrace-waker dump core.4711 --exe ./shop
      A core file of the kernel or of gcore, and the program that wrote it.
  zstd -dc core.zst | backtrace-waker dump - --exe ./shop
      A compressed core file, as systemd-coredump keeps it.
  backtrace-waker dump 4711 --html -o shop.html
      A page to look at in a browser, or to send to somebody.
  backtrace-waker dump http://127.0.0.1:6060 --json | jq .groups
      An agent with a TCP port, for programs. With a token: BACKTRACE_WAKER_TOKEN=… in front.
  ssh server backtrace-waker dump 4711 --format raw | backtrace-waker dump - --debug-file shop.debug
      The debug information is here, the process there.";

/// Print where the tasks of a process wait
#[derive(Args, Debug)]
#[command(long_about = LONG_ABOUT)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(super) struct Dump {
    /// The number or name of a process, a raw dump or core file (`-` for stdin), the socket or the URL of an agent
    target: Target,

    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// The same as --format html
    #[arg(long, conflicts_with_all = ["format", "json"])]
    html: bool,

    /// Every task and every frame
    ///
    /// Without it: tasks that wait alike together, and the program's own functions.
    /// JSON has everything anyway.
    #[arg(long)]
    full: bool,

    /// Where to write it, instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    shared: SharedOptions,
}

impl Dump {
    /// Whether text has colours: in a file only if somebody asks for it, whatever stdout is.
    fn color(&self) -> Color {
        match (self.shared.color, &self.output) {
            (Color::Auto, Some(_)) => Color::Never,
            (color, _) => color,
        }
    }

    /// The format, whichever way it was given.
    fn format(&self) -> Format {
        match (self.json, self.html) {
            (true, _) => Format::Json,
            (_, true) => Format::Html,
            _ => self.format,
        }
    }
}

pub(super) fn run(arguments: &Dump) -> Result<ExitCode, Failure> {
    let format = arguments.format();
    if format == Format::Raw && arguments.shared.strict {
        let failure =
            Failure::new("--strict has no effect on a raw dump, which has addresses instead of names");
        return Err(
            failure.with_help("leave out --strict, and give it to the command that prints the raw dump")
        );
    }
    let mut source = Source::of(&arguments.target, &arguments.shared)?;
    let snapshot = if format == Format::Raw { source.take_raw()? } else { source.take()? };
    let settings = PrintSettings::new(arguments.full, arguments.color());
    let printed = print::snapshot(&snapshot, format, settings, arguments.output.as_deref());
    let reported = arguments.shared.report(snapshot.problems());
    printed.and(reported).map(|()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::command::{Arguments, Command};

    fn color(arguments: &[&str]) -> Color {
        let arguments = [&["backtrace-waker", "dump", "7"], arguments].concat();
        match Arguments::try_parse_from(arguments).map(|it| it.command) {
            Ok(Command::Dump(dump)) => dump.color(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_has_no_colours_because_stdout_is_a_terminal() {
        assert_eq!(color(&[]), Color::Auto);
        assert_eq!(color(&["-o", "x"]), Color::Never);
        assert_eq!(color(&["-o", "x", "--color", "always"]), Color::Always);
    }
}
