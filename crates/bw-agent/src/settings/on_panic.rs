//! The settings of the panic trigger.

use std::time::Duration;

/// Takes a dump of all tasks when a thread panics: the setting of [`AgentBuilder::dump_on_panic`](crate::AgentBuilder::dump_on_panic).
#[derive(Clone, Debug)]
#[must_use]
pub struct OnPanic {
    pub(crate) every: Duration,
    pub(crate) wait: Duration,
}

impl OnPanic {
    /// The shortest time between two dumps unless told: 10 s.
    pub const EVERY: Duration = Duration::from_secs(10);

    /// How long a thread that panics waits for the dump unless told: not at all; in a program that is built with
    /// `panic = "abort"`, which ends with it, 2 s.
    pub const WAIT: Duration = if cfg!(panic = "abort") { Duration::from_secs(2) } else { Duration::ZERO };

    /// Takes a dump of all tasks.
    pub const fn new() -> Self {
        Self { every: Self::EVERY, wait: Self::WAIT }
    }

    /// Takes no more than one dump in that time. Panics that come meanwhile are counted in the next report.
    pub fn at_most_every(mut self, time: Duration) -> Self {
        self.every = time;
        self
    }

    /// Has the thread that panics wait until the report is written, and at most so long, or a minute: for programs whose panics end
    /// them. The task it polls cannot answer meanwhile, so the dump waits for half that time at most.
    pub fn wait(mut self, at_most: Duration) -> Self {
        self.wait = at_most.min(Duration::from_secs(60));
        self
    }
}

impl Default for OnPanic {
    fn default() -> Self {
        Self::new()
    }
}
