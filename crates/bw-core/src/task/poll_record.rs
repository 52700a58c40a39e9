//! The fields of the wrapper that a poll updates, stored next to the future: 48 bytes. One of the files that may use `unsafe`.
//!
//! Everything an idle poll reads or writes of a task stands here, on the line that polling the future touches anyway.

use core::pin::Pin;
use core::task::{Poll, Waker};
use std::sync::Arc;

use pin_project_lite::pin_project;

use crate::hook::recording_waker;
use crate::task::generation;
use crate::task::task_cell::{Batch, Stage, TaskCell};
use crate::task::wake;
use crate::thread::thread_slot::{self, ThreadSlot};
use crate::time::stamp::{Stamp, StampRef};
use crate::trace::id::TaskId;

pin_project! {
    /// See the module. Dropping it ends the task.
    #[repr(C)]
    pub(crate) struct PollRecord {
        // The generation the last slow path saw.
        generation: usize,
        // Data pointer and vtable of the waker in the cell, peeled (see `recording_waker::peel`). Integers, so that they take no part
        // in whether the task is `Send`. No vtable is 0, which therefore forces the slow path.
        waker_data: usize,
        waker_vtable: usize,
        #[pin]
        stamp: Stamp,
        id: TaskId,
        cell: Arc<TaskCell>,
    }

    impl PinnedDrop for PollRecord {
        fn drop(this: Pin<&mut Self>) {
            // The cell lets go of the stamp; see `attend`.
            this.cell.end(Stage::Dropped);
        }
    }
}

impl PollRecord {
    pub(crate) fn new(cell: Arc<TaskCell>) -> Self {
        Self { generation: 0, waker_data: 0, waker_vtable: 0, stamp: Stamp::default(), id: cell.id, cell }
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    pub(crate) fn cell(&self) -> &Arc<TaskCell> {
        &self.cell
    }

    /// Whether nobody was asked since the last look, and the waker is the one in the cell. One branch.
    #[inline(always)]
    pub(crate) fn is_idle(&self, waker: &Waker) -> bool {
        (self.generation ^ generation::current()) | self.other_waker(waker) == 0
    }

    /// Zero if this is the waker in the cell.
    #[inline(always)]
    fn other_waker(&self, waker: &Waker) -> usize {
        (self.waker_data ^ waker.data().addr())
            | (self.waker_vtable ^ core::ptr::from_ref(waker.vtable()).addr())
    }

    /// The slow path: a request somewhere, another waker, the first poll, or a poll after the end.
    pub(crate) fn attend(self: Pin<&mut Self>, waker: &Waker) -> Batch {
        // Before the requests are taken: one that comes in between leaves the generation different, and the next poll
        // looks again.
        let generation = generation::current();
        let waker = recording_waker::peel(waker);
        // Cloned here, outside the cell's lock: it is the executor's code.
        let is_other = self.other_waker(waker) != 0;
        let fresh = if is_other { wake::clone(waker) } else { None };
        // A waker that could not be cloned is not in the cell: the next poll tries again.
        let is_in_cell = !is_other || fresh.is_some();
        let this = self.project();
        let stamp = this.stamp.into_ref();
        // SAFETY: the cell gives the pointer up in `end(Stage::Dropped)`, under the lock under which it reads through it,
        // and that is called when this is dropped, before its fields are.
        let stamp = || unsafe { StampRef::new(stamp) };
        let Some(batch) = this.cell.attend(fresh, stamp) else { return Batch::default() };
        *this.generation = generation;
        *this.waker_data = waker.data().addr();
        *this.waker_vtable = if is_in_cell { core::ptr::from_ref(waker.vtable()).addr() } else { 0 };
        batch
    }

    /// The task is over. Its waker is gone from the cell, so the next poll, if there is one, takes the slow path.
    #[cold]
    #[inline(never)]
    fn end(self: Pin<&mut Self>, stage: Stage) {
        let this = self.project();
        *this.waker_vtable = 0;
        this.cell.end(stage);
    }
}

/// One poll of the future, from [`begin`](Self::begin) to [`end`](Self::end); dropped before that, it panicked.
///
/// No more than a pointer, and `thread` and `depth` are handed back by the caller: what is in here must lie in memory during
/// the poll, for when it unwinds, and a poll that returns should find everything in registers.
pub(crate) struct PollGuard<'a> {
    record: Pin<&'a mut PollRecord>,
}

impl<'a> PollGuard<'a> {
    /// Gives the depth for [`end`](Self::end) as well.
    #[inline(always)]
    pub(crate) fn begin(record: Pin<&'a mut PollRecord>, thread: &ThreadSlot) -> (Self, usize) {
        let depth = thread.enter(record.id);
        (Self { record }, depth)
    }

    pub(crate) fn cell(&self) -> &TaskCell {
        &self.record.cell
    }

    /// The end of a poll, whose outcome it hands back. With `asked`, of one that we have caused: if the task waits on, that is
    /// since before, so that asking where it waits does not change for how long it has waited there.
    #[inline(always)]
    pub(crate) fn end<T>(self, thread: &ThreadSlot, depth: usize, asked: bool, poll: Poll<T>) -> Poll<T> {
        // Before the thread's slot says that the poll is over: who sees that sees when it was.
        let quiet = asked && poll.is_pending() && !self.record.stamp.is_blank();
        let starts_over = !quiet && self.record.stamp.note();
        thread.leave(depth);
        // One branch, and in it the last call: what must survive a call that returns would be saved in every poll.
        if starts_over | poll.is_ready() {
            return self.settle(starts_over, poll);
        }
        core::mem::forget(self);
        poll
    }

    /// What seldom happens at the end of a poll.
    #[cold]
    #[inline(never)]
    fn settle<T>(mut self, starts_over: bool, poll: Poll<T>) -> Poll<T> {
        if starts_over {
            self.record.cell.note_polls_started_over();
        }
        if poll.is_ready() {
            self.record.as_mut().end(Stage::Finished);
        }
        core::mem::forget(self);
        poll
    }
}

impl Drop for PollGuard<'_> {
    #[cold]
    #[inline(never)]
    fn drop(&mut self) {
        if self.record.stamp.note() {
            self.record.cell.note_polls_started_over();
        }
        thread_slot::leave_current();
        self.record.as_mut().end(Stage::Panicked);
    }
}
