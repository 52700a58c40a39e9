//! A dump when the process gets a signal.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backtrace_waker::TaskFilter;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::report::Reason;
use super::reporter::Reporter;
use super::sink::Sink;
use crate::error::StartError;
use crate::report::warn;

/// A signal that can ask for a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DumpSignal {
    /// `kill -USR1 PID`.
    Usr1,
    /// `kill -USR2 PID`.
    Usr2,
    /// `kill -QUIT PID`, or Ctrl-\ at the terminal: what virtual machines of Java do. The process is not ended by it any more.
    Quit,
}

impl DumpSignal {
    /// `USR1`, `USR2`, `QUIT`; with or without `SIG` in front. For the environment.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("SIG").unwrap_or(text) {
            "USR1" => Some(Self::Usr1),
            "USR2" => Some(Self::Usr2),
            "QUIT" => Some(Self::Quit),
            _ => None,
        }
    }

    /// Whether an agent of this process has had it. The handler is there since then, and no news.
    fn is_ours(self) -> &'static AtomicBool {
        static USR1: AtomicBool = AtomicBool::new(false);
        static USR2: AtomicBool = AtomicBool::new(false);
        static QUIT: AtomicBool = AtomicBool::new(false);
        match self {
            Self::Usr1 => &USR1,
            Self::Usr2 => &USR2,
            Self::Quit => &QUIT,
        }
    }

    fn kind(self) -> SignalKind {
        match self {
            Self::Usr1 => SignalKind::user_defined1(),
            Self::Usr2 => SignalKind::user_defined2(),
            Self::Quit => SignalKind::quit(),
        }
    }
}

impl fmt::Display for DumpSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Usr1 => "SIGUSR1",
            Self::Usr2 => "SIGUSR2",
            Self::Quit => "SIGQUIT",
        })
    }
}

/// A dump of all tasks when the process gets a signal; for
/// [`AgentBuilder::dump_on_signal`](crate::AgentBuilder::dump_on_signal).
#[derive(Clone, Debug)]
#[must_use]
pub struct OnSignal {
    signal: DumpSignal,
    every: Duration,
    sinks: Vec<Sink>,
}

impl OnSignal {
    /// The shortest time between two dumps unless told: 1 s.
    pub const EVERY: Duration = Duration::from_secs(1);

    /// On that signal, to where all reports go.
    pub fn new(signal: DumpSignal) -> Self {
        Self { signal, every: Self::EVERY, sinks: Vec::new() }
    }

    /// Which signal.
    #[must_use]
    pub fn signal(&self) -> DumpSignal {
        self.signal
    }

    /// Another signal for all that was said else.
    pub(super) fn on(self, signal: DumpSignal) -> Self {
        Self { signal, ..self }
    }

    /// Takes no more than one dump in that time. Signals that come meanwhile are answered when it is over, all with one.
    pub fn at_most_every(mut self, time: Duration) -> Self {
        self.every = time;
        self
    }

    /// Reports to this and not where all reports go. Said again, to all of these.
    pub fn report_to(mut self, sink: impl Into<Sink>) -> Self {
        self.sinks.push(sink.into());
        self
    }

    pub(super) fn sinks(&self) -> &[Sink] {
        &self.sinks
    }

    /// Installs the handler. Inside the agent's runtime.
    pub(super) fn arm(self) -> Result<Listening, StartError> {
        for before in Before::of(self.signal).iter().flat_map(Before::warnings) {
            warn(format_args!("{}: {before}", self.signal));
        }
        self.signal.is_ours().store(true, Ordering::Relaxed);
        let signals = signal(self.signal.kind()).map_err(|cause| {
            StartError::because(format!("it cannot listen to {}; choose another signal", self.signal), cause)
        })?;
        Ok(Listening { on: self, signals })
    }
}

impl From<DumpSignal> for OnSignal {
    fn from(signal: DumpSignal) -> Self {
        Self::new(signal)
    }
}

/// The handler is there.
#[derive(Debug)]
pub(super) struct Listening {
    on: OnSignal,
    signals: Signal,
}

impl Listening {
    pub(super) async fn run(mut self, reporter: Arc<Reporter>) {
        let mut last = None::<Instant>;
        while self.signals.recv().await.is_some() {
            if let Some(last) = last {
                // Beyond what the clock can count is never.
                let Some(next) = last.checked_add(self.on.every) else { return };
                tokio::time::sleep_until(next).await;
            }
            last = Some(Instant::now());
            let reason = Reason::Signal(self.on.signal);
            reporter.report(reason, TaskFilter::new(), reporter.deadline(), &self.on.sinks).await;
        }
    }
}

/// What became of a signal before we came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Before {
    is_caught: bool,
    is_ignored: bool,
    is_blocked: bool,
}

impl Before {
    /// `None` where the kernel does not tell.
    fn of(signal: DumpSignal) -> Option<Self> {
        // Of this thread: whether signals are blocked each thread decides.
        let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
        let mut before = Self::in_status(&status, signal.kind().as_raw_value())?;
        before.is_caught &= !signal.is_ours().load(Ordering::Relaxed);
        Some(before)
    }

    fn in_status(status: &str, number: i32) -> Option<Self> {
        let bit = 1_u64.checked_shl(u32::try_from(number - 1).ok()?)?;
        let has = |name: &str| {
            let mask = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            u64::from_str_radix(mask.trim(), 16).ok().map(|mask| mask & bit != 0)
        };
        Some(Self { is_caught: has("SigCgt")?, is_ignored: has("SigIgn")?, is_blocked: has("SigBlk")? })
    }

    fn warnings(&self) -> impl Iterator<Item = &'static str> {
        let caught = "the program has a handler for it, which is called as before; the agent takes a dump as well. If the signal \
                      means something else there, choose another one";
        let ignored = "it was ignored, and is not any more: the agent takes a dump";
        let blocked = "it is blocked in the thread that starts the agent; where every thread blocks it, nobody will hear it";
        let all = [(self.is_caught, caught), (self.is_ignored, ignored), (self.is_blocked, blocked)];
        all.into_iter().filter_map(|(holds, warning)| holds.then_some(warning))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_the_names_people_write() {
        for signal in [DumpSignal::Usr1, DumpSignal::Usr2, DumpSignal::Quit] {
            let name = signal.to_string();
            assert_eq!(DumpSignal::parse(&name), Some(signal));
            assert_eq!(DumpSignal::parse(name.trim_start_matches("SIG")), Some(signal));
        }
        for other in ["", "SIG", "KILL", "usr1", "10", "USR11"] {
            assert_eq!(DumpSignal::parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_kernel_tells_who_has_a_signal() {
        let status = "Name:\tx\nSigQ:\t0/1\nSigPnd:\t0000000000000000\nSigBlk:\t0000000000000800\n\
                      SigIgn:\t0000000000000200\nSigCgt:\t0000000100000400\n";
        let none = Before { is_caught: false, is_ignored: false, is_blocked: false };
        // SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2.
        assert_eq!(Before::in_status(status, 9), Some(none));
        assert_eq!(Before::in_status(status, 10), Some(Before { is_ignored: true, ..none }));
        assert_eq!(Before::in_status(status, 11), Some(Before { is_caught: true, ..none }));
        assert_eq!(Before::in_status(status, 12), Some(Before { is_blocked: true, ..none }));
        assert_eq!(none.warnings().count(), 0);
        assert_eq!(Before::in_status("", 10), None);
        assert_eq!(Before::in_status("SigCgt:\tx\nSigIgn:\t0\nSigBlk:\t0\n", 10), None);
        assert_eq!(Before::in_status(status, 0), None);
        assert_eq!(Before::in_status(status, 65), None);
    }
}
