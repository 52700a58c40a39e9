//! Who polls what at one moment.

use crate::thread::thread_slot::{self, Polling};
use crate::trace::id::TaskId;

/// Every traced poll at one moment, by task.
pub(super) struct PollingNow(Vec<Polling>);

impl PollingNow {
    /// Locks the list of polling threads for a moment; allocates.
    pub(super) fn new() -> Self {
        let mut polling = thread_slot::all_polling();
        polling.sort_unstable_by_key(|polling| polling.task);
        Self(polling)
    }

    /// The poll of that task, if it was being polled.
    pub(super) fn of(&self, task: TaskId) -> Option<Polling> {
        let at = self.0.binary_search_by_key(&task, |polling| polling.task).ok()?;
        self.0.get(at).cloned()
    }
}
