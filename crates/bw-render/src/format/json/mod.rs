//! A task dump as JSON.
//!
//! One object. Fields stand in this order, always all of them; what is not known is `null`. A number of the format's
//! `version` is kept as long as readers of it can read what is written: fields may be added, none changes or goes.
//! Paths are as the debug information has them, or short, as [`Json`] was told. In strings, whatever could do more than show a character is written as `\u202e`, so that a terminal can be shown it.
//!
//! | field | is |
//! |---|---|
//! | `format` | `"backtrace-waker task dump"` |
//! | `version` | 1 |
//! | `taken_at` | when it began: RFC 3339, UTC, to the millisecond |
//! | `took_ms` | how long it took |
//! | `partial` | whether the deadline passed before all had answered |
//! | `tasks_alive` | how many tasks the runtime said are alive, traced or not |
//! | `tasks_registered` | how many traced tasks there were, whether they passed the filter or not |
//! | `tasks_nested`, `tasks_unpolled` | how many of those others poll, and how many were never polled |
//! | `source` | `requests` if the tasks were asked, `memory` if the memory of the process was read from outside, `core` if a core file was read |
//! | `pause_ms` | for how long the threads of the process were stopped while its memory was read; `null` if they were not |
//! | `notes` | sentences that a person who reads traces of this program should know, such as that debug information is missing |
//! | `groups` | tasks that look alike; first those that hold a thread, in a poll that blocks it or lasts for a second, then the oldest |
//! | `groups[].count`, `.state`, `.oldest_s`, `.youngest_s` | how many they are, what they do, and for how long |
//! | `groups[].trace`, `.no_trace` | as of a task |
//! | `groups[].ids` | the ids of the first ten |
//! | `groups[].names` | the first ten names they have, each once |
//! | `groups[].spawned_at` | the first five places they were spawned at, each once, as of a task |
//! | `types` | the types of the tasks' futures, each once, as `core::any::type_name` writes them |
//! | `tasks` | every task, by id |
//! | `tasks[].id`, `.name`, `.parent` | numbers are unique in the process |
//! | `tasks[].nested` | whether its parent polls it: then it is no task of the runtime's |
//! | `tasks[].spawned_at` | `file`, `line`, `column`; where the place is not known, the file is empty and the numbers are 0 |
//! | `tasks[].polls`, `.age_s` | polls that have returned; seconds since it was wrapped |
//! | `tasks[].state`, `.in_state_s` | `never_polled`, `suspended`, `woken`, `polling`, `finished`, `dropped`, `panicked`, and for how long; of a task that ended in the poll that the dump caused, for how long it was suspended before |
//! | `tasks[].since_request_s` | how long ago a request first polled it since then; no more than the dump took if this dump did; `null` if none has. Its trace may be of after that poll |
//! | `tasks[].thread` | who polls it: `name`, and `id` as the operating system numbers threads |
//! | `tasks[].type` | the index of its type in `types` |
//! | `tasks[].trace` | the index of its trace in `traces` |
//! | `tasks[].no_trace` | why it has none: a [name](bw_core::NoTrace::name) |
//! | `tasks[].incomplete` | why its trace may lack something, or why there is none; `null` unless the memory of the process was read |
//! | `tasks[].group` | the index of its group in `groups` |
//! | `traces` | each distinct trace once for each type of task that has it, by the first task that does |
//! | `traces[].dropped`, `.blank` | stacks that did not fit, and that have no frame at all |
//! | `traces[].nodes` | the tree, a parent before its children |
//! | `traces[].nodes[].parent` | the index of the caller; `null` at a root |
//! | `….function`, `.path`, `.file`, `.line`, `.column` | the function as people write it, as the compiler does, and its position |
//! | `….module`, `.offset` | the file the code is in, and where: for those who symbolize it themselves |
//! | `….address` | the return address as a hexadecimal string, where it lies in no module that is known |
//! | `….ends` | how many stacks end here |
//! | `….truncated`, `.foreign`, `.yield`, `.blocked` | see [`Marks`](crate::Marks) |
//! | `….too_deep` | of a truncated root: the stack is deeper than a walk goes; absent where false |
//! | `….of_type` | no frame: the type of the task, where no function of the program has a name; absent where false |
//! | `….left_out` | no frame: so many frames are missing here, in the middle of a stack that is deeper than a trace keeps; absent where 0 |
//! | `….short` | the function without the generic arguments that make its name long; `null` where it is not |
//! | `….crate` | the crate of the function, if its path names one |
//! | `….class` | whose it is: `user` (the program's), `library`, `std`, `glue` (between a future and its poll), `hook` (this crate's) or `unknown` |
//! | `traces[].user`, `.library` | the tree as [`Detail::User`](crate::Detail::User) and [`Detail::Library`](crate::Detail::Library) show it |
//! | `….hidden` | how many of `nodes` are left out of it |
//! | `….nodes` | those that are left, a parent before its children |
//! | `….nodes[].node` | the index in the trace's `nodes` |
//! | `….nodes[].parent` | the index, in this list, of the caller that is left |
//! | `….nodes[].count` | how many equal ones it stands for, what is printed as `(×N)` |
//! | `….nodes[].truncated`, `.foreign`, `.yield`, `.blocked` | as of a node, of those it stands for |
//! | `….nodes[].budget_spent`, `.sub_executor`, `.too_deep`, `.of_type`, `.left_out` | see [`Marks`](crate::Marks); absent where false |

mod json_escape;
mod merged_json;
pub(crate) mod task_fields;
mod task_list_json;
pub(crate) mod trace_json;

#[cfg(feature = "html")]
use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::Hash;
use std::time::Duration;

use bw_core::{NoTrace, TaskRecord};
use bw_dump::rfc3339;
use serde::Serialize;

use self::task_fields::{SpawnedAt, TaskFields, seconds};
use self::trace_json::Trace;
#[cfg(feature = "html")]
use crate::dump::dump_text::origin;
use crate::dump::groups::Groups;
use crate::dump::task_trees::TaskTrees;
use crate::format::numbered::Numbered;
use crate::text::Text;
use crate::text::debug_info::Missing;
use crate::text::paths::Paths;

pub use self::json_escape::escaped;

/// The version of the format that is written.
pub const VERSION: u32 = 1;

/// Of a group, so many tasks whose ids are given, so many names, ...
const SAMPLES: usize = 10;
/// ... and so many places where they were spawned.
const PLACES: usize = 5;

/// How to write a dump as JSON. Data; [`render`](Self::render) writes.
#[derive(Clone, Debug, Default)]
pub struct Json {
    pretty: bool,
    paths: Paths,
}

impl Json {
    /// On one line, with the paths of the debug information.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it is written on many lines, for people.
    #[must_use]
    pub fn pretty(mut self, pretty: bool) -> Self {
        self.pretty = pretty;
        self
    }

    /// How source paths are written: full unless told.
    #[must_use]
    pub fn paths(mut self, paths: Paths) -> Self {
        self.paths = paths;
        self
    }

    /// Writes a dump. Allocates all of it: about 250 bytes for each task, 400 for each node of a distinct trace. Filters each
    /// distinct tree twice.
    #[must_use]
    pub fn render(&self, trees: TaskTrees<'_>) -> String {
        written(&Dump::new(trees, &self.paths), self.pretty)
    }
}

impl TaskTrees<'_> {
    /// Returns the dump as JSON, pretty or on one line. See [`json`](crate::json) for the schema, and [`Json`] for more ways to
    /// write it and what it costs.
    #[must_use]
    pub fn to_json(&self, pretty: bool) -> String {
        Json::new().pretty(pretty).render(*self)
    }
}

/// Writes an object, and escapes what a terminal would obey.
pub(crate) fn written(object: &impl Serialize, pretty: bool) -> String {
    let json = if pretty { serde_json::to_string_pretty(object) } else { serde_json::to_string(object) };
    // Nothing in it can fail to be written: keys are strings, and numbers are finite.
    escaped(json.unwrap_or_default())
}

/// To the microsecond.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[derive(Serialize)]
pub(crate) struct Dump<'a> {
    format: &'static str,
    version: u32,
    pub(crate) taken_at: String,
    pub(crate) took_ms: f64,
    pub(crate) partial: bool,
    pub(crate) tasks_alive: Option<usize>,
    pub(crate) tasks_registered: usize,
    pub(crate) tasks_nested: usize,
    pub(crate) tasks_unpolled: usize,
    pub(crate) source: &'static str,
    pause_ms: Option<f64>,
    #[cfg(feature = "html")]
    #[serde(skip)]
    pub(crate) origin: Option<Cow<'static, str>>,
    pub(crate) notes: Vec<&'a str>,
    pub(crate) groups: Vec<Group<'a>>,
    types: Vec<&'a str>,
    pub(crate) tasks: Vec<Task<'a>>,
    pub(crate) traces: Vec<Trace<'a>>,
}

#[derive(Serialize)]
pub(crate) struct Group<'a> {
    count: usize,
    pub(crate) state: &'static str,
    oldest_s: Option<f64>,
    youngest_s: Option<f64>,
    pub(crate) trace: Option<usize>,
    pub(crate) no_trace: Option<&'static str>,
    ids: Vec<u64>,
    names: Vec<&'a str>,
    spawned_at: Vec<SpawnedAt<'a>>,
}

#[derive(Serialize)]
pub(crate) struct Task<'a> {
    #[serde(flatten)]
    pub(crate) fields: TaskFields<'a>,
    #[serde(rename = "type")]
    of_type: Option<usize>,
    pub(crate) trace: Option<usize>,
    pub(crate) no_trace: Option<&'static str>,
    pub(crate) incomplete: Option<&'a str>,
    pub(crate) group: usize,
}

impl<'a> Dump<'a> {
    pub(crate) fn new(trees: TaskTrees<'a>, paths: &Paths) -> Self {
        let dump = trees.dump();
        // Traces in the order of the first tasks that have them, since theirs is that of their arrival.
        let mut numbers: Vec<Option<usize>> = vec![None; trees.all_trees().len()];
        let mut traces = Vec::new();
        for task in dump.tasks() {
            if let Some(tree) = trees.tree_of(task)
                && let Ok(trace) = task.trace()
                && numbers[trace].is_none()
            {
                numbers[trace] = Some(traces.len());
                traces.push(Trace::new(tree, paths));
            }
        }
        let number = |task: &TaskRecord| numbers.get(task.trace().ok()?).copied().flatten();
        let groups = trees.groups(&Text::new());
        let mut types = Numbered::default();
        let tasks = dump.tasks().iter().zip(groups.of_tasks()).map(|(task, group)| {
            let of_type = task.type_name().map(|name| types.number(name));
            Task::new(task, of_type, number(task), group, paths)
        });
        let tasks = tasks.collect();
        let missing = Missing::of(trees.all_trees()).notes().map(|note| -> &'a str { note });
        Self {
            format: "backtrace-waker task dump",
            version: VERSION,
            taken_at: rfc3339::milliseconds(dump.taken_at()),
            took_ms: milliseconds(dump.took()),
            partial: dump.is_partial(),
            tasks_alive: dump.alive(),
            tasks_registered: dump.registered(),
            tasks_nested: dump.nested(),
            tasks_unpolled: dump.unpolled(),
            source: dump.source().name(),
            pause_ms: dump.pause().map(milliseconds),
            #[cfg(feature = "html")]
            origin: origin(dump),
            notes: dump.notes().iter().map(String::as_str).chain(missing).collect(),
            groups: groups.iter().map(|group| Group::new(&groups, group, number, paths)).collect(),
            types: types.into_values(),
            tasks,
            traces,
        }
    }
}

impl<'a> Group<'a> {
    fn new(
        groups: &Groups<'a>,
        group: &crate::dump::groups::Group,
        number: impl Fn(&TaskRecord) -> Option<usize>,
        paths: &Paths,
    ) -> Self {
        let first = groups.first(group);
        let tasks = || groups.tasks(group);
        Self {
            count: group.len(),
            state: first.status().state.name(),
            oldest_s: group.oldest().map(seconds),
            youngest_s: group.youngest().map(seconds),
            trace: number(first),
            no_trace: group.no_trace().map(NoTrace::name),
            ids: tasks().take(SAMPLES).map(|task| task.id().get()).collect(),
            names: first_distinct(tasks().filter_map(TaskRecord::name), SAMPLES),
            spawned_at: first_distinct(
                tasks().map(|task| SpawnedAt::new(task.spawned_at(), |path| paths.show(path, true))),
                PLACES,
            ),
        }
    }
}

/// The first few that are not equal, in order.
fn first_distinct<T: Copy + Eq + Hash>(all: impl Iterator<Item = T>, most: usize) -> Vec<T> {
    let mut known = HashSet::new();
    all.filter(|&one| known.len() < most && known.insert(one)).take(most).collect()
}

impl<'a> Task<'a> {
    fn new(
        task: &'a TaskRecord,
        of_type: Option<usize>,
        trace: Option<usize>,
        group: usize,
        paths: &Paths,
    ) -> Self {
        let fields = TaskFields::new(task, |path| paths.show(path, true));
        let (no_trace, incomplete) = (task.trace().err().map(NoTrace::name), task.incomplete());
        Self { fields, of_type, trace, no_trace, incomplete, group }
    }
}
