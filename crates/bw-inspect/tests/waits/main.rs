//! What a look from outside shows of a program that nobody prepared: every wait at its line.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(clippy::unwrap_used)]

mod core_files;
mod equality;
mod hostile;
mod program;
mod started;
mod wrapped;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bw_core::{NoTrace, RawTrace, SpawnedAt, TaskRecord};
use bw_inspect::target::{LiveProcess, OpenError, Target as _};
use bw_inspect::{Inspection, Limits, inspect};
use bw_symbolize::{SymbolSources, Symbolizer};
use started::{Expected, Started};

const PROGRAM: &str = include_str!("program.rs");

/// The lines of the program that each stack of a trace goes through, root first.
fn lines(symbolizer: &Symbolizer, trace: &RawTrace) -> BTreeSet<Vec<u32>> {
    let symbolized = symbolizer.symbolize(trace);
    let of_stack = |stack: &bw_symbolize::SymbolizedStack| {
        let frames = stack.frames.iter().rev().flat_map(|physical| physical.frames.iter().rev());
        let places = frames.filter_map(|frame| frame.location.as_ref());
        let own = places.filter(|place| place.file.ends_with("waits/program.rs"));
        own.filter_map(|place| place.line).collect()
    };
    symbolized.stacks.iter().map(of_stack).collect()
}

fn line_of(label: &str) -> u32 {
    let found =
        PROGRAM.lines().position(|line| line.split_once("// @").is_some_and(|(_, it)| it.trim() == label));
    u32::try_from(found.unwrap_or_else(|| panic!("no line is labelled {label}")) + 1).unwrap()
}

/// Whether the labelled lines are among those of a stack, in this order.
fn goes_through(stack: &[u32], labels: &[String]) -> bool {
    let mut rest = stack.iter();
    labels.iter().all(|label| rest.any(|line| *line == line_of(label)))
}

fn task<'a>(inspection: &'a Inspection, expected: &Expected) -> &'a TaskRecord {
    let found = inspection.dump().tasks().iter().find(|task| task.id().get() == expected.id);
    found.unwrap_or_else(|| panic!("task {} ({}) was not found", expected.id, expected.name))
}

#[test]
#[ignore = "this is the program that the other tests start and look at"]
fn the_program() {
    program::run().unwrap();
}

#[test]
fn a_wait_is_not_at_its_line() {
    let program = Started::new();
    let inspection = program.inspect_when_idle();
    let symbolizer = Symbolizer::for_modules(inspection.modules().clone(), SymbolSources::new());
    let mut wrong = Vec::new();
    for expected in program.tasks() {
        let task = task(&inspection, expected);
        if ["lost_at_end", "lost_before_panic"].contains(&&*expected.name) {
            continue;
        }
        let Some(trace) = inspection.dump().trace_of(task) else {
            wrong.push(format!("{}: {:?} {:?}", expected.name, task.trace(), task.incomplete()));
            continue;
        };
        let stacks = lines(&symbolizer, trace);
        let is_right = (task.incomplete().is_none() || expected.name.starts_with("lost"))
            && (expected.stacks.is_empty() == trace.is_empty())
            && expected.stacks.iter().all(|labels| stacks.iter().any(|stack| goes_through(stack, labels)))
            && stacks.iter().all(|stack| expected.stacks.iter().any(|labels| goes_through(stack, labels)))
            && trace.stacks().all(|stack| !stack.is_truncated());
        if !is_right {
            wrong.push(format!("{}: {stacks:?} {:?}, {trace:?}", expected.name, task.incomplete()));
        }
    }
    assert!(wrong.is_empty(), "{}\n{:?}", wrong.join("\n"), inspection.dump().notes());
}

#[test]
fn a_task_that_lost_its_wake_is_shown_as_if_it_waited_there() {
    let program = Started::new();
    let inspection = program.inspect_when_idle();
    let mut reasons = BTreeSet::new();
    for expected in program.tasks() {
        let task = task(&inspection, expected);
        let reason = task.incomplete().unwrap_or_default();
        let of_this_kind = match &*expected.name {
            "lost_at_end" => reason.starts_with("the emulated poll finished the task: "),
            "lost_before_panic" => {
                assert_eq!(task.trace(), Err(NoTrace::Incomplete), "the way into the panic is shown");
                reason.starts_with("an emulated poll panics: ") && reason.contains("nobody polls so far")
            }
            name if name.starts_with("lost") => {
                reason.starts_with("the emulated poll changed the state of the task: ")
            }
            _ => reason.is_empty(),
        };
        assert!(of_this_kind, "{}: {reason:?}", expected.name);
        reasons.insert(reason);
    }
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    let notes = inspection.dump().notes();
    assert!(
        notes
            .iter()
            .any(|note| note.starts_with("4 tasks may lack something: the emulated poll changed the state")),
        "{notes:?}"
    );
}

#[test]
fn a_task_is_missing_or_made_up() {
    let program = Started::new();
    let inspection = program.inspect_when_idle();
    let of_program: BTreeSet<u64> = program.tasks().iter().map(|task| task.id).collect();
    // What the main thread blocks on has a name, and is no task.
    let tasks = inspection.dump().tasks().iter().filter(|task| task.name().is_none());
    let found: BTreeSet<u64> = tasks.map(|task| task.id().get()).collect();
    assert!(of_program.is_subset(&found), "{of_program:?} {found:?}");
    // Besides: a task of a JoinSet and one of the blocking pool. The two workers are tasks of that pool, too, and left out, unless the stacks of
    // the threads are those of an emulator.
    let most = if std::env::var_os("BW_AARCH64_PROGRAM").is_some() { 4 } else { 2 };
    let others = found.len() - of_program.len();
    assert!((2..=most).contains(&others), "{others}: {:?}", inspection.dump().tasks());
    // None of them is wrapped.
    let is_plain = |task: &TaskRecord| *task.spawned_at() == SpawnedAt::unknown() && task.status().polls == 0;
    assert!(inspection.dump().tasks().iter().all(is_plain), "{:?}", inspection.dump().tasks());
}

#[test]
fn a_process_that_ended_is_taken_for_one_without_tasks() {
    let program = Started::new();
    let process = program.open();
    drop(program);
    let error = inspect(&process, &Limits::default()).unwrap_err();
    assert!(error.is_end(), "{error}");
    let error = LiveProcess::open(process.pid()).unwrap_err();
    assert!(matches!(error, OpenError::NoProcess { .. }), "{error}");
    assert!(error.help().is_some());
}

#[test]
fn an_end_in_the_middle_does_harm() {
    // Each time it ends a little later.
    for delay in (0..40).map(|number| Duration::from_millis(number * 5)) {
        let mut program = Started::new();
        let process = program.open();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let from = Instant::now();
                while from.elapsed() < delay {
                    std::thread::yield_now();
                }
                program.end();
            });
            if let Err(error) = inspect(&process, &Limits::default()) {
                assert!(error.is_end(), "{error}");
            }
        });
    }
}
