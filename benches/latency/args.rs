//! The command line.

use crate::looker::Look;

/// How it is called.
pub(crate) const USAGE: &str =
    "usage: latency [--seconds N] [--connections N] [--rate N] [--json FILE] [--look memory|stop]...";

/// What is asked for.
pub(crate) enum Command {
    /// Measure.
    Measure(Args),
    /// Be the client.
    Client {
        /// Where the server listens.
        address: String,
        /// How many connections to keep.
        connections: usize,
        /// Requests a second.
        rate: u32,
    },
    /// Be the process that looks at this one.
    Looker(u32),
}

/// What to measure.
pub(crate) struct Args {
    /// Seconds of load altogether.
    pub(crate) seconds: u32,
    /// Connections that are not under load.
    pub(crate) connections: usize,
    /// Requests a second.
    pub(crate) rate: u32,
    /// Where to write the first dump as JSON.
    pub(crate) json: Option<String>,
    /// How to look from outside, in place of dumps from inside.
    pub(crate) looks: Vec<Look>,
}

/// The flag that makes a process a [`Command::Client`].
pub(crate) const CLIENT: &str = "--client";
/// The flag that makes a process a [`Command::Looker`].
pub(crate) const LOOKER: &str = "--looker";

impl Args {
    /// Reads the arguments, without the program's name.
    ///
    /// # Errors
    ///
    /// A sentence for the user.
    pub(crate) fn parse(mut given: impl Iterator<Item = String>) -> Result<Command, String> {
        let mut args = Self { seconds: 90, connections: 10_000, rate: 1_000, json: None, looks: Vec::new() };
        let mut client = None;
        while let Some(name) = given.next() {
            let value = given.next().ok_or_else(|| format!("{name} needs a value"))?;
            let wrong = || format!("{name} wants a whole number, not {value:?}");
            match name.as_str() {
                "--seconds" => args.seconds = value.parse().map_err(|_| wrong())?,
                "--connections" => args.connections = value.parse().map_err(|_| wrong())?,
                "--rate" => args.rate = value.parse().map_err(|_| wrong())?,
                "--json" => args.json = Some(value),
                "--look" => args.looks.push(Look::named(&value).ok_or("--look wants memory or stop")?),
                LOOKER => return Ok(Command::Looker(value.parse().map_err(|_| wrong())?)),
                CLIENT => client = Some(value),
                _ => return Err(format!("unknown argument {name:?}")),
            }
        }
        if !(12..=3_600).contains(&args.seconds) {
            return Err("--seconds is to be from 12, three seconds for each kind of phase, to 3600".into());
        }
        if !(1..=100_000).contains(&args.rate) {
            return Err("--rate is to be from 1 to 100000".into());
        }
        Ok(match client {
            Some(address) => Command::Client { address, connections: args.connections, rate: args.rate },
            None => Command::Measure(args),
        })
    }
}
