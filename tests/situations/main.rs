//! What each situation gives, one test each, named after it. Everything is polled by hand, so that nothing depends on
//! timing; what needs a real thread meets it at a barrier or a channel.

// Functions that tests call are no tests to clippy.
#![allow(clippy::unwrap_used)]

mod asking;
mod dumping;
mod ending;
mod family;
mod harness;
mod hostile;
mod nesting;
mod places;
mod polling;
mod shape;
mod status;
mod wakers;
