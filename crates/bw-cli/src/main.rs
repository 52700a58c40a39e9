//! The command `backtrace-waker`: asks other processes where their tasks wait, and prints what they say.
//!
//! The edge of the project: arguments, files, sockets and the terminal are dealt with here, and nothing else is. Reading dumps
//! and finding debug information is `bw-symbolize`'s, every format `bw-render`'s.

#![forbid(unsafe_code)]

mod args;
mod attach;
mod diff;
mod dump;
mod failure;
mod flamegraph;
mod follow;
mod merge;
mod message;
mod print;
mod progress;
mod ps;
mod snapshot;
mod source;
mod symbolize;
mod symbols;
mod target;
mod top;
mod tree;
mod users;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};

fn main() -> ExitCode {
    // Ends the process itself: with 2 when the command line is wrong, with 0 after help or version.
    let ended = match Arguments::parse().command {
        Command::Ps(arguments) => ps::run(&arguments),
        Command::Dump(arguments) => dump::run(&arguments),
        Command::Tree(arguments) => tree::run(&arguments),
        Command::Top(arguments) => top::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Watch(arguments) => watch::run(&arguments),
        Command::Symbolize(arguments) => symbolize::run(&arguments),
        Command::Merge(arguments) => merge::run(&arguments),
    };
    ended.unwrap_or_else(|failure| {
        message::error(&failure);
        ExitCode::FAILURE
    })
}
