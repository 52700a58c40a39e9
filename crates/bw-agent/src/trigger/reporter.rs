//! Takes the dump of a report, and hands it to the sinks.

use std::sync::Arc;
use std::time::Duration;

use backtrace_waker::TaskFilter;
use tokio::sync::Mutex;

use crate::report::warning::warn;
use crate::report::{Reason, Report, Sink};
use crate::surface::Surface;

/// What the triggers of one agent share.
pub(super) struct Reporter {
    surface: Arc<Surface>,
    sinks: Arc<[Sink]>,
    /// One report at a time.
    turn: Mutex<()>,
}

impl Reporter {
    pub(super) fn new(surface: Arc<Surface>, sinks: Vec<Sink>) -> Self {
        Self { surface, sinks: sinks.into(), turn: Mutex::new(()) }
    }

    /// The longest that the program lets a dump wait.
    pub(super) fn timeout(&self) -> Duration {
        self.surface.timeout
    }

    /// Returns when the sinks have it.
    pub(super) async fn report(&self, reason: Reason, only: TaskFilter, timeout: Duration) {
        let _turn = self.turn.lock().await;
        let sinks = Arc::clone(&self.sinks);
        // Beside the agent's thread, which answers others meanwhile: symbolizing takes its time, and a sink as long as it likes.
        let taken = self.surface.dump(only, timeout, move |dump| {
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
