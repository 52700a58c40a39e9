//! Which tasks a dump is about.

use core::time::Duration;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct TaskFilter {
    name: Option<String>,
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

    /// Only tasks whose name has this in it. Tasks without a name do not pass.
    pub fn name_contains(mut self, part: impl Into<String>) -> Self {
        self.name = Some(part.into());
        self
    }

    /// Only the task of this id. Said again, of any of them.
    pub fn id(mut self, id: TaskId) -> Self {
        self.ids.push(id);
        self
    }

    /// Only tasks in this state; which thread polls a task does not count. Said again, in any of them.
    pub fn state(mut self, state: &TaskState) -> Self {
        self.states.push(state.name());
        self
    }

    /// Only tasks that were wrapped at least so long ago. To the clock's resolution, 100 ms; where the clock does not run,
    /// all pass.
    pub fn older_than(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// Only tasks that have been for at least so long in the state they are in, or, where that is not known, all.
    pub fn in_state_for(mut self, time: Duration) -> Self {
        self.in_state = Some(time);
        self
    }

    pub(super) fn passes(&self, cell: &TaskCell, status: &TaskStatus) -> bool {
        let at_least = |known: Option<Duration>, least: Option<Duration>| match (known, least) {
            (Some(known), Some(least)) => known >= least,
            _ => true,
        };
        self.name.as_deref().is_none_or(|part| cell.name.as_deref().is_some_and(|name| name.contains(part)))
            && (self.ids.is_empty() || self.ids.contains(&cell.id))
            && (self.states.is_empty() || self.states.contains(&status.state.name()))
            && at_least(status.age, self.age)
            && at_least(status.in_state, self.in_state)
    }
}
