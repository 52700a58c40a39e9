//! What tasks are doing, without asking them.

use std::time::Instant;

use super::filter::TaskFilter;
use crate::deadline;
use crate::handle::TraceHandle;
use crate::id::TaskId;
use crate::registry::Registry;
use crate::state::TaskStatus;
use crate::thread_slot::{self, Polling};

/// See [`Registry::statuses`].
pub(crate) fn statuses(registry: &Registry, filter: &TaskFilter) -> Vec<(TraceHandle, TaskStatus)> {
    // For its clock, as a dump does.
    let _ = deadline::make_sure();
    let (cells, who, now) = (registry.cells(), Who::now(), Instant::now());
    cells
        .into_iter()
        .filter_map(|cell| {
            let status = cell.status_at(now, |id| who.polls(id));
            filter.passes_now(&cell, &status).then(|| (TraceHandle::new(cell), status))
        })
        .collect()
}

/// Who polls what at one moment, by task.
pub(super) struct Who(Vec<Polling>);

impl Who {
    pub(super) fn now() -> Self {
        let mut polling = thread_slot::all_polling();
        polling.sort_unstable_by_key(|polling| polling.task);
        Self(polling)
    }

    pub(super) fn polls(&self, task: TaskId) -> Option<Polling> {
        let at = self.0.binary_search_by_key(&task, |polling| polling.task).ok()?;
        self.0.get(at).cloned()
    }
}
