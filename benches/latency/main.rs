//! What a task dump every second adds to the latency of a live service:
//! `cargo run --release -p benches --bin latency [-- --seconds N] [--connections N] [--rate N] [--look memory|stop]`.
//!
//! An axum server on two workers, each connection in a traced task, with 10,000 connections that are open and idle, or wait in a
//! handler. A client in a process of its own keeps them, and sends requests at a constant rate, whatever becomes of the
//! earlier ones; a latency is counted from when the request was meant to be sent, so that none hides behind another. Phases
//! without dumps, with one a second, with one that is printed in groups, and with one that the agent sends over its socket as a raw dump, take turns; compared are the medians of the
//! phases. With `--look`, another process reads the memory of the server each second in place of these dumps, with or without a stop; the
//! option may be given twice. Only loopback; stops by itself.

#![deny(unsafe_code)]

mod args;
mod asked;
mod client;
mod helper_process;
mod load;
mod looker;
#[allow(unsafe_code)]
mod open_files;
mod percentiles;
mod phases;
mod server;

use std::process::ExitCode;

use args::{Args, Command};

fn main() -> ExitCode {
    let outcome = match Args::parse(std::env::args().skip(1)) {
        Ok(Command::Measure(args)) => phases::measure(&args),
        Ok(Command::Client { address, connections, rate }) => client::run(&address, connections, rate),
        Ok(Command::Looker(pid)) => looker::run(pid),
        Err(error) => {
            eprintln!("latency: {error}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latency: {error}");
            ExitCode::FAILURE
        }
    }
}
