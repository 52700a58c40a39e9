//! Takes the dump of a report, and hands it to the sinks.

use std::sync::Arc;
use std::time::Duration;

use backtrace_waker::TaskFilter;
use tokio::sync::Mutex;

use super::report::{Reason, Report};
use super::sink::Sink;
use crate::report::warn;
use crate::surface::Surface;

/// What the triggers of one agent share.
pub(super) struct Reporter {
    surface: Arc<Surface>,
    sinks: Vec<Sink>,
    of_operator: Option<Sink>,
    /// One report at a time.
    turn: Mutex<()>,
}

impl Reporter {
    pub(super) fn new(surface: Arc<Surface>, sinks: Vec<Sink>, of_operator: Option<Sink>) -> Self {
        Self { surface, sinks, of_operator, turn: Mutex::new(()) }
    }

    /// The operator's, and those of the trigger, or if it has none, those of all, and where that is nobody, stderr.
    ///
    /// The operator's first: it is a folder, for which nothing is symbolized, and a process that panics may not wait for more.
    fn sinks(&self, of_trigger: &[Sink]) -> Vec<Sink> {
        let of_program = if of_trigger.is_empty() { &self.sinks } else { of_trigger };
        let mut sinks: Vec<_> = self.of_operator.iter().chain(of_program).cloned().collect();
        if of_program.is_empty() {
            sinks.push(Sink::stderr());
        }
        sinks
    }

    /// The longest that the program lets a dump wait.
    pub(super) fn deadline(&self) -> Duration {
        self.surface.settings.deadline
    }

    /// Returns when the sinks have it.
    pub(super) async fn report(
        &self,
        reason: Reason,
        only: TaskFilter,
        deadline: Duration,
        of_trigger: &[Sink],
    ) {
        let _turn = self.turn.lock().await;
        let sinks = self.sinks(of_trigger);
        // Beside the agent's thread, which answers others meanwhile: symbolizing takes its time, and a sink as long as it likes.
        let taken = self.surface.dump(only, deadline, move |dump| {
            let report = Report::new(reason, dump);
            let takers = sinks.iter().filter(|sink| sink.take(&report)).count();
            if takers == 0 {
                // Nothing but folders, and it could be kept in none.
                Sink::stderr().take(&report);
            }
            Ok(())
        });
        if let Err(refusal) = taken.await {
            warn(format_args!("no report: {refusal}"));
        }
    }
}
