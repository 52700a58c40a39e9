//! What tracing costs, us and every peer side by side:
//! `cargo run --release -p benches --bin scoreboard [-- --json FILE] [--quick]`.
//!
//! With tokio's own task dump among the peers:
//! `RUSTFLAGS="--cfg tokio_unstable" cargo run --release -p benches --features taskdump --bin scoreboard`.

#![deny(unsafe_code)]

#[allow(unsafe_code)]
mod allocator;
mod args;
mod board;

use std::process::ExitCode;

use args::{Args, Command};
use benches::measure::dump;
use benches::{Effort, Measure, figures};
use board::Board;

fn main() -> ExitCode {
    match Args::parse(std::env::args().skip(1)) {
        Ok(Command::Measure(args)) => measure(&args),
        Ok(Command::Help) => {
            print!("{}", args::HELP);
            ExitCode::SUCCESS
        }
        Ok(Command::Child { key, name }) => child(&key, &name),
        Err(error) => {
            eprintln!("scoreboard: {error}\n\n{}", args::USAGE);
            ExitCode::from(2)
        }
    }
}

fn measure(args: &Args) -> ExitCode {
    if cfg!(debug_assertions) {
        eprintln!("scoreboard: this is a debug build, so the figures mean nothing; use --release");
    }
    let effort = if args.quick { Effort::QUICK } else { Effort::FULL };
    let mut board = Board::default();
    for figure in figures() {
        if args.only.is_empty() || args.only.iter().any(|only| only == figure.key) {
            eprintln!("measuring {}: {}", figure.key, figure.about);
            if let Err(error) = board.take(figure, &effort) {
                eprintln!("scoreboard: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    print!("{board}");
    if let Some(path) = &args.json
        && let Err(error) = std::fs::write(path, board.json())
    {
        eprintln!("scoreboard: cannot write {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What [`Board::take`] starts: measures once, and prints the number, or each on a line.
fn child(key: &str, name: &str) -> ExitCode {
    let measure = figures().into_iter().find(|figure| figure.key == key).map(|figure| figure.measure);
    let numbers = match measure {
        Some(Measure::Child { child, .. }) => child(name).map(|value| vec![value]),
        Some(Measure::Dump { tasks, .. }) => {
            dump::take(tasks, name).map(|parts| parts.map(|part| part.unwrap_or(f64::NAN)).to_vec())
        }
        _ => None,
    };
    if let Some(numbers) = numbers {
        numbers.iter().for_each(|number| println!("{number}"));
        return ExitCode::SUCCESS;
    }
    eprintln!("scoreboard: no process of its own measures {key:?} of {name:?}");
    ExitCode::from(2)
}
