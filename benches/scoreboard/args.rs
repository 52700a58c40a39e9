//! The command line.

use std::path::PathBuf;

/// How it is called, for whoever called it wrongly.
pub(crate) const USAGE: &str = "usage: scoreboard [--quick] [--json FILE] [--only FIGURE]... [--help]";

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Measures what tracing costs, ours and every peer's side by side, and prints one table.

usage: scoreboard [--quick] [--json FILE] [--only FIGURE]... [--help]

  --quick         fewer and shorter samples, and nobody who takes minutes: under a minute, to
                  see that everything runs
  --json FILE     write the figures to FILE as well
  --only FIGURE   measure this one only; may be given again
  --help          print this

Build it with --release. For tokio's own task dump among the peers, build it with
  RUSTFLAGS=\"--cfg tokio_unstable\" cargo run --release -p benches --features taskdump --bin scoreboard
";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Measure.
    Measure(Args),
    /// Explain.
    Help,
    /// Be the process that takes one sample.
    Child {
        /// The figure.
        key: String,
        /// The contestant.
        name: String,
    },
}

/// What to measure, and where to write it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    /// See [`HELP`].
    pub(crate) quick: bool,
    /// See [`HELP`].
    pub(crate) json: Option<PathBuf>,
    /// See [`HELP`]. Empty for all.
    pub(crate) only: Vec<String>,
}

/// The flag, not in the help, that makes a process a [`Command::Child`].
pub(crate) const CHILD: &str = "--child";

impl Args {
    /// Reads the arguments, without the program's name.
    ///
    /// # Errors
    ///
    /// A sentence for the user.
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Command, String> {
        let mut parsed = Self::default();
        while let Some(arg) = args.next() {
            let mut value = |what| args.next().ok_or_else(|| format!("{arg} needs {what}"));
            match arg.as_str() {
                "--quick" => parsed.quick = true,
                "--json" => parsed.json = Some(value("the name of a file")?.into()),
                "--only" => parsed.only.push(known(value("the name of a figure")?)?),
                "--help" | "-h" => return Ok(Command::Help),
                CHILD => return Ok(Command::Child { key: value("a figure")?, name: value("a contestant")? }),
                _ => return Err(format!("unknown argument {arg:?}")),
            }
        }
        Ok(Command::Measure(parsed))
    }
}

fn known(key: String) -> Result<String, String> {
    let keys: Vec<_> = benches::figures().iter().map(|figure| figure.key).collect();
    if keys.contains(&key.as_str()) {
        Ok(key)
    } else {
        Err(format!("no figure is called {key:?}; there are {}", keys.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Command, String> {
        Args::parse(args.iter().map(ToString::to_string))
    }

    #[test]
    fn flags_are_read_in_any_order() {
        let args = Args {
            quick: true,
            json: Some("a.json".into()),
            only: vec!["idle_hot_ns".into(), "first_hook_us".into()],
        };
        let given = ["--only", "idle_hot_ns", "--json", "a.json", "--quick", "--only", "first_hook_us"];
        assert_eq!(parse(&given), Ok(Command::Measure(args)));
        assert_eq!(parse(&["--quick", "--help"]), Ok(Command::Help));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (args, named) in [
            (&["--fast"][..], "--fast"),
            (&["--json"], "--json needs"),
            (&["--only", "speed"], "idle_hot_ns"),
        ] {
            let error = parse(args).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
