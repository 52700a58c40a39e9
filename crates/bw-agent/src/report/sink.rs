//! Where reports go.

use std::fmt;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::Report;
use super::report_folder::{FolderWriter, ReportFolder};
use super::warning::warn;

/// Where reports go: [stderr](Self::stderr), [`tracing`](Self::tracing()), a [folder](ReportFolder), a
/// [callback](Self::callback). For [`AgentBuilder::report_to`](crate::AgentBuilder::report_to).
///
/// Sinks are called one after the other on a thread of the agent's that runs no tasks. One that blocks (a full pipe, a slow
/// callback) holds up further reports, and nothing else.
#[derive(Clone)]
pub struct Sink(Kind);

type Callback = Arc<dyn Fn(&Report) + Send + Sync>;

#[derive(Clone)]
enum Kind {
    Stderr,
    #[cfg(feature = "tracing")]
    Tracing,
    Folder(Arc<FolderWriter>),
    Callback(Callback),
}

impl Sink {
    /// As text, in one piece, to the process' stderr: what is used where nothing else is said.
    #[must_use]
    pub fn stderr() -> Self {
        Self(Kind::Stderr)
    }

    /// As one event of `tracing`, of the target `bw_agent` and the level WARN (INFO for a signal), with the text as its message
    /// and the fields `reason`, `tasks` and `partial`. Feature `tracing`.
    #[cfg(feature = "tracing")]
    #[must_use]
    pub fn tracing() -> Self {
        Self(Kind::Tracing)
    }

    /// To a function. What it panics with ends there.
    #[must_use]
    pub fn callback(callback: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        Self(Kind::Callback(Arc::new(callback)))
    }

    /// When the agent starts: warns if it cannot take reports.
    pub(crate) fn check(&self) {
        if let Kind::Folder(folder) = &self.0 {
            folder.check();
        }
    }

    /// Whether it has the report: not, if that could not be kept. Blocks as long as the sink does. Never panics.
    pub(crate) fn take(&self, report: &Report) -> bool {
        let taken = catch_unwind(AssertUnwindSafe(|| match &self.0 {
            Kind::Stderr => {
                let text = format!("bw-agent: {report}\n");
                // Nobody is left to be told when stderr is gone.
                let _ = io::stderr().lock().write_all(text.as_bytes());
                true
            }
            #[cfg(feature = "tracing")]
            Kind::Tracing => {
                event(report);
                true
            }
            Kind::Folder(folder) => folder.take(report),
            Kind::Callback(callback) => {
                callback(report);
                true
            }
        }));
        taken.unwrap_or_else(|_| {
            warn(format_args!("{self:?} panicked at a report; it will be given the next one all the same"));
            // It has seen it.
            true
        })
    }
}

#[cfg(feature = "tracing")]
fn event(report: &Report) {
    let (reason, raw) = (report.reason().name(), report.dump().raw());
    let (tasks, partial) = (raw.tasks().len(), raw.is_partial());
    match report.reason() {
        #[cfg(unix)]
        super::Reason::Signal(_) => {
            tracing::info!(target: "bw_agent", reason, tasks, partial, "{report}");
        }
        _ => tracing::warn!(target: "bw_agent", reason, tasks, partial, "{report}"),
    }
}

impl From<ReportFolder> for Sink {
    fn from(folder: ReportFolder) -> Self {
        Self(Kind::Folder(Arc::new(FolderWriter::new(folder))))
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Stderr => f.write_str("Sink::stderr"),
            #[cfg(feature = "tracing")]
            Kind::Tracing => f.write_str("Sink::tracing"),
            Kind::Folder(folder) => folder.fmt(f),
            Kind::Callback(_) => f.write_str("Sink::callback"),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use backtrace_waker::Registry;

    use super::*;
    use crate::report::{DumpSignal, Reason};

    fn report() -> Report {
        Report::new(Reason::Signal(DumpSignal::Usr1), Registry::new().dump().blocking())
    }

    #[test]
    fn what_a_callback_panics_with_ends_there_and_it_is_called_again() {
        let calls = Arc::new(AtomicUsize::new(0));
        let sink = Sink::callback({
            let calls = Arc::clone(&calls);
            move |_| {
                calls.fetch_add(1, Ordering::Relaxed);
                panic!("on purpose");
            }
        });
        for _ in 0..2 {
            sink.take(&report());
        }
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }

    #[cfg(feature = "tracing")]
    mod events {
        use std::fmt;
        use std::sync::Mutex;

        use tracing::field::{Field, Visit};
        use tracing::span::{Attributes, Id, Record};
        use tracing::{Event, Metadata, Subscriber};

        use super::*;

        /// Writes down what it is told.
        #[derive(Clone, Default)]
        struct Log(Arc<Mutex<Vec<String>>>);

        impl Subscriber for Log {
            fn enabled(&self, _: &Metadata<'_>) -> bool {
                true
            }

            fn new_span(&self, _: &Attributes<'_>) -> Id {
                Id::from_u64(1)
            }

            fn record(&self, _: &Id, _: &Record<'_>) {}

            fn record_follows_from(&self, _: &Id, _: &Id) {}

            fn event(&self, event: &Event<'_>) {
                let meta = event.metadata();
                let mut text = format!("{} {}:", meta.level(), meta.target());
                event.record(&mut Fields(&mut text));
                self.0.lock().expect("nobody panics").push(text);
            }

            fn enter(&self, _: &Id) {}

            fn exit(&self, _: &Id) {}
        }

        struct Fields<'a>(&'a mut String);

        impl Visit for Fields<'_> {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                *self.0 += &format!(" {field}={value:?}");
            }
        }

        #[test]
        fn a_report_is_one_event() {
            let log = Log::default();
            tracing::subscriber::with_default(log.clone(), || Sink::tracing().take(&report()));
            let events = log.0.lock().expect("nobody panics").clone();
            let [event] = &*events else { panic!("not one: {events:?}") };
            let headline = "INFO bw_agent: message=the process got SIGUSR1\n0 tasks;";
            assert!(event.starts_with(headline), "{event}");
            assert!(event.ends_with(" reason=\"signal\" tasks=0 partial=false"), "{event}");
        }
    }
}
