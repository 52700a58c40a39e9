//! The same futures, looked at from outside: the frames are those that the tasks themselves record.
//!
//! A test starts this program again, with [`LEFT`] set. The tests of the modules below then leave their tasks to one runtime instead of
//! checking them, one after the other. The last of them, [`stays`], says which tasks there are, and asks them when it is told.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bw_core::{NoTrace, RawTrace, Registry, TaskRecord};
use bw_dump::RawDumpFile;
use bw_inspect::target::LiveProcess;
use bw_inspect::{Inspection, Limits, inspect};
use bw_symbolize::{SymbolSources, SymbolizedStack, Symbolizer};

use crate::harness::{LEFT, left};

/// The modules whose tasks are left. `ends` has stacks that are deeper than what is kept of one.
const MODULES: [&str; 9] = [
    "channels::",
    "combinators::",
    "io::",
    "names::",
    "optimized::",
    "printed::",
    "shapes::",
    "sync::",
    "tasks::",
];
/// What the names of tests contain whose tasks are polled all the time.
const NEVER_SUSPENDED: [&str; 3] = ["yield_now", "yield_by_waking", "budget_is_spent"];
/// A line in front of the tasks, and one behind them.
const BEGIN: &str = "left:";
const END: &str = "stays";
/// How long tasks may take to come to rest.
const TIME_TO_REST: Duration = Duration::from_secs(60);
/// Stacks that are compared at least; fewer mean that tests were not run.
const LEAST_STACKS: usize = 200;

#[test]
#[ignore = "the end of the program that the other test of this module starts"]
fn stays() {
    println!("\n{BEGIN}");
    for (id, own_id, test) in left() {
        println!("{id} {own_id} {test}");
    }
    println!("{END}");
    let mut path = String::new();
    std::io::stdin().read_line(&mut path).expect("stdin can be read");
    let dump = Registry::global().dump().blocking();
    let file = File::create(path.trim()).expect("the file can be written");
    RawDumpFile::of_this_process(&dump).write(file).expect("it is written");
    println!("written");
    // It ends with its reader.
    let _ = std::io::stdin().read_line(&mut path);
}

/// A program with tasks that wait. It ends with this value.
struct Watched {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    /// Ids of tokio, ids of ours, names of tests.
    tasks: Vec<(u64, u64, String)>,
}

impl Watched {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().expect("it has a path"))
            .args(MODULES)
            .args(["watched::stays", "--include-ignored", "--nocapture", "--test-threads=1"])
            .args(NEVER_SUSPENDED.iter().flat_map(|test| ["--skip", test]))
            .env(LEFT, "1")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Tests that want what was recorded fail there.
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let lines = output.by_ref().lines().map(|line| line.expect("it is text"));
        let tasks = lines.skip_while(|line| line != BEGIN).skip(1).take_while(|line| line != END);
        let tasks = tasks.map(|line| {
            let mut words = line.splitn(3, ' ');
            let mut number = || words.next().and_then(|word| word.parse().ok()).expect("a number");
            (number(), number(), words.next().unwrap_or_default().to_owned())
        });
        let tasks = tasks.collect();
        Self { child, output, tasks }
    }

    /// Looks at it until all of its tasks wait, or are over.
    fn look(&self) -> Inspection {
        let process = LiveProcess::open(self.child.id()).expect("it runs");
        let until = Instant::now() + TIME_TO_REST;
        loop {
            let inspection = inspect(&process, &Limits::default()).expect("it runs");
            let is_busy = |task: &TaskRecord| {
                matches!(task.trace(), Err(NoTrace::Queued | NoTrace::Running | NoTrace::Moved))
            };
            let busy = self.tasks.iter().filter(|(id, ..)| record(&inspection, *id).is_some_and(is_busy));
            let busy: Vec<_> = busy.collect();
            if busy.is_empty() {
                return inspection;
            }
            assert!(Instant::now() < until, "{busy:?} do not rest");
            std::thread::yield_now();
        }
    }

    fn ask(&mut self) -> RawDumpFile<'static> {
        let path = std::env::temp_dir().join(format!("watched-{}.dump", self.child.id()));
        writeln!(self.child.stdin.as_ref().expect("it is piped"), "{}", path.display()).expect("it reads");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("it answers");
        assert_eq!(answer, "written\n");
        let file = RawDumpFile::read(File::open(&path).expect("it is there")).expect("it is a dump");
        std::fs::remove_file(&path).expect("it is there");
        file
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn record(inspection: &Inspection, id: u64) -> Option<&TaskRecord> {
    inspection.dump().tasks().iter().find(|task| task.id().get() == id)
}

/// The frames of a stack from the leaf to the wrapper: function, file, line and column. Without the function of the waker, which is the
/// runtime's in one and the hook's in the other; and without addresses, since the wrapper polls with two copies of the future's code.
fn places(stack: &SymbolizedStack) -> Vec<String> {
    let frames = stack.frames.iter().skip(1).flat_map(|physical| &physical.frames);
    let frames = frames.take_while(|frame| {
        let file = frame.location.as_ref().map(|location| &*location.file);
        !file.is_some_and(|file| file.contains("bw-core/src/task/"))
    });
    let place = |frame: &bw_symbolize::Frame| {
        let (function, location) = (frame.function.as_ref(), frame.location.as_ref());
        let name = function.map(|function| &*function.name).unwrap_or_default();
        format!("{name} at {}", location.map(ToString::to_string).unwrap_or_default())
    };
    frames.map(place).collect()
}

fn all_places(symbolizer: &Symbolizer, trace: &RawTrace) -> BTreeSet<Vec<String>> {
    symbolizer.symbolize(trace).stacks.iter().map(places).collect()
}

/// Whether the stack of a future goes through one that polls its children with wakers of its own.
fn is_of_a_child(stack: &[String]) -> bool {
    let polls_children = |place: &String| {
        ["::futures_unordered::FuturesUnordered", "::shared::Shared"].iter().any(|name| place.contains(name))
    };
    stack.iter().any(polls_children)
}

#[test]
fn a_look_from_outside_shows_other_frames_than_the_tasks() {
    let mut watched = Watched::start();
    let inspection = watched.look();
    let asked = watched.ask();
    let symbolizer = Symbolizer::for_modules(inspection.modules().clone(), SymbolSources::new());
    let (mut tasks, mut stacks, mut over, mut different) = (0, 0, 0, Vec::new());
    for (id, own_id, test) in &watched.tasks {
        let own = asked.dump().tasks().iter().find(|task| task.id().get() == *own_id);
        let look = record(&inspection, *id);
        // Its channel, or what else it waited for, ended with the test.
        let is_over = |look: &TaskRecord| look.trace() == Err(NoTrace::Retained);
        let Some(own) = own.filter(|_| !look.is_some_and(is_over)) else {
            over += 1;
            continue;
        };
        let of = |trace: Option<&RawTrace>| trace.map(|trace| all_places(&symbolizer, trace));
        let own = of(asked.dump().trace_of(own));
        let mut from_outside = of(look.and_then(|look| inspection.dump().trace_of(look)));
        // A task that is asked polls no child that was not woken. A look shows these, too.
        if let (Some(from_outside), Some(own)) = (&mut from_outside, &own) {
            from_outside.retain(|stack| own.contains(stack) || !is_of_a_child(stack));
        }
        let incomplete = look.and_then(TaskRecord::incomplete);
        match own {
            Some(own) if from_outside.as_ref() == Some(&own) && incomplete.is_none() => {
                tasks += 1;
                stacks += own.len();
            }
            own => different
                .push(format!("{test}: {incomplete:?}\n outside {from_outside:#?}\n itself {own:#?}")),
        }
    }
    println!(
        "{tasks} tasks with {stacks} stacks are equal, {} tasks are not, {over} are over",
        different.len()
    );
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(stacks >= LEAST_STACKS, "only {stacks} stacks were compared");
}
