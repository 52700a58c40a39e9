//! Dumps of many processes as JSON. The schema stands at [`MergedTrees::to_json`].

use bw_core::NoTrace;
use bw_dump::{BuildId, rfc3339};
use serde::Serialize;

use super::task_fields::{SpawnedAt, seconds};
use super::trace_json::Trace;
use super::{VERSION, written};
use crate::dump::groups::Group;
use crate::dump::merged_trees::MergedTrees;
use crate::text::Text;
use crate::text::paths::Paths;

/// Tasks of a group that are told.
const SAMPLES: usize = 10;

/// Places of a group that are told.
const PLACES: usize = 10;

#[derive(Serialize)]
struct Dumps<'a> {
    format: &'static str,
    version: u32,
    dumps: usize,
    tasks: usize,
    taken_first: Option<String>,
    taken_last: Option<String>,
    partial_dumps: usize,
    programs: Vec<Program>,
    groups: Vec<GroupJson<'a>>,
    traces: Vec<Trace<'a>>,
}

#[derive(Serialize)]
struct Program {
    path: String,
    build_id: Option<String>,
    dumps: usize,
}

#[derive(Serialize)]
struct GroupJson<'a> {
    count: usize,
    processes: usize,
    state: &'static str,
    oldest_s: Option<f64>,
    youngest_s: Option<f64>,
    polled_late: usize,
    programs: Vec<usize>,
    trace: Option<usize>,
    no_trace: Option<&'static str>,
    spawned_at: Vec<SpawnedAt<'a>>,
    tasks: Vec<Task<'a>>,
}

#[derive(Serialize)]
struct Task<'a> {
    dump: &'a str,
    pid: u32,
    id: u64,
    name: Option<&'a str>,
    in_state_s: Option<f64>,
}

impl MergedTrees<'_> {
    /// All of it as JSON, on one line or pretty. Allocates. One object, with the promises of [`json`](crate::json):
    ///
    /// | field | is |
    /// |---|---|
    /// | `format` | `"backtrace-waker merged dumps"` |
    /// | `version` | 1 |
    /// | `dumps`, `tasks` | how many there were |
    /// | `taken_first`, `taken_last` | when: RFC 3339, UTC, to the millisecond |
    /// | `partial_dumps` | how many of the dumps are partial |
    /// | `programs` | what was dumped, most dumps first: `path`, `build_id`, and how many `dumps` are of it |
    /// | `groups` | tasks that look alike, the oldest group first |
    /// | `groups[].count`, `.processes` | how many they are, and in how many processes |
    /// | `groups[].polled_late` | how many of them only their dump had polled for a second or longer |
    /// | `groups[].state`, `.oldest_s`, `.youngest_s`, `.trace`, `.no_trace` | as of a dump |
    /// | `groups[].programs` | indices in `programs` |
    /// | `groups[].spawned_at` | the first ten places: `file`, `line`, `column` |
    /// | `groups[].tasks` | the ten that have been longest where they are: `dump` (a name), `pid`, `id`, `name`, `in_state_s` |
    /// | `traces` | one for each group that has some, of those that are shown alike the first; as of a dump |
    #[must_use]
    pub fn to_json(&self, pretty: bool) -> String {
        written(&Dumps::new(*self), pretty)
    }
}

impl<'a> Dumps<'a> {
    fn new(trees: MergedTrees<'a>) -> Self {
        let dump = trees.dump();
        let programs = dump.programs().iter().map(|program| Program {
            path: program.path().to_string_lossy().into_owned(),
            build_id: program.build_id().map(BuildId::to_string),
            dumps: program.dumps(),
        });
        // Only those that groups speak of, in their order.
        let mut traces = Vec::new();
        let groups = trees.groups(&Text::new()).groups;
        let groups = groups.iter().map(|group| {
            let trace = trees.tree(group).map(|tree| {
                traces.push(Trace::new(tree, &Paths::default()));
                traces.len() - 1
            });
            GroupJson::new(trees, group, trace)
        });
        Self {
            format: "backtrace-waker merged dumps",
            version: VERSION,
            dumps: dump.dumps(),
            tasks: dump.tasks(),
            taken_first: dump.taken().map(|(first, _)| rfc3339::milliseconds(first)),
            taken_last: dump.taken().map(|(_, last)| rfc3339::milliseconds(last)),
            partial_dumps: dump.partial(),
            programs: programs.collect(),
            groups: groups.collect(),
            traces,
        }
    }
}

impl<'a> GroupJson<'a> {
    fn new(trees: MergedTrees<'a>, group: &Group, trace: Option<usize>) -> Self {
        let tasks = trees.samples(group, SAMPLES).into_iter().map(|task| Task {
            dump: task.dump(),
            pid: task.pid(),
            id: task.id().get(),
            name: task.name(),
            in_state_s: task.in_state().map(seconds),
        });
        let (places, _) = trees.spawned_at(group, PLACES);
        Self {
            count: group.len(),
            processes: trees.processes(group),
            state: trees.state(group).name(),
            oldest_s: group.oldest().map(seconds),
            youngest_s: group.youngest().map(seconds),
            polled_late: trees.polled_late(group),
            programs: trees.programs(group).into_iter().collect(),
            trace,
            no_trace: group.no_trace().map(NoTrace::name),
            spawned_at: places.into_iter().map(SpawnedAt::full).collect(),
            tasks: tasks.collect(),
        }
    }
}
