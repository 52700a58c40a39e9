//! Dumps by hand. Tasks are written as raw dump files have them, so that all that is read comes the way it does from a process.

use std::sync::Arc;
use std::time::Instant;

use bw_dump::{ModuleMap, RawDumpFile};
use bw_render::{TaskTrees, Tree};
use bw_symbolize::{Frame, Function, Location, PhysicalFrame, SymbolSources, SymbolizedTrace, Symbolizer};
use serde_json::{Value, json};

use crate::output::snapshot::Snapshot;
use crate::top::model::dump_summary::{DumpSummary, Previous};

/// A dump by hand.
#[derive(Clone)]
pub(crate) struct Dump {
    pub(crate) tasks: Vec<Value>,
    pub(crate) alive: Option<usize>,
    /// Seconds after the first.
    pub(crate) later: u32,
    pub(crate) pid: u32,
    pub(crate) started_at: &'static str,
    /// Functions of each trace, root first: name, and a line of `src/main.rs`.
    pub(crate) traces: Vec<Vec<(String, u32)>>,
}

impl Dump {
    pub(crate) fn new(tasks: Vec<Value>) -> Self {
        let trace = |functions: &[(&str, u32)]| {
            functions.iter().map(|&(name, line)| (name.to_owned(), line)).collect::<Vec<_>>()
        };
        let traces = vec![
            trace(&[("async fn shop::sell", 35), ("async fn tokio::sync::mutex::Mutex<T>::lock", 455)]),
            trace(&[
                ("async fn shop::restock", 72),
                ("async fn shop::order", 80),
                ("<tokio::time::sleep::Sleep as core::future::future::Future>::poll", 457),
            ]),
            trace(&[("async fn shop::serve", 20)]),
        ];
        Self { tasks, alive: None, later: 0, pid: 4711, started_at: "2026-09-21T12:00:00Z", traces }
    }

    /// A few of everything.
    pub(crate) fn shop() -> Self {
        let mut dump = Self::new(vec![
            task(1, "suspended", 7_200.0, json!({"name": "accept", "trace": 2, "polls": 120})),
            task(2, "suspended", 12.5, json!({"name": "seller", "trace": 0, "parent": 1})),
            task(3, "suspended", 12.4, json!({"name": "seller", "trace": 0, "parent": 1})),
            task(4, "suspended", 3.0, json!({"name": "seller", "trace": 0, "parent": 1, "polls": 44})),
            task(5, "suspended", 0.4, json!({"name": "restock", "trace": 1})),
            task(6, "suspended", 0.2, json!({"trace": 1, "parent": 5, "nested": true})),
            task(9, "never_polled", 0.1, json!({"no_trace": "never_polled"})),
            task(
                12,
                "polling",
                4.2,
                json!({"name": "report", "no_trace": "not_polled",
                "thread": {"name": "tokio-rt-worker", "id": 4713}}),
            ),
            task(13, "woken", 2.0, json!({"name": "audit", "no_trace": "not_polled"})),
        ]);
        dump.alive = Some(11);
        dump
    }

    /// Many tasks, each with a name, children of each other by tens.
    pub(crate) fn many(count: usize) -> Self {
        let states = ["suspended", "suspended", "suspended", "woken"];
        let tasks = (1..=count).map(|id| {
            #[allow(clippy::cast_precision_loss, reason = "small")]
            let time = (id * 7_919 % 1_000) as f64;
            let more = json!({"name": format!("connection {}", id % 5_003), "trace": id % 3, "polls": id * 31 % 1_009});
            let mut task = task(id, states[id % 4], time, more);
            if id % 10 != 1 {
                task["parent"] = json!(id - id % 10 + 1);
            }
            task
        });
        Self::new(tasks.collect())
    }

    pub(crate) fn task(&mut self, id: usize) -> &mut Value {
        self.tasks.iter_mut().find(|task| task["id"] == id).unwrap()
    }

    /// The same dump seconds later.
    pub(crate) fn after(&self, seconds: u32) -> Self {
        Self { later: self.later + seconds, ..self.clone() }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        // Each function has an address of its own.
        let address = |trace: usize, level: usize| 0x1000 + trace * 0x100 + level;
        let frames = |(trace, functions): (usize, &Vec<(String, u32)>)| {
            let levels = (0..functions.len()).rev();
            let addresses = levels.map(|level| json!([null, format!("{:#x}", address(trace, level))]));
            json!({"frames": addresses.collect::<Vec<_>>()})
        };
        let file = json!({
            "format": "backtrace-waker raw dump",
            "version": 1,
            "process": {"pid": self.pid, "executable": "/srv/shop", "started_at": self.started_at,
                "os": "linux", "architecture": "x86_64"},
            "taken_at": format!("2026-09-21T14:13:{:02}Z", 20 + self.later),
            "took_ns": 84_000_000,
            "registered": self.tasks.len(),
            "alive": self.alive,
            "modules": [],
            "places": [{"file": "src/main.rs", "line": 12, "column": 9}],
            "stacks": self.traces.iter().enumerate().map(frames).collect::<Vec<_>>(),
            "traces": (0..self.traces.len()).map(|stack| json!({"stacks": [stack]})).collect::<Vec<_>>(),
            "tasks": self.tasks,
        });
        let file = RawDumpFile::read(&*serde_json::to_vec(&file).unwrap()).unwrap();
        let trees = self.trees(&file, address);
        Snapshot::by_hand(file, trees)
    }

    fn trees(&self, file: &RawDumpFile<'_>, address: impl Fn(usize, usize) -> usize) -> Vec<Tree> {
        let nowhere = Symbolizer::for_modules(ModuleMap::default(), SymbolSources::new());
        let name = |frame: &PhysicalFrame| {
            let all = self.traces.iter().enumerate();
            let mut levels =
                all.flat_map(|(trace, functions)| functions.iter().enumerate().map(move |it| (trace, it)));
            let (_, (_, (name, line))) =
                levels.find(|(trace, (level, _))| address(*trace, *level) == frame.address.get()).unwrap();
            let location = Location::new("src/main.rs", Some(*line), Some(5));
            let function = Function::new(&**name, &**name);
            let frame_of_it = Frame::new(Some(function), Some(location), false);
            PhysicalFrame::new(frame.address, frame.module.clone(), vec![frame_of_it])
        };
        let named = |mut trace: SymbolizedTrace| {
            for frame in trace.stacks.iter_mut().flat_map(|stack| &mut stack.frames) {
                *frame = Arc::new(name(frame));
            }
            trace
        };
        let traces: Vec<_> =
            file.dump().traces().iter().map(|trace| named(nowhere.symbolize(trace))).collect();
        TaskTrees::trees(file.dump(), &traces)
    }

    pub(crate) fn summary(&self, before: Option<&Previous>) -> DumpSummary {
        DumpSummary::new(self.snapshot(), Instant::now(), before).at_once()
    }
}

/// A task that is a minute old and has been polled ten times, unless something else is said.
pub(crate) fn task(id: usize, state: &str, seconds: f64, more: Value) -> Value {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
    let nanoseconds = |seconds: f64| (seconds * 1e9) as u64;
    let mut task = json!({"id": id, "spawned_at": 0, "polls": 10, "state": state,
        "in_state_ns": nanoseconds(seconds), "age_ns": nanoseconds(seconds + 60.0)});
    if let (Value::Object(task), Value::Object(more)) = (&mut task, more) {
        task.extend(more);
    }
    task
}
