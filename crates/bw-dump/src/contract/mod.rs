//! The contract between an agent in a program (`bw-agent`) and the command `backtrace-waker`, which asks it.
//!
//! Both sides use these definitions, so they cannot differ. A third program that asks agents can use them too.
//!
//! | module | defines |
//! |---|---|
//! | [`endpoints`] | the paths an agent answers at, their parameters and headers |
//! | [`ProcessDescription`] | the answer that says which process an agent is in |
//! | [`sockets`] | where the socket of an agent is, and what its name says |
//! | [`environment`] | the variables with which an operator configures agents and the command |
//!
//! The raw dump, which is what the command asks for most, has a format of its own: [`raw_dump`](crate::raw_dump).

pub mod endpoints;
pub mod environment;
mod process_description;
pub mod sockets;

pub use process_description::{InvalidProcessDescription, ProcessDescription};
