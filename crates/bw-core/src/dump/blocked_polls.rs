//! Where polls block that did not end before a dump did.

use crate::task::blocked_poll::BlockedPollReader;
use crate::task::task_cell::TaskCell;
use crate::thread::thread_slot::Polling;
use crate::trace::raw_trace::RawTrace;

/// Threads that one dump looks at. Each takes up to half a millisecond of the asking thread's time, and none of its own.
const MOST: usize = 64;

/// The traces of blocked polls of one dump, each once; their numbers follow those of the answers.
pub(super) struct BlockedPolls {
    reader: BlockedPollReader,
    looked_at: usize,
}

impl BlockedPolls {
    pub(super) fn new() -> Self {
        Self { reader: BlockedPollReader::new(), looked_at: 0 }
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
        self.looked_at += 1;
        let trace = self.reader.trace(cell, &polling)?;
        let at = traces.iter().rposition(|known| *known == trace).unwrap_or(traces.len());
        let number = u32::try_from(at).ok()?;
        if at == traces.len() {
            traces.push(trace);
        }
        Some(number)
    }
}
