//! What changed between two dumps, as JSON.

use bw_dump::rfc3339;
use serde::Serialize;

use super::{Difference, Grown};
use crate::dump::times_in_state::TimesInState;
use crate::format::json::task_fields::{SpawnedAt, TaskFields, seconds};
use crate::format::json::trace_json::Trace;
use crate::format::json::{VERSION, written};
use crate::text::paths::Paths;

/// Tasks that are named by their ids, of those that were not polled.
const SAMPLES: usize = 10;

#[derive(Serialize)]
struct Json<'a> {
    format: &'static str,
    version: u32,
    from: String,
    to: String,
    between_s: f64,
    tasks: usize,
    new: Vec<TaskFields<'a>>,
    gone: Vec<TaskFields<'a>>,
    uncounted: usize,
    unpolled: Vec<State>,
    grown: Vec<Group<'a>>,
}

#[derive(Serialize)]
struct State {
    state: &'static str,
    count: usize,
    oldest_s: Option<f64>,
    youngest_s: Option<f64>,
    ids: Vec<u64>,
}

#[derive(Serialize)]
struct Group<'a> {
    before: usize,
    after: usize,
    state: &'static str,
    oldest_s: Option<f64>,
    youngest_s: Option<f64>,
    joined: Vec<TaskFields<'a>>,
    spawned_at: Vec<SpawnedAt<'a>>,
    trace: Option<Trace<'a>>,
}

impl Difference {
    /// What changed as JSON, on one line. Allocates all of it: about 200 bytes for each task that came, went, or joined a group.
    ///
    /// One object. What [`json`](crate::json) says of the form of a dump holds for it; a task is as there, without what depends on the
    /// rest of its dump: its trace and its group.
    ///
    /// | field | is |
    /// |---|---|
    /// | `format` | `"backtrace-waker difference"` |
    /// | `version` | 1 |
    /// | `from`, `to` | when the two dumps began: RFC 3339, UTC, to the millisecond |
    /// | `between_s` | the time between them |
    /// | `tasks` | how many tasks the newer one has |
    /// | `new`, `gone` | tasks that only the newer one has, or only the older one |
    /// | `uncounted` | how many tasks the newer one has of which it does not know whether they were polled |
    /// | `unpolled` | tasks that were not polled in between, by state; each that is being polled is one of its own |
    /// | `unpolled[].state`, `.count`, `.oldest_s`, `.youngest_s` | what they do, how many they are, and for how long |
    /// | `unpolled[].ids` | the ids of the first ten |
    /// | `grown` | groups that have more tasks than before; those that grew by most come first |
    /// | `grown[].before`, `.after` | how many it had, and has |
    /// | `grown[].state`, `.oldest_s`, `.youngest_s` | as of `unpolled` |
    /// | `grown[].joined` | the tasks that were not in it before |
    /// | `grown[].spawned_at` | where its tasks were wrapped, each place once: `file`, `line`, `column` |
    /// | `grown[].trace` | where they wait: an object as in `traces` of a dump, or `null` where they have none |
    #[must_use]
    pub fn to_json(&self) -> String {
        let states = self.unpolled_by_state();
        let json = Json {
            format: "backtrace-waker difference",
            version: VERSION,
            from: rfc3339::milliseconds(self.from),
            to: rfc3339::milliseconds(self.to),
            between_s: seconds(self.between()),
            tasks: self.tasks,
            new: self.new_tasks().iter().map(TaskFields::with_full_path).collect(),
            gone: self.gone().iter().map(TaskFields::with_full_path).collect(),
            uncounted: self.uncounted(),
            unpolled: states
                .iter()
                .map(|of_state| {
                    let TimesInState { youngest, oldest, .. } = of_state.times();
                    State {
                        state: of_state.state().name(),
                        count: of_state.tasks.len(),
                        oldest_s: oldest.map(seconds),
                        youngest_s: youngest.map(seconds),
                        ids: of_state.tasks.iter().take(SAMPLES).map(|task| task.id().get()).collect(),
                    }
                })
                .collect(),
            grown: self.grown().iter().map(Group::new).collect(),
        };
        written(&json, false)
    }
}

impl<'a> Group<'a> {
    fn new(grown: &'a Grown) -> Self {
        Self {
            before: grown.before,
            after: grown.after,
            state: grown.state().name(),
            oldest_s: grown.oldest().map(seconds),
            youngest_s: grown.youngest().map(seconds),
            joined: grown.joined.iter().map(TaskFields::with_full_path).collect(),
            spawned_at: grown.spawned_at.iter().map(SpawnedAt::full).collect(),
            trace: grown.tree().map(|tree| Trace::new(tree, &Paths::default())),
        }
    }
}
