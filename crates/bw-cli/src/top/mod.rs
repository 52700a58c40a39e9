//! The live view of the tasks of a process.
//!
//! Three floors. The [`terminal`] is the edge: keys, signals, the screen, and a thread that asks the process. It hands what
//! comes to the [`model`], the state of the view, which asks nobody for anything. The [`view`] draws the model. So all but the edge
//! is tested without a terminal, a process, or time.

mod model;
mod terminal;
#[cfg(test)]
mod tests;
mod view;

use std::time::Duration;

use crate::output::failure::Failure;
use crate::source::Source;

/// Shows the view until somebody quits it.
pub(crate) fn run(source: Source, interval: Duration, has_colours: bool) -> Result<(), Failure> {
    terminal::run(source, interval, has_colours)
}

/// The keys, for the help of the command line.
pub(crate) fn help() -> String {
    let mut text = String::from("Keys:\n");
    for (keys, what) in model::keys::KEYS {
        text += &format!("  {keys:27}  {what}\n");
    }
    text
}
