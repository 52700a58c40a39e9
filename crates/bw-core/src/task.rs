//! The wrapper around the user's future, and its two ways to poll.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::borrow::Cow;
use std::panic::Location;
use std::sync::Arc;

use pin_project_lite::pin_project;

use crate::counters;
use crate::error::CaptureError;
use crate::generation;
use crate::handle::TraceHandle;
use crate::hook::{self, Hook};
use crate::id::TaskId;
use crate::request::Answer;
use crate::slot_pool;
use crate::stack;
use crate::task_cell::{Batch, Stage, TaskCell};
use crate::thread_slot;

/// Wraps a future so that a [`TraceHandle`] can ask where it waits.
///
/// Give the task to any executor; it behaves as the future itself does. Allocates once, and adds at most 48 bytes to
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
    new(None, future, Location::caller())
}

/// As [`traced`], with a name that [`TraceHandle::name`] gives back. A `&'static str` costs no allocation.
#[track_caller]
pub fn traced_as<F: Future>(name: impl Into<Cow<'static, str>>, future: F) -> (TracedTask<F>, TraceHandle) {
    new(Some(name.into()), future, Location::caller())
}

fn new<F: Future>(
    name: Option<Cow<'static, str>>,
    future: F,
    spawned_at: &'static Location<'static>,
) -> (TracedTask<F>, TraceHandle) {
    let cell = Arc::new(TaskCell::new(name, spawned_at));
    let handle = TraceHandle::new(Arc::clone(&cell));
    (TracedTask { beside: Beside::new(cell), future }, handle)
}

pin_project! {
    /// A future that can be asked where it waits; made by [`traced`].
    ///
    /// Without a request, a poll costs one relaxed load, one compare and a note of who polls: no lock, no atomic
    /// read-modify-write, no allocation. With one, that single poll of the task runs with a waker that records; it is the
    /// task's own scheduled poll, with all its effects.
    #[repr(C)]
    #[must_use = "a future does nothing unless it is polled"]
    pub struct TracedTask<F> {
        // First, so that it shares a cache line with what the executor has just touched.
        beside: Beside,
        #[pin]
        future: F,
    }

    impl<F> PinnedDrop for TracedTask<F> {
        fn drop(this: Pin<&mut Self>) {
            // Before the future's own destructor runs: nobody should wait for that.
            this.project().beside.cell.end(Stage::Dropped);
        }
    }
}

/// What the wrapper keeps beside the future: 40 bytes.
struct Beside {
    /// The generation the last slow path saw.
    generation: usize,
    /// Data pointer and vtable of the waker in the cell, [peeled](hook::peel). Integers, so that they take no part in
    /// whether the task is `Send`. No vtable is 0, which therefore forces the slow path.
    waker_data: usize,
    waker_vtable: usize,
    id: TaskId,
    cell: Arc<TaskCell>,
}

impl<F> TracedTask<F> {
    /// Another handle to this task.
    #[must_use]
    pub fn handle(&self) -> TraceHandle {
        TraceHandle::new(Arc::clone(&self.beside.cell))
    }
}

impl<F: Future> Future for TracedTask<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let beside = this.beside;
        if !beside.is_idle(cx.waker()) {
            let batch = beside.attend(cx.waker());
            if !batch.is_empty() {
                return poll_traced(this.future, cx.waker(), beside, batch);
            }
        }
        let watch = Watch::begin(beside);
        let poll = this.future.poll(cx);
        if poll.is_ready() {
            watch.finish();
        } else {
            watch.suspend();
        }
        poll
    }
}

/// The poll that answers. Never inlined: its frame is the root of every stack it records, and the idle path stays small.
#[cold]
#[inline(never)]
fn poll_traced<F: Future>(
    future: Pin<&mut F>,
    waker: &Waker,
    beside: &mut Beside,
    batch: Batch,
) -> Poll<F::Output> {
    let mut slot = slot_pool::take(batch.slot_words);
    let answers = Answers(Some(batch));
    let watch = Watch::begin(beside);
    let poll = {
        let hook = Hook::new(waker, &slot, stack::pointer());
        future.poll(&mut Context::from_waker(&hook.waker()))
    };
    counters::add(slot.counts());
    if poll.is_ready() {
        // The task waits nowhere any more; what was recorded on the way is where it does *not* wait.
        watch.finish();
        slot_pool::put(slot);
        answers.give(&Err(CaptureError::finished()));
    } else {
        let trace = slot.finish();
        if trace.dropped() > 0 {
            watch.cell().ask_for_more_room(slot.words());
        }
        watch.suspend();
        slot_pool::put(slot);
        answers.give(&Ok(trace));
    }
    poll
}

/// The requests of a traced poll: answered with its outcome, or, when it unwinds, with that.
struct Answers(Option<Batch>);

impl Answers {
    fn give(mut self, answer: &Answer) {
        if let Some(batch) = self.0.take() {
            batch.answer(answer);
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        if let Some(batch) = self.0.take() {
            batch.answer(&Err(CaptureError::panicked()));
        }
    }
}

/// One poll of the future, from begin to `finish` or `suspend`; dropped without either, it panicked.
struct Watch<'a> {
    beside: &'a mut Beside,
    _entered: thread_slot::Entered,
    over: bool,
}

impl<'a> Watch<'a> {
    #[inline(always)]
    fn begin(beside: &'a mut Beside) -> Self {
        let entered = thread_slot::enter(beside.id);
        Self { beside, _entered: entered, over: false }
    }

    fn cell(&self) -> &TaskCell {
        &self.beside.cell
    }

    #[inline(always)]
    fn suspend(mut self) {
        self.over = true;
    }

    #[inline]
    fn finish(mut self) {
        self.over = true;
        self.beside.end(Stage::Finished);
    }
}

impl Drop for Watch<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.over {
            self.beside.end(Stage::Panicked);
        }
    }
}

impl Beside {
    fn new(cell: Arc<TaskCell>) -> Self {
        Self { generation: 0, waker_data: 0, waker_vtable: 0, id: cell.id, cell }
    }

    /// Whether nobody was asked since the last look, and the waker is the one in the cell. One branch.
    #[inline(always)]
    fn is_idle(&self, waker: &Waker) -> bool {
        (self.generation ^ generation::current()) | self.other_waker(waker) == 0
    }

    /// Zero if this is the waker in the cell.
    #[inline(always)]
    fn other_waker(&self, waker: &Waker) -> usize {
        (self.waker_data ^ waker.data().addr())
            | (self.waker_vtable ^ core::ptr::from_ref(waker.vtable()).addr())
    }

    /// The slow path: a request somewhere, another waker, the first poll, or a poll after the end.
    #[cold]
    #[inline(never)]
    fn attend(&mut self, waker: &Waker) -> Batch {
        // Before the requests are taken: one that comes in between leaves the generation different, and the next poll
        // looks again.
        let generation = generation::current();
        let waker = hook::peel(waker);
        // Cloned here, outside the cell's lock: it is the executor's code.
        let fresh = (self.other_waker(waker) != 0).then(|| waker.clone());
        let Some(batch) = self.cell.attend(fresh) else { return Batch::default() };
        self.generation = generation;
        self.waker_data = waker.data().addr();
        self.waker_vtable = core::ptr::from_ref(waker.vtable()).addr();
        batch
    }

    /// The task is over. Its waker is gone from the cell, so the next poll, if there is one, takes the slow path.
    #[cold]
    #[inline(never)]
    fn end(&mut self, stage: Stage) {
        self.waker_vtable = 0;
        self.cell.end(stage);
    }
}

impl<F> fmt::Debug for TracedTask<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedTask").field("id", &self.beside.id).finish_non_exhaustive()
    }
}
