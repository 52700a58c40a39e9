//! The command `backtrace-waker`: asks other processes where their tasks wait, and prints what they say.
//!
//! The edge of the project: arguments, files, sockets and the terminal are dealt with here, and nothing else is. Reading dumps
//! and finding debug information is `bw-symbolize`'s, every format `bw-render`'s.

#![forbid(unsafe_code)]

mod args;
mod attach;
mod dump;
mod failure;
mod message;
mod print;
mod progress;
mod snapshot;
mod source;
mod symbolize;
mod symbols;
mod target;
mod top;
mod tree;
mod users;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};

fn main() -> ExitCode {
    // Ends the process itself: with 2 when the command line is wrong, with 0 after help or version.
    let ended = match Arguments::parse().command {
        Command::Dump(arguments) => dump::run(&arguments),
        Command::Tree(arguments) => tree::run(&arguments),
        Command::Top(arguments) => top::run(&arguments),
        Command::Symbolize(arguments) => symbolize::run(&arguments),
    };
    ended.unwrap_or_else(|failure| {
        message::error(&failure);
        ExitCode::FAILURE
    })
}
