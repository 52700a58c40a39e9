//! What is said on stderr.

use std::fmt;
use std::io::{self, Write};

use bw_render::Escaped;

/// Characters of a message that are printed: paths in it may come from a file that nobody has looked at.
const MOST_CHARS: usize = 2_000;

pub(crate) fn error(message: &impl fmt::Display) {
    say("error", message);
}

pub(crate) fn warning(message: &impl fmt::Display) {
    say("warning", message);
}

pub(crate) fn note(message: &impl fmt::Display) {
    say("note", message);
}

fn say(kind: &str, message: &impl fmt::Display) {
    let message = message.to_string();
    let kept = message.char_indices().nth(MOST_CHARS).map_or(&*message, |(end, _)| &message[..end]);
    let cut = if kept.len() < message.len() { "…" } else { "" };
    // Nobody is left to be told when stderr is gone.
    let _ = writeln!(io::stderr(), "backtrace-waker: {kind}: {}{cut}", Escaped(kept));
}
