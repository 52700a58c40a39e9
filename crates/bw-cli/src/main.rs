//! The command `backtrace-waker`: works on raw task dumps of other processes.
//!
//! The edge of the project: arguments, files and the terminal are dealt with here, and nothing else is. Reading dumps and
//! finding debug information is `bw-symbolize`'s, every format `bw-render`'s.

#![forbid(unsafe_code)]

mod args;
mod message;
mod progress;
mod symbolize;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};

fn main() -> ExitCode {
    // Ends the process itself: with 2 when the command line is wrong, with 0 after help or version.
    let Command::Symbolize(arguments) = Arguments::parse().command;
    match symbolize::run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            message::error(&error);
            ExitCode::FAILURE
        }
    }
}
