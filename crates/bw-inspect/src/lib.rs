//! Finds where async tasks wait in a process that nobody prepared, from its memory.
#![forbid(unsafe_code)]

pub mod executor;
pub mod target;
