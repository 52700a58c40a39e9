//! What the agent has to say to the program's operator: warnings.

use std::fmt;
use std::io::{self, Write};

/// Says it as an event of `tracing` if somebody listens to those, else on stderr. Never panics.
pub(crate) fn warn(message: impl fmt::Display) {
    #[cfg(feature = "tracing")]
    if tracing::dispatcher::has_been_set() {
        tracing::warn!(target: "bw_agent", "{message}");
        return;
    }
    // Nobody is left to be told when stderr is gone.
    let _ = writeln!(io::stderr(), "bw-agent: {message}");
}
