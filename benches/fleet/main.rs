//! What it takes to merge the raw dumps of a fleet, and to write a profile of many tasks:
//! `cargo run --release -p benches --bin fleet [-- --dumps N] [--keep DIR]`.
//!
//! Generates raw dump files of N processes (1,000) with 1,000 to 10,000 tasks each: three builds of one program, loaded at other addresses in each
//! process, compressed. Of one of the builds, which is this program, there is debug information. Then merges a tenth of them, a third, and all, as
//! `backtrace-waker merge` does, and prints how long each step took and the most memory it needed. The same every
//! time. With `--keep` the files stay, for the command itself to be run on.

#![forbid(unsafe_code)]

mod generate;
mod kinds;
mod measure;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: fleet [--dumps N] [--keep DIR]";

fn main() -> ExitCode {
    let (mut dumps, mut keep) = (1_000, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next();
        match (&*argument, value.as_deref().map(str::parse)) {
            ("--dumps", Some(Ok(number @ 10..))) => dumps = number,
            ("--keep", Some(_)) => keep = value.map(PathBuf::from),
            _ => {
                eprintln!("{USAGE}\n\nN is at least 10.");
                return ExitCode::from(2);
            }
        }
    }
    match measure::measure(dumps, keep) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fleet: {error}");
            ExitCode::FAILURE
        }
    }
}
