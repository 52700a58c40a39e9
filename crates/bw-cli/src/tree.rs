//! `backtrace-waker tree`: the tasks of a process as a tree.

use std::process::ExitCode;

use bw_render::DumpText;

use crate::args::{Format, Tree};
use crate::failure::Failure;
use crate::print::{self, Look};
use crate::source::Source;

pub(crate) fn run(arguments: &Tree) -> Result<ExitCode, Failure> {
    let mut source = Source::of(&arguments.target, &arguments.common)?;
    let look = Look::new(arguments.full, arguments.common.color);
    let snapshot = source.take()?;
    let printed = if arguments.json {
        print::snapshot(&snapshot, Format::Json, look, None)
    } else {
        let text = DumpText::new(look.text());
        print::to(None, |out| writeln!(out, "{}", text.tree(snapshot.trees())))
    };
    let reported = arguments.common.report(snapshot.problems());
    printed.and(reported).map(|()| ExitCode::SUCCESS)
}
