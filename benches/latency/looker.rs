//! Looks at the service from outside, in a process of its own, as `dump --format raw` does.
//!
//! It answers `memory` or `stop` with what that look took: milliseconds, milliseconds of pause, tasks.

use std::io::BufRead;
use std::time::{Duration, Instant};

use bw_inspect::target::LiveProcess;
use bw_inspect::{Limits, inspect, inspect_stopped};

use crate::args::LOOKER;
use crate::helper_process::{HelperProcess, say};

/// How long threads may be stopped: what the command allows.
const MOST_PAUSE: Duration = Duration::from_millis(100);

/// How to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Memory,
    Stop,
}

impl Look {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Stop => "stop",
        }
    }

    /// The one of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Memory, Self::Stop].into_iter().find(|look| look.name() == name)
    }
}

/// What a look took.
pub(crate) struct Took {
    /// Milliseconds.
    pub(crate) all: f64,
    /// Milliseconds for which threads were stopped.
    pub(crate) pause: f64,
    pub(crate) tasks: usize,
}

/// Looks at a process each time that it is told to.
pub(crate) fn run(pid: u32) -> Result<(), String> {
    let process = LiveProcess::open(pid).map_err(|error| error.to_string())?;
    say("ready")?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let began = Instant::now();
        let looked = match Look::named(&line) {
            Some(Look::Memory) => inspect(&process, &Limits::default()),
            Some(Look::Stop) => inspect_stopped(&process, &Limits::default(), MOST_PAUSE),
            None => return Err(format!("no such look: {line:?}")),
        };
        let looked = looked.map_err(|error| error.to_string())?;
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let pause = looked.dump().pause().map_or(0.0, millis);
        say(&format!("{} {pause} {}", millis(began.elapsed()), looked.dump().tasks().len()))?;
    }
    Ok(())
}

/// The process that looks at this one.
pub(crate) struct Looker(HelperProcess);

impl Looker {
    pub(crate) fn start() -> Result<Self, String> {
        HelperProcess::start(&[LOOKER, &std::process::id().to_string()]).map(Self)
    }

    /// Has it look once.
    pub(crate) fn look(&mut self, look: Look) -> Result<Took, String> {
        let answer = self.0.ask(look.name())?;
        let wrong = || format!("the process that looks said {answer:?}");
        let [all, pause, tasks] = answer.split(' ').collect::<Vec<_>>().try_into().map_err(|_| wrong())?;
        let number = |text: &str| text.parse().map_err(|_| wrong());
        Ok(Took { all: number(all)?, pause: number(pause)?, tasks: tasks.parse().map_err(|_| wrong())? })
    }
}
