//! The data of the page: what the JSON says, in columns.
//!
//! A dump of 100,000 tasks is some 30 MB of JSON, most of which are names of fields and the same strings again. Here each
//! string stands once, each function at a place once, and a task is a number in each of a dozen lists. A live page fetches
//! pages of dumps, and reads the columns in them. Nobody else reads them.

use std::borrow::Cow;

use serde::Serialize;

use crate::format::json::task_fields::SpawnedAt;
use crate::format::json::trace_json::{Trace, TraceNode, View};
use crate::format::json::{Dump, Task};
use crate::format::numbered::Numbered;
use crate::text::shown_node::ShownName;

/// What `html/dump.js` knows. A live page may be of another build than the agent that is asked later.
const VERSION: u32 = 1;

#[derive(Serialize)]
pub(crate) struct Columns<'a> {
    format: &'static str,
    version: u32,
    subject: Option<&'a str>,
    taken_at: &'a str,
    took_ms: f64,
    partial: bool,
    alive: Option<usize>,
    registered: usize,
    nested: usize,
    unpolled: usize,
    origin: Option<&'a str>,
    notes: &'a [&'a str],
    strings: Vec<Cow<'a, str>>,
    places: Places,
    frames: Frames,
    traces: Vec<Views>,
    groups: usize,
    tasks: Tasks,
}

/// Where tasks were spawned. Files are numbers of strings.
#[derive(Default, Serialize)]
struct Places {
    file: Vec<usize>,
    line: Vec<u32>,
    column: Vec<u32>,
}

/// Functions at places. All but lines and columns are numbers of strings.
#[derive(Default, Serialize)]
struct Frames {
    function: Vec<Option<usize>>,
    short: Vec<Option<usize>>,
    /// What is shown where there is no function.
    address: Vec<Option<usize>>,
    file: Vec<Option<usize>>,
    line: Vec<Option<u32>>,
    column: Vec<Option<u32>>,
    owner: Vec<Option<usize>>,
    class: Vec<usize>,
}

/// A trace as each detail shows it.
#[derive(Serialize)]
struct Views {
    dropped: usize,
    blank: usize,
    user: Nodes,
    library: Nodes,
    full: Nodes,
}

#[derive(Default, Serialize)]
struct Nodes {
    hidden: usize,
    frame: Vec<usize>,
    parent: Vec<Option<usize>>,
    count: Vec<usize>,
    /// 1: truncated, 2: foreign, 4: yield, 8: blocked, 16: its budget is spent, 32: polls its children with its own waker,
    /// 64: the type of the task, 128: truncated since it is too deep.
    marks: Vec<u8>,
}

/// One number of each task in each. Times are in milliseconds.
#[derive(Default, Serialize)]
struct Tasks {
    id: Vec<u64>,
    name: Vec<Option<usize>>,
    parent: Vec<Option<u64>>,
    nested: Vec<u8>,
    place: Vec<usize>,
    polls: Vec<u64>,
    age: Vec<Option<u64>>,
    state: Vec<usize>,
    in_state: Vec<Option<u64>>,
    trace: Vec<Option<usize>>,
    no_trace: Vec<Option<usize>>,
    group: Vec<usize>,
    /// Of those that only a request polled for a second or longer: their index, and how long ago.
    late: Vec<(usize, u64)>,
    /// Of those that are being polled: their index, the thread's name and its number.
    threads: Vec<(usize, Option<usize>, Option<u64>)>,
}

impl<'a> Columns<'a> {
    pub(crate) fn new(dump: &'a Dump<'a>, subject: Option<&'a str>) -> Self {
        let mut strings = Strings::default();
        let (mut places, mut frames) = (Numbered::default(), Numbered::default());
        let mut tasks = Tasks::default();
        for task in &dump.tasks {
            tasks.push(task, &mut strings, &mut places);
        }
        let traces: Vec<_> =
            dump.traces.iter().map(|trace| Views::new(trace, &mut strings, &mut frames)).collect();
        Self {
            format: "backtrace-waker page",
            version: VERSION,
            subject,
            taken_at: &dump.taken_at,
            took_ms: dump.took_ms,
            partial: dump.partial,
            alive: dump.tasks_alive,
            registered: dump.tasks_registered,
            nested: dump.tasks_nested,
            unpolled: dump.tasks_unpolled,
            origin: dump.origin.as_deref(),
            notes: &dump.notes,
            places: Places::new(places.into_values(), &mut strings),
            frames: Frames::new(frames.into_values()),
            traces,
            groups: dump.groups.len(),
            tasks,
            strings: strings.0.into_values(),
        }
    }
}

#[derive(Default)]
struct Strings<'a>(Numbered<Cow<'a, str>>);

impl<'a> Strings<'a> {
    fn number(&mut self, text: Cow<'a, str>) -> usize {
        self.0.number(text)
    }

    fn text(&mut self, text: &'a str) -> usize {
        self.number(Cow::Borrowed(text))
    }

    fn maybe(&mut self, text: Option<&'a str>) -> Option<usize> {
        text.map(|text| self.text(text))
    }
}

impl Places {
    fn new<'a>(all: Vec<SpawnedAt<'a>>, strings: &mut Strings<'a>) -> Self {
        let mut places = Self::default();
        for at in all {
            places.file.push(strings.text(at.file));
            places.line.push(at.line);
            places.column.push(at.column);
        }
        places
    }
}

impl Tasks {
    fn push<'a>(
        &mut self,
        task: &'a Task<'a>,
        strings: &mut Strings<'a>,
        places: &mut Numbered<SpawnedAt<'a>>,
    ) {
        let Task { fields, .. } = task;
        if let Some(thread) = fields.thread {
            self.threads.push((self.id.len(), strings.maybe(thread.name), thread.id));
        }
        if let Some(time) = fields.polled_late_s {
            self.late.push((self.id.len(), millis(time)));
        }
        self.id.push(fields.id);
        self.name.push(strings.maybe(fields.name));
        self.parent.push(fields.parent);
        self.nested.push(fields.nested.into());
        self.place.push(places.number(fields.spawned_at));
        self.polls.push(fields.polls);
        self.age.push(fields.age_s.map(millis));
        self.state.push(strings.text(fields.state));
        self.in_state.push(fields.in_state_s.map(millis));
        self.trace.push(task.trace);
        self.no_trace.push(strings.maybe(task.no_trace));
        self.group.push(task.group);
    }
}

/// Rounded down, as spans are printed.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Saturates, and durations are not negative.
fn millis(seconds: f64) -> u64 {
    (seconds * 1e3) as u64
}

/// A function at a place; all by number.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Frame {
    function: Option<usize>,
    short: Option<usize>,
    address: Option<usize>,
    file: Option<usize>,
    line: Option<u32>,
    column: Option<u32>,
    owner: Option<usize>,
    class: usize,
}

impl Frame {
    fn new<'a>(node: &'a TraceNode<'a>, strings: &mut Strings<'a>) -> Self {
        // Only where it is shown: else the same function would be another at each of its callers.
        let nameless = || ShownName::of_nameless(node.node).escaped("…").to_string();
        let address = node.function.is_none().then(|| strings.number(nameless().into()));
        Self {
            function: strings.maybe(node.function),
            short: strings.maybe(node.short.as_deref()),
            address,
            file: strings.maybe(node.file),
            line: node.line,
            column: node.column,
            owner: strings.maybe(node.owner),
            class: strings.text(node.class),
        }
    }
}

impl Frames {
    fn new(all: Vec<Frame>) -> Self {
        let mut frames = Self::default();
        for frame in all {
            frames.function.push(frame.function);
            frames.short.push(frame.short);
            frames.address.push(frame.address);
            frames.file.push(frame.file);
            frames.line.push(frame.line);
            frames.column.push(frame.column);
            frames.owner.push(frame.owner);
            frames.class.push(frame.class);
        }
        frames
    }
}

impl Views {
    fn new<'a>(trace: &'a Trace<'a>, strings: &mut Strings<'a>, frames: &mut Numbered<Frame>) -> Self {
        let numbers: Vec<_> =
            trace.nodes.iter().map(|node| frames.number(Frame::new(node, strings))).collect();
        let view = |view: &View| {
            let mut nodes = Nodes { hidden: view.hidden, ..Nodes::default() };
            for node in &view.nodes {
                let marks = [node.truncated, node.foreign, node.is_yield, node.blocked];
                let marks = marks.into_iter().chain([node.budget_spent, node.sub_executor]);
                let marks: Vec<_> = marks.chain([node.of_type, node.too_deep]).collect();
                nodes.push(numbers[node.node], node.parent, node.count, marks.into_iter());
            }
            nodes
        };
        let (user, library) = (view(&trace.user), view(&trace.library));
        let mut full = Nodes::default();
        for (node, frame) in trace.nodes.iter().zip(&numbers) {
            let marks = [node.truncated, node.foreign, node.is_yield, node.blocked];
            let marks: Vec<_> =
                marks.into_iter().chain([false, false, node.of_type, node.too_deep]).collect();
            full.push(*frame, node.parent, node.node.count(), marks.into_iter());
        }
        Self { dropped: trace.dropped, blank: trace.blank, user, library, full }
    }
}

impl Nodes {
    fn push(
        &mut self,
        frame: usize,
        parent: Option<usize>,
        count: usize,
        marks: impl DoubleEndedIterator<Item = bool>,
    ) {
        self.frame.push(frame);
        self.parent.push(parent);
        self.count.push(count);
        self.marks.push(marks.rev().fold(0, |bits, mark| bits << 1 | u8::from(mark)));
    }
}
