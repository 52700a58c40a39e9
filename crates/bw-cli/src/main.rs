//! The command `backtrace-waker`: asks other processes where their tasks wait, and prints what they answer.
//!
//! The floors, from the top down: [`command`] (one file per command: its arguments and what it does), [`top`] (the live view),
//! [`source`] (where dumps come from: processes, sockets, URLs and files), [`options`] (arguments that several commands share)
//! and [`output`] (every format, messages, progress). Reading dumps and finding debug information is the work of `bw-dump` and
//! `bw-symbolize`; every format is rendered by `bw-render`.

#![forbid(unsafe_code)]

mod command;
mod options;
mod output;
mod source;
mod top;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run().unwrap_or_else(|failure| {
        output::message::error(&failure);
        if let Some(help) = failure.help() {
            output::message::help(&help);
        }
        ExitCode::FAILURE
    })
}
