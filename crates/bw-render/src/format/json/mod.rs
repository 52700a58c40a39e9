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
//! | `notes` | sentences that a person who reads traces of this program should know, such as that debug information is missing |
//! | `groups` | tasks that look alike; first those that hold a thread, in a poll that blocks it or lasts for a second, then the oldest |
//! | `groups[].count`, `.state`, `.oldest_s`, `.youngest_s` | how many they are, what they do, and for how long |
//! | `groups[].trace`, `.no_trace` | as of a task |
//! | `groups[].ids` | the ids of the first ten |
//! | `groups[].names` | the first ten names they have, each once |
//! | `groups[].spawned_at` | the first five places they were spawned at, each once, as of a task |
//! | `tasks` | every task, by id |
//! | `tasks[].id`, `.name`, `.parent` | numbers are unique in the process |
//! | `tasks[].nested` | whether its parent polls it: then it is no task of the runtime's |
//! | `tasks[].spawned_at` | `file`, `line`, `column` |
//! | `tasks[].polls`, `.age_s` | polls that have returned; seconds since it was wrapped |
//! | `tasks[].state`, `.in_state_s` | `never_polled`, `suspended`, `woken`, `polling`, `finished`, `dropped`, `panicked`, and for how long |
//! | `tasks[].thread` | who polls it: `name`, and `id` as the operating system numbers threads |
//! | `tasks[].trace` | the index of its trace in `traces` |
//! | `tasks[].no_trace` | why it has none: a [name](bw_core::NoTrace::name) |
//! | `tasks[].group` | the index of its group in `groups` |
//! | `traces` | each distinct trace once, by the first task that has it |
//! | `traces[].dropped`, `.blank` | stacks that did not fit, and that have no frame at all |
//! | `traces[].nodes` | the tree, a parent before its children |
//! | `traces[].nodes[].parent` | the index of the caller; `null` at a root |
//! | `….function`, `.path`, `.file`, `.line`, `.column` | the function as people write it, as the compiler does, and its position |
//! | `….module`, `.offset` | the file the code is in, and where: for those who symbolize it themselves |
//! | `….address` | the return address as a hexadecimal string, where it lies in no module that is known |
//! | `….ends` | how many stacks end here |
//! | `….truncated`, `.foreign`, `.yield`, `.blocked` | see [`Marks`](crate::Marks) |
//! | `….short` | the function without the generic arguments that make its name long; `null` where it is not |
//! | `….crate` | the crate of the function, if its path names one |
//! | `….class` | whose it is: `user` (the program's), `library`, `std`, `glue` (between a future and its poll), `hook` (this crate's) or `unknown` |
//! | `traces[].user`, `.library` | the tree as [`Detail::User`] and [`Detail::Library`] show it |
//! | `….hidden` | how many of `nodes` are left out of it |
//! | `….nodes` | those that are left, a parent before its children |
//! | `….nodes[].node` | the index in the trace's `nodes` |
//! | `….nodes[].parent` | the index, in this list, of the caller that is left |
//! | `….nodes[].count` | how many equal ones it stands for, what is printed as `(×N)` |
//! | `….nodes[].truncated`, `.foreign`, `.yield`, `.blocked` | as of a node, of those it stands for |

pub(crate) mod task_record;

use std::collections::HashSet;
use std::hash::Hash;
use std::time::Duration;

use bw_core::{NoTrace, TaskRecord, TaskState};
use serde::Serialize;

use crate::dump::TaskTrees;
use crate::dump::groups::Groups;
use crate::text::escape::escaped_json;
use crate::text::paths::Paths;
use crate::text::short_name;
use crate::text::{Text, debug_info};
use crate::tree::class::{Class, CratesWithSource, crate_of};
use crate::tree::filter::Detail;
use crate::tree::{Node, Tree};
use bw_dump::rfc3339;

pub use crate::text::escape::escaped_json as escaped;

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
        let dump = Dump::new(trees, &self.paths);
        let text =
            if self.pretty { serde_json::to_string_pretty(&dump) } else { serde_json::to_string(&dump) };
        // Nothing in it can fail to be written: keys are strings, and numbers are finite.
        escaped_json(text.unwrap_or_default())
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
    pub(crate) notes: Vec<&'static str>,
    pub(crate) groups: Vec<Group<'a>>,
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
    pub(crate) id: u64,
    pub(crate) name: Option<&'a str>,
    pub(crate) parent: Option<u64>,
    pub(crate) nested: bool,
    pub(crate) spawned_at: SpawnedAt<'a>,
    pub(crate) polls: u64,
    pub(crate) age_s: Option<f64>,
    pub(crate) state: &'static str,
    pub(crate) in_state_s: Option<f64>,
    pub(crate) thread: Option<Thread<'a>>,
    pub(crate) trace: Option<usize>,
    pub(crate) no_trace: Option<&'static str>,
    pub(crate) group: usize,
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

#[derive(Serialize)]
pub(crate) struct Trace<'a> {
    pub(crate) dropped: usize,
    pub(crate) blank: usize,
    pub(crate) nodes: Vec<TraceNode<'a>>,
    pub(crate) user: View,
    pub(crate) library: View,
}

#[derive(Serialize)]
pub(crate) struct TraceNode<'a> {
    /// What it is made of.
    #[serde(skip)]
    pub(crate) node: &'a Node,
    pub(crate) parent: Option<usize>,
    pub(crate) function: Option<&'a str>,
    path: Option<&'a str>,
    pub(crate) file: Option<&'a str>,
    pub(crate) line: Option<u32>,
    pub(crate) column: Option<u32>,
    module: Option<&'a str>,
    offset: Option<u64>,
    address: Option<String>,
    ends: usize,
    pub(crate) truncated: bool,
    pub(crate) foreign: bool,
    #[serde(rename = "yield")]
    pub(crate) is_yield: bool,
    pub(crate) blocked: bool,
    pub(crate) short: Option<String>,
    #[serde(rename = "crate")]
    pub(crate) owner: Option<&'a str>,
    pub(crate) class: &'static str,
}

/// What is left of a tree.
#[derive(Serialize)]
pub(crate) struct View {
    pub(crate) hidden: usize,
    pub(crate) nodes: Vec<ViewNode>,
}

#[derive(Serialize)]
pub(crate) struct ViewNode {
    pub(crate) node: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) count: usize,
    pub(crate) truncated: bool,
    pub(crate) foreign: bool,
    #[serde(rename = "yield")]
    pub(crate) is_yield: bool,
    pub(crate) blocked: bool,
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
        let mut group_of = vec![0; dump.tasks().len()];
        for (number, group) in groups.iter().enumerate() {
            for &at in group.indices() {
                group_of[at] = number;
            }
        }
        let tasks = dump.tasks().iter().zip(group_of);
        Self {
            format: "backtrace-waker task dump",
            version: VERSION,
            taken_at: rfc3339::milliseconds(dump.taken_at()),
            took_ms: (dump.took().as_secs_f64() * 1e6).round() / 1e3,
            partial: dump.is_partial(),
            tasks_alive: dump.alive(),
            tasks_registered: dump.registered(),
            tasks_nested: dump.nested(),
            tasks_unpolled: dump.unpolled(),
            notes: notes(trees.all_trees()),
            groups: groups.iter().map(|group| Group::new(&groups, group, number, paths)).collect(),
            tasks: tasks.map(|(task, group)| Task::new(task, number(task), group, paths)).collect(),
            traces,
        }
    }
}

fn notes(trees: &[Tree]) -> Vec<&'static str> {
    let debug_info = trees.iter().any(debug_info::lacks_debug_info).then_some(debug_info::LACKS_DEBUG_INFO);
    let paths = trees.iter().any(debug_info::lacks_paths).then_some(debug_info::LACKS_PATHS);
    debug_info.into_iter().chain(paths).collect()
}

/// To the microsecond.
pub(crate) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
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
            spawned_at: first_distinct(tasks().map(|task| SpawnedAt::new(task, paths)), PLACES),
        }
    }
}

/// The first few that are not equal, in order.
fn first_distinct<T: Copy + Eq + Hash>(all: impl Iterator<Item = T>, most: usize) -> Vec<T> {
    let mut known = HashSet::new();
    all.filter(|&one| known.len() < most && known.insert(one)).take(most).collect()
}

impl<'a> Task<'a> {
    fn new(task: &'a TaskRecord, trace: Option<usize>, group: usize, paths: &Paths) -> Self {
        let status = task.status();
        Self {
            id: task.id().get(),
            name: task.name(),
            parent: task.parent().map(bw_core::TaskId::get),
            nested: task.is_nested(),
            spawned_at: SpawnedAt::new(task, paths),
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
            group,
        }
    }
}

impl<'a> SpawnedAt<'a> {
    fn new(task: &'a TaskRecord, paths: &Paths) -> Self {
        let at = task.spawned_at();
        Self { file: paths.show(at.file(), true), line: at.line(), column: at.column() }
    }
}

impl<'a> Trace<'a> {
    pub(crate) fn new(tree: &'a Tree, paths: &Paths) -> Self {
        let crates = CratesWithSource::of(tree.nodes().iter().map(|node| &node.frame));
        let nodes = tree.nodes().iter().map(|node| TraceNode::new(node, &crates, paths)).collect();
        let (user, library) = (View::new(tree, Detail::User), View::new(tree, Detail::Library));
        Self { dropped: tree.dropped(), blank: tree.blank(), nodes, user, library }
    }
}

impl<'a> TraceNode<'a> {
    fn new(node: &'a Node, crates: &CratesWithSource<'_>, paths: &Paths) -> Self {
        let (function, location) = (node.frame.function.as_ref(), node.frame.location.as_ref());
        let module = node.place.module.as_ref();
        let short = function.map(|function| (short_name::shorten(&function.name, "…"), &*function.name));
        Self {
            node,
            parent: node.parent,
            function: function.map(|function| &*function.name),
            path: function.map(|function| &*function.path),
            file: location.map(|location| paths.show(&location.file, true)),
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
            short: short.and_then(|(short, name)| (short != name).then(|| short.into_owned())),
            owner: function.and_then(|function| crate_of(&function.path)),
            class: Class::of_node(node, crates).name(),
        }
    }
}

impl View {
    fn new(tree: &Tree, detail: Detail) -> Self {
        let tree = tree.filtered(detail);
        let node = |node: &Node| ViewNode {
            node: node.source,
            parent: node.parent,
            count: node.count,
            truncated: node.marks.truncated,
            foreign: node.marks.foreign,
            is_yield: node.marks.is_yield,
            blocked: node.marks.blocked,
        };
        Self { hidden: tree.hidden().total(), nodes: tree.nodes().iter().map(node).collect() }
    }
}
