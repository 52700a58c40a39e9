//! The command line.

/// How it is called.
pub(crate) const USAGE: &str = "usage: stress [--seconds N] [--tasks N]";

/// What to do.
#[derive(Debug)]
pub(crate) struct Args {
    /// For how long.
    pub(crate) seconds: f64,
    /// How many tasks are alive at any time.
    pub(crate) tasks: usize,
}

impl Args {
    /// Reads the arguments, without the program's name.
    ///
    /// # Errors
    ///
    /// A sentence for the user.
    pub(crate) fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = Self { seconds: 60.0, tasks: 50_000 };
        while let Some(name) = given.next() {
            let value = given.next().ok_or_else(|| format!("{name} needs a value"))?;
            let wrong = || format!("{name} wants a number, not {value:?}");
            match name.as_str() {
                "--seconds" => args.seconds = value.parse().map_err(|_| wrong())?,
                "--tasks" => args.tasks = value.parse().map_err(|_| wrong())?,
                _ => return Err(format!("unknown argument {name:?}")),
            }
        }
        if !(0.0..1e6).contains(&args.seconds) {
            return Err("--seconds is out of range".into());
        }
        if args.tasks < 1_000 {
            return Err("--tasks is too small to stress anything; 1000 at least".into());
        }
        Ok(args)
    }
}
