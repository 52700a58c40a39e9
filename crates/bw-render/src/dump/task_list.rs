//! The tasks of a dump without where they wait: for dumps in which nobody was asked.

use std::fmt::{self, Write as _};

use bw_core::{RawTaskDump, TaskRecord};
use serde::Serialize;

use crate::dump::dump_text::DumpText;
use crate::format::json::SpawnedAt;
use crate::format::json::task_record::TaskJson;
use crate::text::escape::escaped_json;
use bw_dump::rfc3339;

/// The version of the JSON that is written.
const VERSION: u32 = 1;

impl DumpText {
    /// Every task in a line of its own, by id, after a line that sums up; not where it waits.
    #[must_use]
    pub fn list<'a>(&'a self, dump: &'a RawTaskDump) -> impl fmt::Display + 'a {
        List { settings: self, dump }
    }

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
    /// | `tasks[].id`, `.name`, `.parent`, `.nested`, `.spawned_at`, `.polls`, `.age_s`, `.state`, `.in_state_s`, `.thread` | as of a [dump](crate::json) |
    #[must_use]
    pub fn list_json(&self, dump: &RawTaskDump) -> String {
        let list = Json {
            format: "backtrace-waker task list",
            version: VERSION,
            taken_at: rfc3339::milliseconds(dump.taken_at()),
            tasks_alive: dump.alive(),
            tasks_registered: dump.registered(),
            tasks: dump.tasks().iter().map(|task| self.json(task)).collect(),
        };
        // Nothing in it can fail to be written: keys are strings, and numbers are finite.
        escaped_json(serde_json::to_string(&list).unwrap_or_default())
    }

    fn json<'a>(&self, task: &'a TaskRecord) -> TaskJson<'a> {
        TaskJson::new(task, |at| SpawnedAt {
            file: self.text().path_of_task(at.file()),
            line: at.line(),
            column: at.column(),
        })
    }
}

#[derive(Serialize)]
struct Json<'a> {
    format: &'static str,
    version: u32,
    taken_at: String,
    tasks_alive: Option<usize>,
    tasks_registered: usize,
    tasks: Vec<TaskJson<'a>>,
}

struct List<'a> {
    settings: &'a DumpText,
    dump: &'a RawTaskDump,
}

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let out = &mut self.settings.text().painter(f);
        DumpText::counts(out, self.dump)?;
        for (at, task) in self.dump.tasks().iter().enumerate() {
            out.write_str(if at == 0 { "\n\n" } else { "\n" })?;
            self.settings.heading(out, task)?;
        }
        Ok(())
    }
}
