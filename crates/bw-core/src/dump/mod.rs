//! All tasks of a registry at once.

mod blocked;
mod collector;
mod filter;
mod filter_text;
mod inbox;
mod look;
mod raw_task_dump;
mod task_record;
mod traces;

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::time::Instant;

use self::collector::Collector;
use crate::deadline::{self, Key};
use crate::registry::Registry;

pub use self::filter::TaskFilter;
pub use self::filter_text::InvalidTaskFilter;
pub(crate) use self::inbox::Inbox;
pub(crate) use self::look::statuses;
pub use self::raw_task_dump::RawTaskDump;
pub use self::task_record::{NoTrace, SpawnedAt, TaskRecord};

/// A dump on its way: every task of a [`Registry`] is asked where it waits; made by [`Registry::dump`].
///
/// Await it, or [`blocking`](Self::blocking) waits for it on this thread. Either way it ends by its deadline, with what is
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
pub struct Dump {
    registry: Registry,
    deadline: Duration,
    at_once: usize,
    filter: TaskFilter,
    begun: Option<Begun>,
}

struct Begun {
    collector: Collector,
    _alarm: Option<Alarm>,
}

/// The end of a dump's patience; dropped, it is called off.
struct Alarm(Key);

impl Drop for Alarm {
    fn drop(&mut self) {
        deadline::cancel(self.0);
    }
}

impl Dump {
    /// How long a dump waits unless told otherwise: 2 s, as [one task](crate::Capture::DEADLINE) does.
    pub const DEADLINE: Duration = Duration::from_secs(2);

    /// How many tasks are asked at once unless told otherwise: 512.
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
    pub const AT_ONCE: usize = 512;

    pub(crate) fn of(registry: Registry) -> Self {
        Self {
            registry,
            deadline: Self::DEADLINE,
            at_once: Self::AT_ONCE,
            filter: TaskFilter::new(),
            begun: None,
        }
    }

    /// Waits at most this long, counted from the first poll or from [`blocking`](Self::blocking).
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
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

    /// Waits for the dump on this thread.
    ///
    /// Best on a thread that runs no tasks. On one that does, no task can answer that only this thread would poll; the dump
    /// ends at its deadline then. A task in whose poll this is called is not waited for: [`NoTrace::AsksItself`].
    #[must_use]
    pub fn blocking(self) -> RawTaskDump {
        let mut collector = self.begin(true);
        // Beyond what the clock can count is no deadline.
        let at = Instant::now().checked_add(self.deadline);
        while !collector.advance() && collector.inbox().wait(at) {}
        collector.finish()
    }

    fn begin(&self, blocks: bool) -> Collector {
        Collector::begin(&self.registry, self.filter.clone(), self.at_once, blocks)
    }
}

impl Future for Dump {
    type Output = RawTaskDump;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<RawTaskDump> {
        let this = &mut *self;
        if this.begun.is_none() {
            let mut collector = this.begin(false);
            let at = Instant::now().checked_add(this.deadline);
            let timer = at.map(|at| deadline::schedule_dump(at, collector.inbox())).transpose();
            let timer = timer.unwrap_or_else(|_| {
                // Nobody would end it, so nobody is asked.
                collector.ask_nobody();
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

impl fmt::Debug for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dump")
            .field("registry", &self.registry)
            .field("deadline", &self.deadline)
            .field("at_once", &self.at_once)
            .field("filter", &self.filter)
            .field("begun", &self.begun.is_some())
            .finish()
    }
}
