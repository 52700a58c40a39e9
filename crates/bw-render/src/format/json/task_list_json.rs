//! The tasks of a dump without where they wait, as JSON: for dumps in which nobody was asked.

use bw_core::RawTaskDump;
use bw_dump::rfc3339;
use serde::Serialize;

use super::task_fields::TaskFields;
use super::written;
use crate::dump::dump_text::DumpText;

/// The version of the JSON that is written.
const VERSION: u32 = 1;

impl DumpText {
    /// As [`list`](Self::list), as JSON on one line; allocates. Fields stand in this order, always all of them; what is not known
    /// is `null`. Fields may be added, none changes or goes without another `version`. Strings are escaped as in
    /// [`json`](crate::json), paths are as this text shows them.
    ///
    /// | field | is |
    /// |---|---|
    /// | `format` | `"backtrace-waker task list"` |
    /// | `version` | 1 |
    /// | `taken_at` | when it began: RFC 3339, UTC, to the millisecond |
    /// | `tasks_alive` | how many tasks the runtime said are alive, traced or not |
    /// | `tasks_registered` | how many traced tasks there were, whether they passed the filter or not |
    /// | `tasks` | every task, by id |
    /// | `tasks[].id`, `.name`, `.parent`, `.nested`, `.spawned_at`, `.polls`, `.age_s`, `.state`, `.in_state_s`, `.since_request_s`, `.thread` | as of a [dump](crate::json) |
    #[must_use]
    pub fn list_json(&self, dump: &RawTaskDump) -> String {
        let task = |task| TaskFields::new(task, |path| self.text().path_of_task(path));
        let list = TaskList {
            format: "backtrace-waker task list",
            version: VERSION,
            taken_at: rfc3339::milliseconds(dump.taken_at()),
            tasks_alive: dump.alive(),
            tasks_registered: dump.registered(),
            tasks: dump.tasks().iter().map(task).collect(),
        };
        written(&list, false)
    }
}

#[derive(Serialize)]
struct TaskList<'a> {
    format: &'static str,
    version: u32,
    taken_at: String,
    tasks_alive: Option<usize>,
    tasks_registered: usize,
    tasks: Vec<TaskFields<'a>>,
}
