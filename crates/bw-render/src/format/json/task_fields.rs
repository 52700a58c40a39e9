//! The fields of a task that do not depend on the rest of its dump, as every JSON has them.

use std::time::Duration;

use bw_core::{TaskId, TaskRecord, TaskState};
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct TaskFields<'a> {
    pub(crate) id: u64,
    pub(crate) name: Option<&'a str>,
    pub(crate) parent: Option<u64>,
    pub(crate) nested: bool,
    pub(crate) spawned_at: SpawnedAt<'a>,
    pub(crate) polls: u64,
    pub(crate) age_s: Option<f64>,
    pub(crate) state: &'static str,
    pub(crate) in_state_s: Option<f64>,
    pub(crate) since_request_s: Option<f64>,
    /// See [`TaskStatus::polled_late`](bw_core::TaskStatus::polled_late). For the page, whose rule is then this one.
    #[cfg(feature = "html")]
    #[serde(skip)]
    pub(crate) polled_late_s: Option<f64>,
    pub(crate) thread: Option<Thread<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct SpawnedAt<'a> {
    pub(crate) file: &'a str,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

#[derive(Clone, Copy, Serialize)]
pub(crate) struct Thread<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) id: Option<u64>,
}

impl<'a> TaskFields<'a> {
    /// With the path of the place where it was spawned as `show` returns it.
    pub(crate) fn new(task: &'a TaskRecord, show: impl FnOnce(&'a str) -> &'a str) -> Self {
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
            spawned_at: SpawnedAt::new(task.spawned_at(), show),
            polls: status.polls,
            age_s: status.age.map(seconds),
            state: status.state.name(),
            in_state_s: status.in_state.map(seconds),
            since_request_s: status.since_request.map(seconds),
            #[cfg(feature = "html")]
            polled_late_s: status.polled_late().map(seconds),
            thread,
        }
    }

    /// With full paths.
    pub(crate) fn with_full_path(task: &'a TaskRecord) -> Self {
        Self::new(task, |path| path)
    }
}

impl<'a> SpawnedAt<'a> {
    pub(crate) fn new(at: &'a bw_core::SpawnedAt, show: impl FnOnce(&'a str) -> &'a str) -> Self {
        Self { file: show(at.file()), line: at.line(), column: at.column() }
    }

    /// With its full path.
    pub(crate) fn full(at: &'a bw_core::SpawnedAt) -> Self {
        Self::new(at, |path| path)
    }
}

/// To the microsecond.
pub(crate) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}
