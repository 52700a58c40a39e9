//! What makes the agent report without being asked: one file for each reason, and the reporter that all of them share.

mod panic_trigger;
mod reporter;
#[cfg(unix)]
mod signal_trigger;
mod stall_detector;
mod stall_trigger;

use std::sync::Arc;

use bw_dump::contract::environment::{PANIC, REPORTS, SIGNAL, STALL_MS};

use self::panic_trigger::PanicTrigger;
use self::reporter::Reporter;
#[cfg(unix)]
use self::signal_trigger::SignalTrigger;
use crate::report::Sink;
use crate::report::warning::warn;
use crate::settings::start_error::StartError;
use crate::settings::{Settings, StallWatch};
use crate::surface::Surface;

/// Triggers that may be pulled. Dropped, they do nothing any more.
pub(crate) struct Triggers {
    #[cfg(unix)]
    signal: Option<SignalTrigger>,
    panic: Option<PanicTrigger>,
    stall_watch: Option<StallWatch>,
    /// The operator's first: it is a folder, for which nothing is symbolized, and a process that panics may not wait for more.
    sinks: Vec<Sink>,
}

impl Triggers {
    /// Installs what is called from outside, before the agent's thread is there. Inside its runtime.
    pub(crate) fn arm(settings: &mut Settings) -> Result<Self, StartError> {
        let has_operator_sink = settings.operator_sink.is_some();
        let mut sinks: Vec<_> = settings.operator_sink.take().into_iter().collect();
        if settings.reports() {
            sinks.append(&mut settings.sinks);
            sinks.iter().for_each(Sink::check);
            if sinks.len() == usize::from(has_operator_sink) {
                sinks.push(Sink::stderr());
            }
        } else if has_operator_sink {
            warn(format_args!(
                "{REPORTS} is set, and nothing makes reports: set {SIGNAL}=USR1, {PANIC}=on or {STALL_MS}=30000 as well"
            ));
        }
        Ok(Self {
            #[cfg(unix)]
            signal: settings.on_signal.take().map(SignalTrigger::arm).transpose()?,
            panic: settings.on_panic.take().map(PanicTrigger::arm),
            stall_watch: settings.stall_watch.take(),
            sinks,
        })
    }

    /// On the agent's thread, inside its runtime, before it answers anybody.
    pub(crate) fn run(self, surface: Arc<Surface>) {
        let reporter = Arc::new(Reporter::new(surface, self.sinks));
        #[cfg(unix)]
        if let Some(signal) = self.signal {
            tokio::spawn(signal.run(Arc::clone(&reporter)));
        }
        if let Some(panic) = self.panic {
            tokio::spawn(panic.run(Arc::clone(&reporter)));
        }
        if let Some(settings) = self.stall_watch {
            tokio::spawn(stall_trigger::run(settings, reporter));
        }
    }
}
