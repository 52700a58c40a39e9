//! Where a poll blocks that has not ended: the stack of its thread, read without interrupting it.

use crate::task::task_cell::TaskCell;
use crate::thread::os_thread;
use crate::thread::thread_slot::{self, Polling};
use crate::trace::raw_trace::{RawTrace, StackFlags};
use crate::unwind::ThreadWalker;

/// Reads where polls block. Keeps what it has read of modules, so it is to be dropped soon.
pub(crate) struct BlockedPollReader {
    /// `None` until it is needed.
    walker: Option<ThreadWalker>,
}

impl BlockedPollReader {
    pub(crate) fn new() -> Self {
        Self { walker: None }
    }

    /// Where that poll of that task blocks, if its thread waits in the kernel: the thread's whole stack, as one stack that
    /// [blocks](crate::RawStack::is_blocked). Takes 100 to 500 µs of this thread's time and none of the other's, reads files of the
    /// kernel, and allocates.
    pub(crate) fn trace(&mut self, cell: &TaskCell, polling: &Polling) -> Option<RawTrace> {
        // A thread that asks does not block: where it is now is the question, not the answer.
        let thread = polling.thread.os_id().filter(|&thread| os_thread::id() != Some(thread))?;
        let polls = cell.status().polls;
        if self.walker.is_none() {
            self.walker = ThreadWalker::new();
        }
        let stack = self.walker.as_mut()?.walk(thread)?;
        // The thread stood still while its stack was copied. If the poll is the same as before and after that, it is its stack.
        let again = thread_slot::polling(cell.id)?;
        let is_same = again.innermost == polling.innermost
            && again.thread == polling.thread
            && again.since == polling.since;
        if !is_same || cell.status().polls != polls {
            return None;
        }
        let flags = StackFlags { blocked: true, ..StackFlags::default() };
        Some(RawTrace::from_stacks([(stack, flags)]))
    }
}

/// Where the poll of one task blocks at this moment, if it does; see [`BlockedPollReader::trace`]. `None` for a task that polls
/// another traced task: what is read is the stack of the innermost poll, and readers cut it there.
pub(crate) fn trace(cell: &TaskCell) -> Option<RawTrace> {
    let polling = thread_slot::polling(cell.id).filter(|polling| polling.innermost)?;
    BlockedPollReader::new().trace(cell, &polling)
}
