//! A program that a test starts and looks at.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use bw_core::{NoTrace, TaskRecord};
use bw_inspect::target::LiveProcess;
use bw_inspect::{Inspection, Limits, inspect};
use bw_symbolize::{SymbolSources, Symbolizer};
use tokio::task::JoinHandle;

/// The variable that says which program to be.
pub(crate) const WHICH: &str = "EXECUTORS_PROGRAM";

pub(crate) const LONG: Duration = Duration::from_secs(86_400);
/// How long tasks may take to come to rest.
const TIME_TO_REST: Duration = Duration::from_secs(50);

/// Spawns a task on tokio, and says its id and its name.
pub(crate) fn spawn<F>(name: &str, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let task = tokio::spawn(future);
    println!("{} {name}", task.id());
    task
}

/// A program as it runs. It ends with this value.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    /// Kept open: the harness of a program that runs for a minute says so.
    _output: Lines<BufReader<ChildStdout>>,
    /// Names and ids of the tasks that it has said.
    tasks: BTreeMap<String, u64>,
}

impl Program {
    /// Starts a program, and waits until it says `ready`.
    pub(crate) fn start(which: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["the_program", "--exact", "--ignored", "--nocapture"]).env(WHICH, which);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut output = output.lines();
        // The harness prints lines of its own before.
        let lines = output.by_ref().map(Result::unwrap).skip_while(|line| line != "tasks").skip(1);
        let of_task = |line: String| {
            let (id, name) = line.split_once(' ').unwrap();
            (name.to_owned(), id.parse().unwrap())
        };
        let tasks = lines.take_while(|line| line != "ready").map(of_task).collect();
        Self { child, _output: output, tasks }
    }

    /// Sends it a line.
    pub(crate) fn go_on(&mut self) {
        writeln!(self.child.stdin.as_ref().unwrap()).unwrap();
    }

    /// Looks at it again and again until `is_settled`, and then once more: a task that was polled for the first time while the wakers in
    /// memory were looked for may have stored its own behind the search.
    pub(crate) fn inspect_until(
        &self,
        limits: &Limits,
        is_settled: impl Fn(&Inspection) -> bool,
    ) -> Inspection {
        let process = LiveProcess::open(self.child.id()).unwrap();
        let until = Instant::now() + TIME_TO_REST;
        let mut was_settled = false;
        loop {
            let inspection = inspect(&process, limits).unwrap();
            let settled = is_settled(&inspection);
            if settled && was_settled {
                return inspection;
            }
            was_settled = settled;
            assert!(Instant::now() < until, "it does not rest: {:#?}", inspection.dump());
            std::thread::yield_now();
        }
    }

    /// Looks at it until none of its tasks waits to be polled.
    pub(crate) fn inspect_when_idle(&self, limits: &Limits) -> Inspection {
        self.inspect_until(limits, |inspection| {
            let is_idle = |id: &u64| {
                let mut tasks = inspection.dump().tasks().iter();
                let task = tasks.find(|task| task.id().get() == *id);
                task.is_some_and(|task| {
                    !matches!(task.trace(), Err(NoTrace::Queued | NoTrace::Running | NoTrace::Moved))
                })
            };
            self.tasks.values().all(is_idle)
        })
    }

    /// Whether it runs on.
    pub(crate) fn is_alive(&self) -> bool {
        LiveProcess::open(self.child.id()).is_ok_and(|process| process.is_alive())
    }

    /// The task of a name that the program has said.
    pub(crate) fn task<'a>(&self, inspection: &'a Inspection, name: &str) -> &'a TaskRecord {
        let id = self.tasks[name];
        inspection.dump().tasks().iter().find(|task| task.id().get() == id).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The labels of the lines in files of these tests; a label stands in a comment at the end of its line.
fn label(file: &str, line: u32) -> Option<&'static str> {
    const FILES: [(&str, &str); 5] = [
        ("allocation.rs", include_str!("allocation.rs")),
        ("async_tasks.rs", include_str!("async_tasks.rs")),
        ("children.rs", include_str!("children.rs")),
        ("roots.rs", include_str!("roots.rs")),
        ("activity.rs", include_str!("activity.rs")),
    ];

    let (_, text) = FILES.iter().find(|(name, _)| file.ends_with(&format!("tests/executors/{name}")))?;
    let line = text.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)?;
    Some(line.split_once("// @")?.1.trim())
}

pub(crate) fn symbolizer(inspection: &Inspection) -> Symbolizer {
    Symbolizer::for_modules(inspection.modules().clone(), SymbolSources::new())
}

/// How many places of each way a task waits at. A way is the labels that its frames go through, root first.
pub(crate) fn ways(
    inspection: &Inspection,
    symbolizer: &Symbolizer,
    task: &TaskRecord,
) -> BTreeMap<String, usize> {
    let mut ways = BTreeMap::new();
    let Some(trace) = inspection.dump().trace_of(task) else { return ways };
    for stack in symbolizer.symbolize(trace).stacks {
        let frames = stack.frames.iter().rev().flat_map(|physical| physical.frames.iter().rev());
        let places = frames.filter_map(|frame| frame.location.as_ref());
        let mut labels: Vec<&str> = places.filter_map(|place| label(&place.file, place.line?)).collect();
        labels.dedup();
        *ways.entry(labels.join("/")).or_default() += 1;
    }
    ways
}
