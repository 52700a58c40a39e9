//! A task dump as JSON.
//!
//! One object. Fields stand in this order, always all of them; what is not known is `null`. A number of the format's
//! `version` is kept as long as readers of it can read what is written: fields may be added, none changes or goes.
//! In strings, whatever could do more than show a character is written as `\u202e`, so that a terminal can be shown it.
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
//! | `groups` | tasks that look alike, the oldest group first |
//! | `groups[].count`, `.state`, `.oldest_s`, `.youngest_s` | how many they are, what they do, and for how long |
//! | `groups[].trace`, `.no_trace` | as of a task |
//! | `groups[].ids` | the ids of the first ten |
//! | `tasks` | every task, by id |
//! | `tasks[].id`, `.name`, `.parent` | numbers are unique in the process |
//! | `tasks[].nested` | whether its parent polls it: then it is no task of the runtime's |
//! | `tasks[].spawned_at` | `file`, `line`, `column` |
//! | `tasks[].polls`, `.age_s` | polls that have returned; seconds since it was wrapped |
//! | `tasks[].state`, `.in_state_s` | `never_polled`, `suspended`, `woken`, `polling`, `finished`, `dropped`, `panicked`, and for how long |
//! | `tasks[].thread` | who polls it: `name`, and `id` as the operating system numbers threads |
//! | `tasks[].trace` | the index of its trace in `traces` |
//! | `tasks[].no_trace` | why it has none: a [name](bw_core::NoTrace::name) |
//! | `traces` | each distinct trace once, by the first task that has it |
//! | `traces[].dropped` | stacks that did not fit |
//! | `traces[].nodes` | the tree, a parent before its children |
//! | `traces[].nodes[].parent` | the index of the caller; `null` at a root |
//! | `….function`, `.path`, `.file`, `.line`, `.column` | the function as people write it, as the compiler does, and its position |
//! | `….module`, `.offset` | the file the code is in, and where: for those who symbolize it themselves |
//! | `….address` | the return address as a hexadecimal string, where it lies in no module that is known |
//! | `….ends` | how many stacks end here |
//! | `….truncated`, `.foreign`, `.yield`, `.blocked` | see [`Marks`](crate::Marks) |

use std::time::Duration;

use bw_core::{NoTrace, TaskRecord, TaskState};
use serde::Serialize;

use crate::escape::escaped_json;
use crate::moment::Moment;
use crate::task_trees::TaskTrees;
use crate::text::Text;
use crate::tree::{Node, Tree};

/// The version of the format that is written.
pub const VERSION: u32 = 1;

/// Tasks of a group whose ids are given.
const SAMPLES: usize = 10;

#[derive(Serialize)]
struct Dump<'a> {
    format: &'static str,
    version: u32,
    taken_at: String,
    took_ms: f64,
    partial: bool,
    tasks_alive: Option<usize>,
    tasks_registered: usize,
    tasks_nested: usize,
    tasks_unpolled: usize,
    groups: Vec<Group>,
    tasks: Vec<Task<'a>>,
    traces: Vec<Trace<'a>>,
}

#[derive(Serialize)]
struct Group {
    count: usize,
    state: &'static str,
    oldest_s: Option<f64>,
    youngest_s: Option<f64>,
    trace: Option<usize>,
    no_trace: Option<&'static str>,
    ids: Vec<u64>,
}

#[derive(Serialize)]
struct Task<'a> {
    id: u64,
    name: Option<&'a str>,
    parent: Option<u64>,
    nested: bool,
    spawned_at: SpawnedAt<'a>,
    polls: u64,
    age_s: Option<f64>,
    state: &'static str,
    in_state_s: Option<f64>,
    thread: Option<Thread<'a>>,
    trace: Option<usize>,
    no_trace: Option<&'static str>,
}

#[derive(Serialize)]
struct SpawnedAt<'a> {
    file: &'a str,
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct Thread<'a> {
    name: Option<&'a str>,
    id: Option<u64>,
}

#[derive(Serialize)]
struct Trace<'a> {
    dropped: usize,
    nodes: Vec<TraceNode<'a>>,
}

#[derive(Serialize)]
struct TraceNode<'a> {
    parent: Option<usize>,
    function: Option<&'a str>,
    path: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
    module: Option<&'a str>,
    offset: Option<u64>,
    address: Option<String>,
    ends: usize,
    truncated: bool,
    foreign: bool,
    #[serde(rename = "yield")]
    is_yield: bool,
    blocked: bool,
}

pub(crate) fn text(trees: TaskTrees<'_>, pretty: bool) -> String {
    let dump = Dump::new(trees);
    let text = if pretty { serde_json::to_string_pretty(&dump) } else { serde_json::to_string(&dump) };
    // Nothing in it can fail to be written: keys are strings, and numbers are finite.
    escaped_json(text.unwrap_or_default())
}

impl<'a> Dump<'a> {
    fn new(trees: TaskTrees<'a>) -> Self {
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
                traces.push(Trace::new(tree));
            }
        }
        let number = |task: &TaskRecord| numbers.get(task.trace().ok()?).copied().flatten();
        let groups = trees.groups(&Text::new());
        let groups = groups.iter().map(|group| {
            let first = groups.first(group);
            Group {
                count: group.len(),
                state: first.status().state.name(),
                oldest_s: group.oldest().map(seconds),
                youngest_s: group.youngest().map(seconds),
                trace: number(first),
                no_trace: group.no_trace().map(NoTrace::name),
                ids: groups.tasks(group).take(SAMPLES).map(|task| task.id().get()).collect(),
            }
        });
        Self {
            format: "backtrace-waker task dump",
            version: VERSION,
            taken_at: Moment::new(dump.taken_at()).millis(),
            took_ms: seconds(dump.took()) * 1e3,
            partial: dump.is_partial(),
            tasks_alive: dump.alive(),
            tasks_registered: dump.registered(),
            tasks_nested: dump.nested(),
            tasks_unpolled: dump.unpolled(),
            groups: groups.collect(),
            tasks: dump.tasks().iter().map(|task| Task::new(task, number(task))).collect(),
            traces,
        }
    }
}

/// To the microsecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}

impl<'a> Task<'a> {
    fn new(task: &'a TaskRecord, trace: Option<usize>) -> Self {
        let (status, at) = (task.status(), task.spawned_at());
        Self {
            id: task.id().get(),
            name: task.name(),
            parent: task.parent().map(bw_core::TaskId::get),
            nested: task.is_nested(),
            spawned_at: SpawnedAt { file: at.file(), line: at.line(), column: at.column() },
            polls: status.polls,
            age_s: status.age.map(seconds),
            state: status.state.name(),
            in_state_s: status.in_state.map(seconds),
            thread: match &status.state {
                TaskState::Polling(thread) => Some(Thread { name: thread.name(), id: thread.os_id() }),
                _ => None,
            },
            trace,
            no_trace: task.trace().err().map(NoTrace::name),
        }
    }
}

impl<'a> Trace<'a> {
    fn new(tree: &'a Tree) -> Self {
        Self { dropped: tree.dropped(), nodes: tree.nodes().iter().map(TraceNode::new).collect() }
    }
}

impl<'a> TraceNode<'a> {
    fn new(node: &'a Node) -> Self {
        let (function, location) = (node.frame.function.as_ref(), node.frame.location.as_ref());
        let module = node.place.module.as_ref();
        Self {
            parent: node.parent,
            function: function.map(|function| &*function.name),
            path: function.map(|function| &*function.path),
            file: location.map(|location| &*location.file),
            line: location.and_then(|location| location.line),
            column: location.and_then(|location| location.column),
            module: module.map(|module| &*module.path),
            offset: module.map(|module| module.offset),
            address: module.is_none().then(|| format!("{:#x}", node.place.address)),
            ends: node.ends,
            truncated: node.marks.truncated,
            foreign: node.marks.foreign,
            is_yield: node.marks.is_yield,
            blocked: node.marks.blocked,
        }
    }
}
