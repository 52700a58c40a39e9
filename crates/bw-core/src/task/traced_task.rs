//! The wrapper around the user's future, and its two ways to poll.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::panic::Location;
use std::sync::Arc;

use pin_project_lite::pin_project;

use crate::hook::recorded::Outcome;
use crate::hook::recording_waker::Hook;
use crate::hook::slot_pool;
use crate::task::every_poll::EVERY_POLL;
use crate::task::handle::TraceHandle;
use crate::task::poll_record::{PollGuard, PollRecord};
use crate::task::registry::Registry;
use crate::task::task_cell::{Batch, TaskCell};
use crate::thread::thread_slot;
use crate::time::timer;
use crate::trace::counters;
use crate::trace::error::CaptureError;
use crate::trace::name::Name;
use crate::unwind::stack_pointer;

/// Wraps a future so that a [`TraceHandle`] can ask where it waits.
///
/// Give the task to any executor; it behaves as the future itself does. Allocates once, and adds 48 bytes to
/// the future. The caller's location is kept as the place the task was spawned at.
///
/// # Example
///
/// ```
/// let (task, handle) = bw_core::traced(std::future::pending::<()>());
/// let mut task = std::pin::pin!(task);
/// assert_eq!(handle.state(), bw_core::TaskState::NeverPolled);
/// assert_eq!(handle.spawned_at().file(), file!());
/// # let _ = task.as_mut();
/// ```
#[track_caller]
pub fn traced<F: Future>(future: F) -> (TracedTask<F>, TraceHandle) {
    new(Registry::global(), None, future, Location::caller())
}

pub(crate) fn new<F: Future>(
    registry: Registry,
    name: Option<Name>,
    future: F,
    spawned_at: &'static Location<'static>,
) -> (TracedTask<F>, TraceHandle) {
    // Also what advances the clock.
    timer::start();
    let cell = Arc::new(TaskCell::new(registry, name, spawned_at, core::any::type_name::<F>()));
    cell.registry.insert(&cell);
    let handle = TraceHandle::new(Arc::clone(&cell));
    (TracedTask { record: PollRecord::new(cell), future }, handle)
}

pin_project! {
    /// A future that can be asked where it waits; made by [`traced`].
    ///
    /// Without a request, a poll costs one relaxed load, one compare, and a note of who polls and when: no lock, no atomic
    /// read-modify-write, no allocation, no clock. With one, that single poll of the task runs with a waker that records; it
    /// is the task's own scheduled poll, with all its effects.
    ///
    /// A request wakes the task through a clone of the waker of its last poll. A poll whose waker has the same data pointer and vtable as the last one does
    /// not clone it again. So a request can wake the wrong executor, and time out, on one condition: two executors poll the task with wakers that have the same data
    /// pointer and vtable, and whose clones have that data pointer too but another vtable. No executor is known whose wakers do that. A waker whose
    /// clones have another data pointer, such as a waker on the stack, is cloned at each poll: that takes a lock, and whatever the clone costs.
    ///
    /// Never `Unpin`, since others read, next to the future, how often it was polled: pin it with [`Box::pin`] or
    /// [`pin!`](std::pin::pin) where a combinator wants that.
    #[repr(C)]
    #[must_use = "a future does nothing unless it is polled"]
    pub struct TracedTask<F> {
        // First, so that it shares a cache line with what the executor has just touched; and so that it ends before the
        // future's own destructor runs: nobody should wait for that.
        #[pin]
        record: PollRecord,
        #[pin]
        future: F,
    }
}

impl<F> TracedTask<F> {
    /// Another handle to this task.
    #[must_use]
    pub fn handle(&self) -> TraceHandle {
        TraceHandle::new(Arc::clone(self.record.cell()))
    }
}

impl<F: Future> Future for TracedTask<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // First, since the compiler has to take it for a call: whatever was loaded before would be saved across it. Otherwise
        // no call that returns may stand before the poll, for the same reason.
        let Some(thread) = thread_slot::current() else {
            return poll_attended(this.future, cx, this.record);
        };
        // A branch of its own. As one condition with the other, the slot's address would depend on what is loaded from the task,
        // and the processor would not load the next task before this one is there: twice the time at 100,000 tasks.
        if EVERY_POLL || !this.record.is_idle(cx.waker()) {
            return poll_attended(this.future, cx, this.record);
        }
        let (watch, depth) = PollGuard::begin(this.record, thread);
        let poll = this.future.poll(cx);
        watch.end(thread, depth, false, poll)
    }
}

/// The poll that looks for requests, and answers them. Never inlined: its frame is the root of every stack it records, and
/// the idle path stays small. It polls in one place, traced or not, so that there are only two copies of the future's code.
#[cold]
#[inline(never)]
fn poll_attended<F: Future>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
    mut record: Pin<&mut PollRecord>,
) -> Poll<F::Output> {
    let batch = record.as_mut().attend(cx.waker());
    let thread = thread_slot::current_or_register();
    let is_asked = !batch.is_empty();
    let tracing = (is_asked || EVERY_POLL)
        .then(|| (slot_pool::take(batch.slot_words, thread.number()), Answers(Some(batch))));
    let (watch, depth) = PollGuard::begin(record, thread);
    let poll = {
        // Not in the closure, which may have a frame of its own.
        let root = stack_pointer::current();
        let hook = tracing.as_ref().map(|(slot, _)| Hook::new(cx.waker(), slot, root, thread.stack()));
        let waker = hook.as_ref().map(Hook::waker);
        let waker = waker.as_deref().unwrap_or(cx.waker());
        future.poll(&mut Context::from_waker(waker))
    };
    let Some((slot, answers)) = tracing else {
        return watch.end(thread, depth, false, poll);
    };
    counters::add(slot.counts());
    let outcome = if poll.is_ready() {
        // The task waits nowhere any more; what was recorded on the way is where it does *not* wait.
        Outcome::Over(CaptureError::finished())
    } else {
        let recorded = slot.recorded();
        if recorded.dropped() > 0 {
            watch.cell().ask_for_more_room(slot.words());
        }
        Outcome::Waits(recorded)
    };
    let poll = watch.end(thread, depth, is_asked, poll);
    answers.give(&outcome);
    slot_pool::put(slot, thread.number());
    poll
}

/// The requests of a traced poll: answered with its outcome, or, when it unwinds, with that.
struct Answers(Option<Batch>);

impl Answers {
    fn give(mut self, outcome: &Outcome<'_>) {
        if let Some(batch) = self.0.take() {
            batch.answer(outcome);
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        if let Some(batch) = self.0.take() {
            batch.answer(&Outcome::Over(CaptureError::panicked()));
        }
    }
}

impl<F> fmt::Debug for TracedTask<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedTask").field("id", &self.record.id()).finish_non_exhaustive()
    }
}
