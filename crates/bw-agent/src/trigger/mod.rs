//! What makes the agent report without being asked.

mod folder;
mod panic;
mod report;
mod reporter;
#[cfg(unix)]
mod signal;
mod sink;
mod stall;
mod stall_watch;
mod stalls;
mod told;

use std::sync::Arc;

pub use self::folder::ReportFolder;
pub use self::panic::{OnPanic, PanicNote};
pub use self::report::{Reason, Report};
#[cfg(unix)]
pub use self::signal::{DumpSignal, OnSignal};
pub use self::sink::Sink;
pub use self::stall::{Stall, StalledGroup};
pub use self::stall_watch::StallWatch;
pub(crate) use self::told::Told;

use self::panic::Hooked;
use self::reporter::Reporter;
#[cfg(unix)]
use self::signal::Listening;
use crate::builder::AgentBuilder;
use crate::error::StartError;
use crate::report::warn;
use crate::surface::Surface;

/// The triggers that were asked for. None by default.
#[derive(Debug, Default)]
pub(crate) struct Triggers {
    #[cfg(unix)]
    signal: Option<OnSignal>,
    panic: Option<OnPanic>,
    stalls: Option<StallWatch>,
    sinks: Vec<Sink>,
    /// Where all reports go as well, whatever sinks their triggers have.
    of_operator: Option<Sink>,
}

/// One line each. See [Reports](crate#reports).
impl AgentBuilder {
    /// Takes a dump of all tasks when the process gets that signal.
    ///
    /// A handler that is there keeps being called, and a warning says that there is one. One that is installed later replaces
    /// the agent's, unless it hands on as those of tokio and signal-hook do. **A process that has no agent is ended by these
    /// signals**: so it is before this one is started, and where the operator turned it off. After [`stop`](crate::Agent::stop)
    /// they do nothing.
    #[cfg(unix)]
    pub fn dump_on_signal(mut self, signal: impl Into<OnSignal>) -> Self {
        self.triggers.signal = Some(signal.into());
        self
    }

    /// Takes a dump of all tasks when a thread panics.
    ///
    /// The hook is installed on top of the one that is there, which is called first: it prints what it always did, and if it ends
    /// the process, there is no dump. One that is set later replaces it, unless it calls the one before; so start the agent
    /// after that.
    pub fn dump_on_panic(mut self, on_panic: OnPanic) -> Self {
        self.triggers.panic = Some(on_panic);
        self
    }

    /// Reports tasks that are stuck. A [`Duration`](std::time::Duration) is a [`StallWatch`] of that threshold.
    pub fn watch_stalls(mut self, watch: impl Into<StallWatch>) -> Self {
        self.triggers.stalls = Some(watch.into());
        self
    }

    /// Where the reports of all triggers go that have no sink of their own. Said again, to all of these; never said, to stderr.
    pub fn report_to(mut self, sink: impl Into<Sink>) -> Self {
        self.triggers.sinks.push(sink.into());
        self
    }
}

impl Triggers {
    /// Installs what is called from outside, before the agent's thread is there. Inside its runtime.
    pub(crate) fn arm(self) -> Result<Armed, StartError> {
        match self.sinks_of_each() {
            Some(of_triggers) => {
                of_triggers.into_iter().chain(&self.sinks).chain(&self.of_operator).for_each(Sink::check);
            }
            None if self.of_operator.is_some() => warn(
                "BACKTRACE_WAKER_REPORTS is set, and nothing makes reports: set BACKTRACE_WAKER_SIGNAL=USR1, \
                 BACKTRACE_WAKER_PANIC=on or BACKTRACE_WAKER_STALL_MS=30000 as well",
            ),
            None => {}
        }
        Ok(Armed {
            #[cfg(unix)]
            signal: self.signal.map(OnSignal::arm).transpose()?,
            panic: self.panic.map(OnPanic::arm),
            stalls: self.stalls,
            sinks: self.sinks,
            of_operator: self.of_operator,
        })
    }

    /// The sinks that single triggers have. `None` if no trigger is on.
    fn sinks_of_each(&self) -> Option<Vec<&Sink>> {
        #[cfg(unix)]
        let signal = self.signal.as_ref().map(OnSignal::sinks);
        #[cfg(not(unix))]
        let signal = None;
        let panic = self.panic.as_ref().map(OnPanic::sinks);
        let stalls = self.stalls.as_ref().map(StallWatch::sinks);
        let on: Vec<_> = [signal, panic, stalls].into_iter().flatten().collect();
        (!on.is_empty()).then(|| on.into_iter().flatten().collect())
    }
}

/// Triggers that may be pulled. Dropped, they do nothing any more.
pub(crate) struct Armed {
    #[cfg(unix)]
    signal: Option<Listening>,
    panic: Option<Hooked>,
    stalls: Option<StallWatch>,
    sinks: Vec<Sink>,
    of_operator: Option<Sink>,
}

impl Armed {
    /// On the agent's thread, inside its runtime, before it answers anybody.
    pub(crate) fn run(self, surface: Arc<Surface>) {
        let reporter = Arc::new(Reporter::new(surface, self.sinks, self.of_operator));
        #[cfg(unix)]
        if let Some(signal) = self.signal {
            tokio::spawn(signal.run(Arc::clone(&reporter)));
        }
        if let Some(panic) = self.panic {
            tokio::spawn(panic.run(Arc::clone(&reporter)));
        }
        if let Some(stalls) = self.stalls {
            tokio::spawn(stalls.run(reporter));
        }
    }
}
