//! Where polls block that did not end before a dump did.

use crate::task::task_cell::TaskCell;
use crate::thread::thread_slot::{self, Polling};
use crate::trace::raw_trace::{RawTrace, StackFlags};
use crate::unwind::ThreadWalker;

/// Threads that one dump looks at. Each takes up to half a millisecond of the asking thread's time, and none of its own.
const MOST: usize = 64;

/// The traces of blocked polls of one dump, each once; their numbers follow those of the answers.
pub(super) struct BlockedPolls {
    /// `None` until it is needed.
    walker: Option<ThreadWalker>,
    looked_at: usize,
}

impl BlockedPolls {
    pub(super) fn new() -> Self {
        Self { walker: None, looked_at: 0 }
    }

    /// The number of the trace of where that poll blocks, if it does: if its thread waits in the kernel. Of polls inside one another
    /// the innermost has it.
    pub(super) fn trace(
        &mut self,
        cell: &TaskCell,
        polling: Option<Polling>,
        traces: &mut Vec<RawTrace>,
    ) -> Option<u32> {
        let polling = polling.filter(|polling| polling.innermost && self.looked_at < MOST)?;
        let thread = polling.thread.os_id()?;
        self.looked_at += 1;
        let polls = cell.status().polls;
        if self.walker.is_none() {
            self.walker = ThreadWalker::new();
        }
        let stack = self.walker.as_mut()?.walk(thread)?;
        // The thread stood still while its stack was copied. If the poll is the same as before and after that, it is its stack.
        let again = thread_slot::polling(cell.id)?;
        let is_same = again.innermost && again.thread == polling.thread && again.since == polling.since;
        if !is_same || cell.status().polls != polls {
            return None;
        }
        let trace = RawTrace::from_stacks([(stack, StackFlags { blocked: true, ..StackFlags::default() })]);
        let at = traces.iter().rposition(|known| *known == trace).unwrap_or(traces.len());
        let number = u32::try_from(at).ok()?;
        if at == traces.len() {
            traces.push(trace);
        }
        Some(number)
    }
}
