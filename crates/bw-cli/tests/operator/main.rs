//! The agent in a program and the command outside, as one person uses both: whole sessions.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod finding;
mod session;
mod terminal;
