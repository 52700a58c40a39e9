//! A task as JSON, without where it waits: what several forms of it have alike.

use bw_core::{SpawnedAt, TaskId, TaskRecord, TaskState};
use serde::Serialize;

use crate::format::json::{self, Thread, seconds};

#[derive(Serialize)]
pub(crate) struct TaskJson<'a> {
    id: u64,
    name: Option<&'a str>,
    parent: Option<u64>,
    nested: bool,
    spawned_at: json::SpawnedAt<'a>,
    polls: u64,
    age_s: Option<f64>,
    state: &'static str,
    in_state_s: Option<f64>,
    thread: Option<Thread<'a>>,
}

impl<'a> TaskJson<'a> {
    /// With the place where it was spawned as `place` shows it.
    pub(crate) fn new(
        task: &'a TaskRecord,
        place: impl FnOnce(&'a SpawnedAt) -> json::SpawnedAt<'a>,
    ) -> Self {
        let status = task.status();
        let thread = match &status.state {
            TaskState::Polling(thread) => Some(Thread { name: thread.name(), id: thread.os_id() }),
            _ => None,
        };
        Self {
            id: task.id().get(),
            name: task.name(),
            parent: task.parent().map(TaskId::get),
            nested: task.is_nested(),
            spawned_at: place(task.spawned_at()),
            polls: status.polls,
            age_s: status.age.map(seconds),
            state: status.state.name(),
            in_state_s: status.in_state.map(seconds),
            thread,
        }
    }
}
