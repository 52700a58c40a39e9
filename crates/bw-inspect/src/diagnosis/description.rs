//! Findings in words and lines.

use bw_core::{RawTrace, StackFlags};
use bw_symbolize::{SymbolizedTrace, Symbolizer};

use crate::decode::{DecodedTask, LockKind};
use crate::executor::found_task::FoundTask;
use crate::graph::{
    Blocker, Edge, Evidence, Finding, FindingKind, InvolvedTask, Line, ResumableTask, Wait, WaitGraph,
    WaitingTask, Why,
};
use crate::target::threads::Thread;
use crate::task_type::task_type;

/// With this function a task tells its runtime that it is going to block.
const MAY_BLOCK: &str = "tokio::task::blocking::block_in_place";
/// Frames of a thread that are shown.
const MOST_FRAMES: usize = 64;

/// The finding that tasks wait for each other.
pub(super) fn ring(
    waiting: &[WaitingTask],
    graph: &WaitGraph,
    ring: &[usize],
    stuck_behind: usize,
    symbolizer: &Symbolizer,
) -> Finding {
    let tasks: Vec<&WaitingTask> = ring.iter().filter_map(|at| waiting.get(*at)).collect();
    let is_futurelock = tasks.len() == 1 && tasks.iter().all(|task| unpolled_owner(task).is_some());
    let involved = ring.iter().filter_map(|&at| {
        let task = waiting.get(at)?;
        let edges = graph.from(at).iter().filter(|edge| ring.contains(&edge.to));
        Some(in_ring(task, edges, waiting, symbolizer))
    });
    let kind = if is_futurelock { FindingKind::Futurelock } else { FindingKind::Deadlock };
    Finding { kind, tasks: involved.collect(), stuck_behind }
}

fn in_ring<'e>(
    task: &WaitingTask,
    edges: impl Iterator<Item = &'e Edge>,
    waiting: &[WaitingTask],
    symbolizer: &Symbolizer,
) -> InvolvedTask {
    let lines: Vec<Line> = task.decoded.path_to(task.body()).into_iter().map(line).collect();
    let disagreement = disagreement(task, &lines, symbolizer);
    let mut evidence = vec![Evidence::Emulated, Evidence::Typed];
    if disagreement.is_some() {
        evidence.truncate(1);
    }
    InvolvedTask {
        id: task.task.id,
        name: task_type(symbolizer, task.task.table.poll),
        what: format!("waits for {}", waits_for(task, waiting)),
        blockers: edges.filter_map(|edge| Some(blocker(task, waiting.get(edge.to)?, edge.why))).collect(),
        lines,
        evidence,
        disagreement,
    }
}

/// A task that would go on if it were polled.
pub(super) fn goes_on(task: &ResumableTask, lines: Vec<Line>, symbolizer: &Symbolizer) -> InvolvedTask {
    let end = if task.would_end { "would end" } else { "would go on" };
    InvolvedTask {
        id: task.task.id,
        name: task_type(symbolizer, task.task.table.poll),
        what: format!("{end} if it were polled, and nothing wakes it"),
        evidence: if lines.is_empty() {
            vec![Evidence::Emulated]
        } else {
            vec![Evidence::Emulated, Evidence::Typed]
        },
        lines,
        blockers: Vec::new(),
        disagreement: None,
    }
}

/// A task that blocks its thread. `None` if it may, because it told its runtime.
pub(super) fn blocks(
    task: &FoundTask,
    thread: &Thread,
    stack: (Vec<usize>, StackFlags),
    symbolizer: &Symbolizer,
) -> Option<InvolvedTask> {
    let trace = symbolizer.symbolize(&RawTrace::from_stacks([stack]));
    let frames = trace.stacks.first()?.frames.iter().rev().flat_map(|physical| physical.frames.iter().rev());
    let functions: Vec<Line> = frames
        .filter_map(|frame| {
            let place =
                frame.location.as_ref().and_then(|at| Some((at.file.to_string(), u64::from(at.line?))));
            Some(Line { body: frame.function.as_ref()?.name.to_string(), place })
        })
        .collect();
    if functions.iter().any(|line| line.body.contains(MAY_BLOCK)) {
        return None;
    }
    // How a runtime polls is the same for all tasks.
    let is_of_runtime = |line: &Line| line.body.contains("tokio::runtime::task::");
    let inside = functions.get(functions.iter().rposition(is_of_runtime)? + 1..)?;
    Some(InvolvedTask {
        id: task.id,
        what: format!("blocks thread {} in the kernel", thread.id),
        name: task_type(symbolizer, task.table.poll),
        lines: inside.iter().take(MOST_FRAMES).cloned().collect(),
        blockers: Vec::new(),
        evidence: vec![Evidence::ThreadStack],
        disagreement: None,
    })
}

/// The bodies that a task awaits, one inside of the other, as far as there is one way.
pub(super) fn awaited_lines(decoded: &DecodedTask) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut parent = None;
    loop {
        let mut awaited = decoded
            .bodies
            .iter()
            .enumerate()
            .filter(|(_, body)| body.parent == parent && body.kept_in.is_none() && body.place.is_some());
        let (Some((number, body)), None) = (awaited.next(), awaited.next()) else { return lines };
        lines.push(line(body));
        // A body has a greater number than the one that it is in, so this ends.
        parent = Some(number);
    }
}

/// Where the lines of the emulated poll are not those of the typed decode.
fn disagreement(task: &WaitingTask, lines: &[Line], symbolizer: &Symbolizer) -> Option<String> {
    let trace = symbolizer.symbolize(&RawTrace::from_stacks(task.poll.stacks.iter().cloned()));
    let missing = missing_line(&trace, lines)?;
    Some(format!(
        "the types say that it waits at {}:{}, and the emulated poll does not go through that line",
        missing.0, missing.1
    ))
}

/// The first of these places that a stack does not go through, in this order.
fn missing_line<'l>(trace: &SymbolizedTrace, lines: &'l [Line]) -> Option<&'l (String, u64)> {
    let frames = trace.stacks.first()?.frames.iter().rev().flat_map(|frame| frame.frames.iter().rev());
    let emulated: Vec<(&str, u64)> = frames
        .filter_map(|frame| frame.location.as_ref())
        .filter_map(|location| Some((&*location.file, u64::from(location.line?))))
        .collect();
    let mut rest = emulated.iter();
    lines.iter().filter_map(|line| line.place.as_ref()).find(|(file, line)| {
        // Paths may have been remapped in one of them.
        !rest.any(|(other, number)| number == line && file_name(other) == file_name(file))
    })
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn line(body: &crate::decode::Await) -> Line {
    let place = body.place.as_ref().map(|place| (place.file.to_string(), place.line));
    Line { body: body.body.clone(), place }
}

/// What a task waits for, in words.
fn waits_for(task: &WaitingTask, waiting: &[WaitingTask]) -> String {
    match &task.wait {
        Wait::Lock(acquire) => {
            let lock = match acquire.lock {
                LockKind::Mutex => "Mutex",
                LockKind::RwLock { permits } if acquire.asked == permits => "RwLock, to write,",
                LockKind::RwLock { .. } => "RwLock, to read,",
                LockKind::Semaphore | LockKind::Other => "Semaphore",
            };
            format!("{lock} {:#x}", acquire.semaphore)
        }
        Wait::Join(header, _) => {
            let joined = waiting.iter().find(|task| task.task.header == *header);
            joined.map_or_else(|| "a task".to_owned(), |task| format!("the end of task {}", task.task.id))
        }
    }
}

/// The variable that keeps a future with the lock that a task waits for, or with a place in front of it in the queue.
fn unpolled_owner(task: &WaitingTask) -> Option<&str> {
    let Wait::Lock(wait) = &task.wait else { return None };
    let decoded = &task.decoded;
    let queued = decoded.acquires.iter().filter(|acquire| {
        acquire.semaphore == wait.semaphore
            && (acquire.is_granted() || wait.in_front.contains(&acquire.needs_at))
    });
    let guards = decoded.guards.iter().filter(|guard| guard.semaphore == wait.semaphore);
    queued
        .map(|acquire| &acquire.position)
        .chain(guards.map(|guard| &guard.position))
        .find_map(|position| decoded.unpolled_in(position))
}

fn blocker(task: &WaitingTask, other: &WaitingTask, why: Why) -> Blocker {
    let mut evidence = vec![Evidence::Typed];
    let how = match (&task.wait, why) {
        (Wait::Lock(acquire), Why::Holds) => {
            evidence = vec![Evidence::DropGlue];
            holds(other, acquire.semaphore)
        }
        (Wait::Lock(_), Why::IsInFront) => "is in front of it in the queue".to_owned(),
        _ => {
            evidence.push(Evidence::Emulated);
            "has not ended".to_owned()
        }
    };
    Blocker { task: other.task.id, how, evidence }
}

/// Where a task has a lock that it holds, in words.
fn holds(task: &WaitingTask, semaphore: u64) -> String {
    let decoded = &task.decoded;
    let granted =
        decoded.acquires.iter().find(|acquire| acquire.semaphore == semaphore && acquire.is_granted());
    if let Some(granted) = granted {
        return match decoded.unpolled_in(&granted.position) {
            Some(variable) => format!("has it in the future in `{variable}`, which it does not poll"),
            None => "has it in one of its futures".to_owned(),
        };
    }
    let guards: Vec<String> = decoded
        .guards
        .iter()
        .filter(|guard| guard.semaphore == semaphore)
        .map(|guard| {
            let variable = guard.position.variable.as_deref().map_or(String::new(), |it| format!(" `{it}`"));
            let body = decoded.path_to(guard.position.body).pop();
            let body = body.map_or(String::new(), |body| format!(" of {}", body.body));
            format!("{}{variable}{body}", guard.type_name)
        })
        .collect();
    match &*guards {
        [] => "holds it; the types do not show where".to_owned(),
        [guard] => format!("holds it in {guard}"),
        guards => format!("holds it in one of {}", guards.join(", ")),
    }
}
