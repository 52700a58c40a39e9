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
    /// One report at a time.
    turn: Mutex<()>,
}

impl Reporter {
    pub(super) fn new(surface: Arc<Surface>, sinks: Vec<Sink>) -> Self {
        let sinks = if sinks.is_empty() { vec![Sink::stderr()] } else { sinks };
        Self { surface, sinks, turn: Mutex::new(()) }
    }

    /// The longest that the program lets a dump wait.
    pub(super) fn deadline(&self) -> Duration {
        self.surface.settings.deadline
    }

    /// Returns when the sinks have it: those of the trigger, or if it has none, those of all.
    pub(super) async fn report(&self, reason: Reason, only: TaskFilter, deadline: Duration, sinks: &[Sink]) {
        let _turn = self.turn.lock().await;
        let sinks = if sinks.is_empty() { self.sinks.clone() } else { sinks.to_vec() };
        // Beside the agent's thread, which answers others meanwhile: symbolizing takes its time, and a sink as long as it likes.
        let taken = self.surface.dump(only, deadline, move |dump| {
            let report = Report::new(reason, dump);
            sinks.iter().for_each(|sink| sink.take(&report));
            Ok(())
        });
        if let Err(refusal) = taken.await {
            warn(format_args!("no report: {refusal}"));
        }
    }
}
