//! `backtrace-waker symbolize`: a raw dump file in, functions and lines out.

use std::process::ExitCode;

use crate::args::{Format, Symbolize};
use crate::dump;
use crate::failure::Failure;
use crate::print::Look;
use crate::source::Source;

pub(crate) fn run(arguments: &Symbolize) -> Result<ExitCode, Failure> {
    let source = Source::of_file(&arguments.file, arguments.symbols.sources()?);
    let look = Look::new(arguments.full, arguments.color);
    let format = if arguments.json { Format::Json } else { arguments.format };
    dump::print(source, format, look, None, &arguments.symbols, arguments.strict)
}
