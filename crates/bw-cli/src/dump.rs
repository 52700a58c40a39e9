//! `backtrace-waker dump`: where the tasks of a process wait.

use std::path::Path;
use std::process::ExitCode;

use crate::args::{Common, Dump, Format, Symbols};
use crate::failure::Failure;
use crate::print::{self, Look};
use crate::source::Source;

pub(crate) fn run(arguments: &Dump) -> Result<ExitCode, Failure> {
    let source = Source::of(&arguments.target, &arguments.common)?;
    let Common { symbols, strict, .. } = &arguments.common;
    let look = Look::new(arguments.full, arguments.color());
    print(source, arguments.format(), look, arguments.output.as_deref(), symbols, *strict)
}

/// Takes a snapshot, prints it, and says what is missing.
pub(crate) fn print(
    mut source: Source,
    format: Format,
    look: Look,
    output: Option<&Path>,
    symbols: &Symbols,
    strict: bool,
) -> Result<ExitCode, Failure> {
    let snapshot = if format == Format::Raw { source.take_raw()? } else { source.take()? };
    let printed = print::snapshot(&snapshot, format, look, output);
    let reported = symbols.report(snapshot.problems(), strict);
    printed.and(reported).map(|()| ExitCode::SUCCESS)
}
