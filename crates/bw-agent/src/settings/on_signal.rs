//! The settings of the signal trigger.

use std::time::Duration;

use crate::report::DumpSignal;

/// Takes a dump of all tasks when the process gets a signal: the setting of
/// [`AgentBuilder::dump_on_signal`](crate::AgentBuilder::dump_on_signal).
#[derive(Clone, Debug)]
#[must_use]
pub struct OnSignal {
    pub(crate) signal: DumpSignal,
    pub(crate) every: Duration,
}

impl OnSignal {
    /// The shortest time between two dumps unless told: 1 s.
    pub const EVERY: Duration = Duration::from_secs(1);

    /// Takes a dump on this signal.
    pub fn new(signal: DumpSignal) -> Self {
        Self { signal, every: Self::EVERY }
    }

    /// Returns the signal.
    #[must_use]
    pub fn signal(&self) -> DumpSignal {
        self.signal
    }

    /// Takes no more than one dump in that time. Signals that come meanwhile are answered when it is over, all with one.
    pub fn at_most_every(mut self, time: Duration) -> Self {
        self.every = time;
        self
    }
}

impl From<DumpSignal> for OnSignal {
    fn from(signal: DumpSignal) -> Self {
        Self::new(signal)
    }
}
