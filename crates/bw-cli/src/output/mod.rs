//! What is printed: dumps in every format, messages, progress.

pub(crate) mod command_line;
pub(crate) mod failure;
pub(crate) mod flamegraph;
pub(crate) mod format;
pub(crate) mod message;
pub(crate) mod print;
pub(crate) mod progress;
pub(crate) mod snapshot;
pub(crate) mod truncated;
