//! All tasks of a registry at once.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::time::Instant;

use super::collector::Collector;
use crate::task::registry::Registry;
use crate::time::timer::{self, TimerKey};
use crate::trace::raw_task_dump::RawTaskDump;
use crate::trace::task_filter::TaskFilter;
use crate::trace::task_record::NoTrace;

/// The future of a dump that asks every task of a [`Registry`] where it waits; made by [`Registry::dump`].
///
/// Await it, or [`blocking`](Self::blocking) waits for it on this thread. Either way it ends when its [timeout](Self::timeout) has passed, with what is
/// known by then: a dump does not fail, it is [partial](RawTaskDump::is_partial). Every task of the registry that
/// [passes the filter](Self::only) is in it with its state, whether it could give a trace or not.
///
/// Tasks that were never polled wait nowhere yet, and are not waited for; one whose first poll comes during the dump answers it.
/// Where a poll blocks its thread until the deadline, and that thread waits in the kernel, the task's trace is
/// [the stack of that thread](crate::RawStack::is_blocked), read without interrupting it (Linux on x86-64; not where it
/// computes). The others are woken, [so many](Self::at_once) at a
/// time, and polled once each by their own executors, with all effects of any other poll.
///
/// # Cost
///
/// Linear in the number of tasks. 100,000 that wait at four places, eight async levels deep, on tokio with two workers, asked
/// from a thread outside it, took 35 to 75 ms on two shared x86-64 cores, where to wake and poll them once without asking took
/// 20 to 31 ms. The scoreboard's `dump_*` rows measure it beside others.
///
/// Beginning it copies the list of tasks (3 ms for 100,000), and it allocates about 200 bytes for each task it tells of. Each
/// task costs its executor a wake, a poll, the walk of its stack, and a look into what the dump has, under a lock that all
/// who answer share; only a trace that is new there is allocated. The collector itself runs where it is polled, or where
/// [`blocking`](Self::blocking) was called. Where executors must not lose time, call that on a thread of your own.
#[must_use = "a future does nothing unless it is polled"]
pub struct DumpFuture {
    registry: Registry,
    timeout: Duration,
    at_once: usize,
    filter: TaskFilter,
    begun: Option<Begun>,
}

struct Begun {
    collector: Collector,
    _alarm: Option<Alarm>,
}

/// The deadline of a dump; dropped, it is cancelled.
struct Alarm(TimerKey);

impl Drop for Alarm {
    fn drop(&mut self) {
        timer::cancel(self.0);
    }
}

impl Registry {
    /// Asks all its tasks where they wait. See [`DumpFuture`].
    pub fn dump(&self) -> DumpFuture {
        DumpFuture::new(self.clone())
    }
}

impl DumpFuture {
    /// How long a dump waits unless [`timeout`](Self::timeout) says otherwise: 2 s, as [one capture](crate::CaptureFuture::DEFAULT_TIMEOUT)
    /// does.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

    /// How many tasks are asked at once unless [`at_once`](Self::at_once) says otherwise: 512.
    ///
    /// A dump asks again when half of them have answered, so this bounds what stands in the executor's queues for it, and
    /// with that how long others wait. Measured as in [Cost](Self#cost), with a task beside them that is always ready to run:
    ///
    /// | at once | the dump takes | that task waits for its next poll at most |
    /// |---|---|---|
    /// | 64 | 78 ms | 0.05 ms |
    /// | 256 | 38 ms | 0.2 ms |
    /// | 512 | 34 ms | 0.2 ms |
    /// | 1,024 | 32 ms | 0.4 ms |
    /// | 4,096 | 29 ms | 0.6 ms |
    /// | 100,000 | 30 ms | 10.5 ms |
    pub const DEFAULT_AT_ONCE: usize = 512;

    fn new(registry: Registry) -> Self {
        Self {
            registry,
            timeout: Self::DEFAULT_TIMEOUT,
            at_once: Self::DEFAULT_AT_ONCE,
            filter: TaskFilter::new(),
            begun: None,
        }
    }

    /// Waits at most this long, counted from the first poll or from [`blocking`](Self::blocking).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Asks at most so many tasks before the first of them have answered; at least one.
    pub fn at_once(mut self, tasks: usize) -> Self {
        self.at_once = tasks.max(1);
        self
    }

    /// Leaves out, and does not ask, the tasks that do not pass.
    pub fn only(mut self, filter: TaskFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Waits for the dump on this thread, and returns it.
    ///
    /// Best on a thread that runs no tasks. On one that does, no task can answer that only this thread would poll; the dump
    /// ends when its timeout has passed then. A task in whose poll this is called is not waited for: [`NoTrace::AsksItself`].
    #[must_use]
    pub fn blocking(self) -> RawTaskDump {
        let mut collector = self.begin(true);
        // Beyond what the clock can count is no deadline.
        let deadline = Instant::now().checked_add(self.timeout);
        while !collector.advance() && collector.inbox().wait(deadline) {}
        collector.finish()
    }

    fn begin(&self, blocks: bool) -> Collector {
        Collector::begin(&self.registry, self.filter.clone(), self.at_once, blocks)
    }
}

impl Future for DumpFuture {
    type Output = RawTaskDump;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<RawTaskDump> {
        let this = &mut *self;
        if this.begun.is_none() {
            let mut collector = this.begin(false);
            let deadline = Instant::now().checked_add(this.timeout);
            let timer =
                deadline.map(|deadline| timer::schedule(deadline, collector.inbox().clone())).transpose();
            let timer = timer.unwrap_or_else(|_| {
                // Nobody would end it, so nobody is asked.
                collector.ask_nobody(NoTrace::NoTimer);
                None
            });
            this.begun = Some(Begun { collector, _alarm: timer.map(Alarm) });
        }
        let Some(begun) = &mut this.begun else { return Poll::Pending };
        loop {
            if begun.collector.advance() || begun.collector.inbox().is_expired() {
                break;
            }
            if begun.collector.inbox().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        let Some(begun) = this.begun.take() else { return Poll::Pending };
        Poll::Ready(begun.collector.finish())
    }
}

impl fmt::Debug for DumpFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DumpFuture")
            .field("registry", &self.registry)
            .field("timeout", &self.timeout)
            .field("at_once", &self.at_once)
            .field("filter", &self.filter)
            .field("begun", &self.begun.is_some())
            .finish()
    }
}
