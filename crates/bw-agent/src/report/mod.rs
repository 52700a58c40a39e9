//! What a trigger reports: plain data that prints itself, and where it goes.

#[cfg(unix)]
mod dump_signal;
mod panic_note;
mod report_folder;
mod sink;
mod stall;
pub(crate) mod warning;

use std::fmt;
use std::time::SystemTime;

use backtrace_waker::{TaskDump, TaskId};

#[cfg(unix)]
pub use self::dump_signal::DumpSignal;
pub use self::panic_note::PanicNote;
pub use self::report_folder::ReportFolder;
pub use self::sink::Sink;
pub use self::stall::{Stall, StalledGroup};

/// Why there is a dump, when, and the dump: what [sinks](Sink) are given.
///
/// `{}` is a headline and the dump in groups, `{:#}` has every task. Both symbolize as [`TaskDump`] does: sinks are called on a
/// thread where that harms nobody.
pub struct Report {
    reason: Reason,
    at: SystemTime,
    dump: TaskDump,
}

/// Why there is a report. Prints as its headline: one line, or for [stalls](Reason::Stall) one for each group as well.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The process got this signal. The dump is of all tasks.
    #[cfg(unix)]
    Signal(DumpSignal),
    /// A thread panicked. The dump is of all tasks: the one that panicked was being polled, and may be gone by then.
    Panic(PanicNote),
    /// Tasks are stuck. The dump is of some of each group, those that are stuck longest.
    Stall(Stall),
}

impl Report {
    pub(crate) fn new(reason: Reason, dump: TaskDump) -> Self {
        Self { reason, at: dump.raw().taken_at(), dump }
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// When the dump began.
    #[must_use]
    pub fn at(&self) -> SystemTime {
        self.at
    }

    /// What was found.
    #[must_use]
    pub fn dump(&self) -> &TaskDump {
        &self.dump
    }
}

impl Reason {
    /// A word for it that stays the same: `signal`, `panic`, `stall`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            #[cfg(unix)]
            Self::Signal(_) => "signal",
            Self::Panic(_) => "panic",
            Self::Stall(_) => "stall",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(unix)]
            Self::Signal(signal) => write!(f, "the process got {signal}"),
            Self::Panic(note) => note.fmt(f),
            Self::Stall(stall) => stall.fmt(f),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.reason)?;
        self.dump.fmt(f)
    }
}

impl fmt::Debug for Report {
    /// Never symbolizes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("reason", &self.reason)
            .field("at", &self.at)
            .field("dump", &self.dump)
            .finish()
    }
}

/// Returns a task as a headline names it: `task 7 "conn"`. The name is the program's, so it is escaped.
fn task_label(id: TaskId, name: Option<&str>) -> impl fmt::Display {
    let name = name.map(|name| format!(" {name:?}")).unwrap_or_default();
    format!("task {id}{name}")
}
