//! Every task at once: many suspended tasks of a [service], each contestant in a process of its own.
//!
//! What is asked for is text, as a person would read it. None of the peers groups tasks that look alike, so theirs is of every
//! task, and stands beside our groups as well as beside our text of every task.

use std::future::poll_fn;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use backtrace_waker::{Registry, TaskDump};
use tokio::runtime::Runtime;

use crate::measure::service::{self, FUNCTION, Shared, framed, labelled, plain};
use crate::measure::{memory, name};
use crate::{Effort, median};

/// What one process takes, in this order; see [`take`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// From the request to text, in groups if it can; the first of the process. Milliseconds.
    GroupedFirst,
    /// The same, later.
    Grouped,
    /// From the request to raw traces, or whatever it makes text from. Milliseconds, and not the first.
    Capture,
    /// From the request to the text of every task. Milliseconds, and not the first.
    Full,
    /// By how much the first text raised the process's resident memory, at most. Megabytes.
    Peak,
}

/// How many parts there are.
pub const PARTS: usize = 5;

/// Whoever takes longer than this for the first text is not asked for another.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process that has not ended by then never will: tokio's dump has been seen not to.
const STUCK: Duration = Duration::from_secs(150);

/// Who can take part. Those who take minutes do not where that is too long.
#[must_use]
pub fn names(tasks: usize, effort: &Effort) -> Vec<&'static str> {
    let mut names = vec![name::BARE, name::OURS, name::ASYNC_BACKTRACE, name::AWAIT_TREE];
    if tasks <= effort.slow_dumps {
        names.push(name::TASKTRACE);
        if cfg!(all(tokio_unstable, feature = "taskdump")) {
            names.push(name::TOKIO);
        }
    }
    names
}

/// The child: what that one takes for so many tasks, by [`Part`], and `None` for what it does not do. `None` as a whole for a
/// name that takes no part.
///
/// # Panics
///
/// When a text or a trace is not whole.
#[must_use]
pub fn take(tasks: usize, name: &str) -> Option<[Option<f64>; PARTS]> {
    thread::spawn(|| {
        thread::sleep(STUCK);
        eprintln!("stuck: no end after {STUCK:?}");
        std::process::exit(3);
    });
    let runtime = service::runtime();
    let taken = match name {
        name::BARE => bare(&runtime, tasks),
        name::OURS => ours(&runtime, tasks),
        name::TASKTRACE => tasktrace(&runtime, tasks),
        name::ASYNC_BACKTRACE => async_backtrace(&runtime, tasks),
        name::AWAIT_TREE => await_tree(&runtime, tasks),
        #[cfg(all(tokio_unstable, feature = "taskdump"))]
        name::TOKIO => tokio(&runtime, tasks),
        _ => return None,
    };
    // The process ends now; taking a hundred thousand tasks apart would only take time.
    std::mem::forget(runtime);
    Some(taken)
}

/// No dump at all: every task is woken and polled once, which is the least that asking them takes.
fn bare(runtime: &Runtime, tasks: usize) -> [Option<f64>; PARTS] {
    let mut round = poll_all(runtime, tasks);
    let mut taken = [None; PARTS];
    taken[Part::Capture as usize] = Some(middle(&mut round));
    taken
}

/// Spawns the tasks, and gives what wakes each from this thread and waits until all were polled; in milliseconds.
fn poll_all(runtime: &Runtime, tasks: usize) -> impl FnMut() -> f64 + use<> {
    struct Round {
        polls: AtomicUsize,
        /// Polls when all have been polled again.
        whole: AtomicUsize,
        asker: Thread,
    }
    let shared = Shared::new();
    let wakers = Arc::new(Mutex::new(Vec::with_capacity(tasks)));
    let round = Arc::new(Round {
        polls: AtomicUsize::new(0),
        whole: AtomicUsize::new(usize::MAX),
        asker: thread::current(),
    });
    for number in 0..tasks {
        let mut task = Box::pin(plain::connection(Arc::clone(&shared), number));
        let (wakers, round) = (Arc::clone(&wakers), Arc::clone(&round));
        let mut is_first = true;
        runtime.spawn(poll_fn(move |cx| {
            if std::mem::take(&mut is_first) {
                wakers.lock().expect("no panic").push(cx.waker().clone());
            }
            let poll = task.as_mut().poll(cx);
            // Ordering: Relaxed, here and below; parking orders the rest.
            if round.polls.fetch_add(1, Ordering::Relaxed) + 1 == round.whole.load(Ordering::Relaxed) {
                round.asker.unpark();
            }
            poll
        }));
    }
    shared.wait_for(tasks);
    let wakers = std::mem::take(&mut *wakers.lock().expect("no panic"));
    assert_eq!(wakers.len(), tasks);
    move || {
        let whole = round.polls.load(Ordering::Relaxed) + tasks;
        round.whole.store(whole, Ordering::Relaxed);
        let start = Instant::now();
        wakers.iter().for_each(std::task::Waker::wake_by_ref);
        while round.polls.load(Ordering::Relaxed) < whole {
            thread::park();
        }
        millis(start)
    }
}

/// So many tasks of a service, traced, suspended.
#[must_use]
pub fn suspended(runtime: &Runtime, tasks: usize) -> Registry {
    let (registry, shared) = (Registry::new(), Shared::new());
    for number in 0..tasks {
        let connection = plain::connection(Arc::clone(&shared), number);
        runtime.spawn(registry.tracer().named("connection").trace(connection));
    }
    shared.wait_for(tasks);
    registry
}

/// Asks as a thread outside the runtime does.
fn ours(runtime: &Runtime, tasks: usize) -> [Option<f64>; PARTS] {
    let registry = suspended(runtime, tasks);
    let (mut grouped, mut capture, mut full) = (grouped(&registry), capture(&registry), full(&registry));
    let (peak, first) = memory::peak_of(&mut grouped);
    [
        Some(first),
        Some(middle(&mut grouped)),
        Some(middle(&mut capture)),
        Some(middle(&mut full)),
        peak.map(megabytes),
    ]
}

/// From the request to the text in groups; in milliseconds.
///
/// # Panics
///
/// When a task is missing, or its trace.
pub fn grouped(registry: &Registry) -> impl FnMut() -> f64 + use<> {
    let registry = registry.clone();
    move || {
        let start = Instant::now();
        let dump = registry.dump().blocking();
        let text = dump.to_string();
        let took = millis(start);
        assert_whole(&registry, &dump);
        let groups = text.lines().filter(|line| line.contains("suspended for")).count();
        assert_eq!((groups, text.matches("::connection at").count()), (4, 4), "{text}");
        took
    }
}

/// From the request to the raw traces, and to the end of them; in milliseconds.
///
/// # Panics
///
/// As [`grouped`].
pub fn capture(registry: &Registry) -> impl FnMut() -> f64 + use<> {
    let registry = registry.clone();
    move || {
        let start = Instant::now();
        let dump = registry.dump().blocking();
        let took = millis(start);
        assert_whole(&registry, &dump);
        took
    }
}

fn full(registry: &Registry) -> impl FnMut() -> f64 + use<> {
    use std::fmt::Write as _;
    let registry = registry.clone();
    let mut text = String::new();
    move || {
        text.clear();
        let start = Instant::now();
        let dump = registry.dump().blocking();
        let print = backtrace_waker::DumpText::new(backtrace_waker::Text::new());
        write!(text, "{}", print.full(dump.trees())).expect("a string takes all");
        let took = millis(start);
        assert_whole(&registry, &dump);
        assert_eq!(text.matches(FUNCTION).count(), registry.len());
        took
    }
}

fn assert_whole(registry: &Registry, dump: &TaskDump) {
    let dump = dump.raw();
    assert_eq!((dump.tasks().len(), dump.is_partial()), (registry.len(), false), "{:?}", dump.took());
    // As many as there are places to wait at.
    assert_eq!(dump.traces().len(), 4);
    for task in dump.tasks() {
        let trace = dump.trace_of(task).expect("a suspended task has a trace");
        assert!(trace.stacks().next().is_some_and(|stack| stack.len() >= 2 && !stack.is_truncated()));
    }
}

/// One after the other, since that is what there is.
fn tasktrace(runtime: &Runtime, tasks: usize) -> [Option<f64>; PARTS] {
    let shared = Shared::new();
    let spawn = |number| {
        let (task, handle) = tasktrace::traced(plain::connection(Arc::clone(&shared), number));
        runtime.spawn(task);
        handle
    };
    let handles: Vec<_> = (0..tasks).map(spawn).collect();
    shared.wait_for(tasks);
    let mut capture = || {
        let start = Instant::now();
        runtime.block_on(async {
            for handle in &handles {
                black_box(handle.backtrace().await.expect("a suspended task has a trace"));
            }
        });
        millis(start)
    };
    let mut text = || {
        let mut whole = Whole::default();
        let start = Instant::now();
        runtime.block_on(async {
            for handle in &handles {
                whole.add(&handle.backtrace().await.expect("a suspended task has a trace"));
            }
        });
        whole.took(start, tasks)
    };
    let [first, text, peak] = texts(&mut text);
    let capture = middle(&mut capture);
    [first, text, Some(capture), text, peak]
}

fn async_backtrace(runtime: &Runtime, tasks: usize) -> [Option<f64>; PARTS] {
    let shared = Shared::new();
    for number in 0..tasks {
        runtime.spawn(async_backtrace::frame!(framed::connection(Arc::clone(&shared), number)));
    }
    shared.wait_for(tasks);
    let mut text = || {
        let start = Instant::now();
        let text = async_backtrace::taskdump_tree(true);
        let took = millis(start);
        // Once for each level that the annotation names.
        assert!(text.matches(FUNCTION).count() >= tasks, "async-backtrace saw less");
        took
    };
    let [first, text, peak] = texts(&mut text);
    [first, text, None, text, peak]
}

fn await_tree(runtime: &Runtime, tasks: usize) -> [Option<f64>; PARTS] {
    let registry = await_tree::Registry::new(await_tree::Config::default());
    let shared = Shared::new();
    for number in 0..tasks {
        let root = registry.register(number, "connection");
        runtime.spawn(root.instrument(labelled::connection(Arc::clone(&shared), number)));
    }
    shared.wait_for(tasks);
    let mut capture = || {
        let start = Instant::now();
        let trees = black_box(registry.collect_all());
        assert_eq!(trees.len(), tasks);
        drop(trees);
        millis(start)
    };
    let mut text = || {
        let mut whole = Whole::default();
        let start = Instant::now();
        for (_, tree) in registry.collect_all() {
            whole.add(&tree);
        }
        whole.took(start, tasks)
    };
    let [first, text, peak] = texts(&mut text);
    let capture = middle(&mut capture);
    [first, text, Some(capture), text, peak]
}

/// As its documentation shows it. Once: a second dump in one process may never end.
#[cfg(all(tokio_unstable, feature = "taskdump"))]
fn tokio(runtime: &Runtime, tasks: usize) -> [Option<f64>; PARTS] {
    let shared = Shared::new();
    for number in 0..tasks {
        runtime.spawn(plain::connection(Arc::clone(&shared), number));
    }
    shared.wait_for(tasks);
    let (peak, (capture, text)) = memory::peak_of(|| {
        let mut whole = Whole::default();
        let start = Instant::now();
        let dump = runtime.block_on(runtime.handle().dump());
        let capture = millis(start);
        for task in dump.tasks().iter() {
            whole.add(task.trace());
        }
        (capture, whole.took(start, tasks))
    });
    [Some(text), Some(text), Some(capture), Some(text), peak.map(megabytes)]
}

/// The texts of tasks that are printed one by one: each is looked at, and none kept.
#[derive(Default)]
struct Whole {
    text: String,
    tasks: usize,
}

impl Whole {
    fn add(&mut self, task: &impl std::fmt::Display) {
        use std::fmt::Write as _;
        self.text.clear();
        write!(self.text, "{task}").expect("a string takes all");
        self.tasks += usize::from(self.text.contains(FUNCTION));
    }

    fn took(self, start: Instant, tasks: usize) -> f64 {
        let took = millis(start);
        assert_eq!(self.tasks, tasks, "the last text:\n{}", self.text);
        took
    }
}

/// The first text, later ones, and how much memory the first took. Later ones are the first, where that took too long to be
/// asked for again.
fn texts(text: &mut impl FnMut() -> f64) -> [Option<f64>; 3] {
    let (peak, first) = memory::peak_of(&mut *text);
    let later = if first > PATIENCE.as_secs_f64() * 1e3 { first } else { middle(text) };
    [Some(first), Some(later), peak.map(megabytes)]
}

/// The middle one of five, or of fewer where they take long.
fn middle(sample: &mut impl FnMut() -> f64) -> f64 {
    let began = Instant::now();
    let mut samples = vec![sample()];
    while samples.len() < 5 && began.elapsed() < Duration::from_millis(1_200) {
        samples.push(sample());
    }
    median(samples)
}

fn millis(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

#[allow(clippy::cast_precision_loss)] // Below 2^52, so exact.
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
