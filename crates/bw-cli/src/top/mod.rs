//! `backtrace-waker top`: a live view of the tasks of a process.
//!
//! Three parts. What came and what was typed becomes a state ([`model`], with [`keys`]), without asking anybody for anything;
//! a state becomes a screen ([`view`]); and the [`terminal`] is the edge, with a thread that asks the process ([`refresher`]) and
//! makes pictures of what it says ([`picture`]). So all but the edge is tested without a terminal, a process, or time.

mod close_up;
mod columns;
mod family;
mod header;
mod ink;
mod keys;
mod layout;
mod lines;
mod list;
mod model;
mod order;
mod pattern;
mod picture;
mod refresher;
mod schedule;
mod state;
mod styled;
mod terminal;
#[cfg(test)]
mod tests;
mod view;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use crate::args::Top;
use crate::failure::Failure;
use crate::print;
use crate::source::Source;

pub(crate) fn run(arguments: &Top) -> Result<ExitCode, Failure> {
    let source = Source::open(&arguments.target, &arguments.ask, arguments.symbols.sources()?)?;
    if arguments.json || arguments.count.is_some() || !io::stdout().is_terminal() {
        return lines::run(source, arguments);
    }
    if std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb") {
        return Err(Failure::new("this terminal (TERM=dumb) cannot show a live view; --json prints lines"));
    }
    terminal::run(source.quiet(), arguments.interval, print::is_colored(arguments.color))?;
    Ok(ExitCode::SUCCESS)
}

/// The keys, for the help of the command line.
pub(crate) fn help() -> String {
    let mut text = String::from("Keys:\n");
    for (keys, what) in keys::KEYS {
        text += &format!("  {keys:27}  {what}\n");
    }
    text
}
