//! What is said on stderr.

use std::fmt;
use std::io::{self, Write};

use super::truncated::truncated;

/// Characters of a message that are printed: paths in it may come from a file that nobody has looked at.
const MOST_CHARS: usize = 2_000;

pub(crate) fn error(message: &impl fmt::Display) {
    say("error", message);
}

pub(crate) fn help(message: &impl fmt::Display) {
    say("help", message);
}

pub(crate) fn warning(message: &impl fmt::Display) {
    say("warning", message);
}

pub(crate) fn note(message: &impl fmt::Display) {
    say("note", message);
}

fn say(kind: &str, message: &impl fmt::Display) {
    let message = truncated(&message.to_string(), MOST_CHARS);
    // Nobody is left to be told when stderr is gone.
    let _ = writeln!(io::stderr(), "backtrace-waker: {kind}: {message}");
}
