//! Which tasks a dump is about.

use core::time::Duration;

use super::task_record::TaskRecord;
use crate::id::TaskId;
use crate::state::{TaskState, TaskStatus};
use crate::task_cell::TaskCell;

/// Which tasks a dump is about: those that pass everything that was said. The default lets all pass.
///
/// ```
/// use std::time::Duration;
///
/// let stuck_connections = bw_core::TaskFilter::new().name_contains("conn").in_state_for(Duration::from_secs(60));
/// # let _ = bw_core::Registry::global().dump().only(stuck_connections);
/// ```
///
/// Written as text, and [read](#impl-FromStr-for-TaskFilter) from it, this one is `name:conn,for:60s`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct TaskFilter {
    names: Vec<String>,
    ids: Vec<TaskId>,
    states: Vec<&'static str>,
    age: Option<Duration>,
    in_state: Option<Duration>,
}

impl TaskFilter {
    /// Lets every task pass.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only tasks whose name has this in it. Tasks without a name do not pass. Said again, all of it.
    pub fn name_contains(mut self, part: impl Into<String>) -> Self {
        self.names.push(part.into());
        self
    }

    /// Only the task of this id. Said again, of any of them.
    pub fn id(mut self, id: TaskId) -> Self {
        self.ids.push(id);
        self
    }

    /// Only tasks in this state; which thread polls a task does not count. Said again, in any of them.
    pub fn state(self, state: &TaskState) -> Self {
        self.state_named(state.name())
    }

    pub(super) fn state_named(mut self, state: &'static str) -> Self {
        self.states.push(state);
        self
    }

    /// Only tasks that were wrapped at least so long ago. To the clock's resolution, 100 ms; where the clock does not run,
    /// all pass. Said again, the longest counts.
    pub fn older_than(mut self, age: Duration) -> Self {
        self.age = self.age.max(Some(age));
        self
    }

    /// Only tasks that have been for at least so long in the state they are in, or, where that is not known, all.
    /// Said again, the longest counts.
    pub fn in_state_for(mut self, time: Duration) -> Self {
        self.in_state = self.in_state.max(Some(time));
        self
    }

    /// Whether a task of a dump passes, as it was when the dump came to it.
    #[must_use]
    pub fn passes(&self, task: &TaskRecord) -> bool {
        self.lets_pass(task.id(), task.name(), task.status())
    }

    pub(super) fn passes_now(&self, cell: &TaskCell, status: &TaskStatus) -> bool {
        self.lets_pass(cell.id, cell.name.as_deref(), status)
    }

    fn lets_pass(&self, id: TaskId, name: Option<&str>, status: &TaskStatus) -> bool {
        let at_least = |known: Option<Duration>, least: Option<Duration>| match (known, least) {
            (Some(known), Some(least)) => known >= least,
            _ => true,
        };
        self.names.iter().all(|part| name.is_some_and(|name| name.contains(&**part)))
            && (self.ids.is_empty() || self.ids.contains(&id))
            && (self.states.is_empty() || self.states.contains(&status.state.name()))
            && at_least(status.age, self.age)
            && at_least(status.in_state, self.in_state)
    }
}
