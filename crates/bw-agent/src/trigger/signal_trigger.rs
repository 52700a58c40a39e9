//! A dump when the process gets a signal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use backtrace_waker::TaskFilter;
use tokio::signal::unix::{Signal, SignalKind};
use tokio::time::Instant;

use super::reporter::Reporter;
use crate::report::warning::warn;
use crate::report::{DumpSignal, Reason};
use crate::settings::OnSignal;
use crate::settings::start_error::StartError;

/// The handler of a signal, which is installed.
#[derive(Debug)]
pub(super) struct SignalTrigger {
    settings: OnSignal,
    signals: Signal,
}

impl SignalTrigger {
    /// Installs the handler. Inside the agent's runtime.
    pub(super) fn arm(settings: OnSignal) -> Result<Self, StartError> {
        let signal = settings.signal;
        for before in Before::of(signal).iter().flat_map(Before::warnings) {
            warn(format_args!("{signal}: {before}"));
        }
        is_ours(signal).store(true, Ordering::Relaxed);
        let signals = tokio::signal::unix::signal(kind(signal)).map_err(|cause| {
            StartError::because(format!("it cannot listen to {signal}; choose another signal"), cause)
        })?;
        Ok(Self { settings, signals })
    }

    pub(super) async fn run(mut self, reporter: Arc<Reporter>) {
        let mut last = None::<Instant>;
        while self.signals.recv().await.is_some() {
            if let Some(last) = last {
                // Beyond what the clock can count is never.
                let Some(next) = last.checked_add(self.settings.every) else { return };
                tokio::time::sleep_until(next).await;
            }
            last = Some(Instant::now());
            let reason = Reason::Signal(self.settings.signal);
            reporter.report(reason, TaskFilter::new(), reporter.timeout()).await;
        }
    }
}

/// Whether an agent of this process has had the signal. The handler is there since then, and needs no warning.
fn is_ours(signal: DumpSignal) -> &'static AtomicBool {
    static USR1: AtomicBool = AtomicBool::new(false);
    static USR2: AtomicBool = AtomicBool::new(false);
    static QUIT: AtomicBool = AtomicBool::new(false);
    match signal {
        DumpSignal::Usr1 => &USR1,
        DumpSignal::Usr2 => &USR2,
        DumpSignal::Quit => &QUIT,
    }
}

fn kind(signal: DumpSignal) -> SignalKind {
    match signal {
        DumpSignal::Usr1 => SignalKind::user_defined1(),
        DumpSignal::Usr2 => SignalKind::user_defined2(),
        DumpSignal::Quit => SignalKind::quit(),
    }
}

/// What the process did with a signal before the agent.
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
        let mut before = Self::in_status(&status, kind(signal).as_raw_value())?;
        before.is_caught &= !is_ours(signal).load(Ordering::Relaxed);
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
