//! Looking for what is wrong with the tasks of a process.
//!
//! The first look finds rings among all tasks that wait. Then the tasks of each ring are looked at again, together and from memory that is
//! read anew, and what that depends on is compared with the process twice more. So a ring was there at one moment, and still is.

use std::collections::BTreeMap;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use bw_core::RawTrace;
use bw_dump::ModuleMap;
use bw_symbolize::{DebugFile, Symbolizer};

use crate::capture::limits::Limits;
use crate::capture::unwind_rules::UnwindRules;
use crate::decode::{LockKind, TypeKnowledge};
use crate::executor::found_task::FoundTask;
use crate::found_process::FoundProcess;
use crate::graph::{
    Blocker, Edge, Evidence, Examined, Examiner, Finding, FindingKind, InvolvedTask, Line, Wait, WaitGraph,
    WaitingTask, Why, edges,
};
use crate::layout::ModuleTypes;
use crate::target::Target;
use crate::target::open_error::OpenError;
use crate::target::page_cache::PageCache;
use crate::task_type::task_type;

/// Rings that are looked at again.
const MOST_RINGS: usize = 100;
/// How long a ring has to stay as it is.
const STAYS: Duration = Duration::from_millis(100);

/// What is wrong with the tasks of a process, and what was looked at. Plain data.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    findings: Vec<Finding>,
    tasks: usize,
    waiting: usize,
    unchecked: BTreeMap<String, usize>,
}

impl Diagnosis {
    /// Returns what is wrong, the worst first.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Returns how many tasks there are.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.tasks
    }

    /// Returns how many of them wait for a lock or for another task, and for nothing else.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Returns why tasks could not be checked, and how many for each reason.
    #[must_use]
    pub fn unchecked(&self) -> &BTreeMap<String, usize> {
        &self.unchecked
    }
}

/// Looks for tasks that wait for each other. Nothing is written to the process, nothing in it is run, and no thread of it is stopped.
///
/// The memory of tasks is decoded by the types in the debug information: `debug = 2` in the profile of the program. `symbolizer` makes what
/// finds that information, and functions and lines, for these modules. Without types nothing is found, and
/// [`unchecked`](Diagnosis::unchecked) says so.
///
/// # Errors
///
/// When the process ended meanwhile, or its mappings may not be read.
pub fn diagnose(
    target: &dyn Target,
    limits: &Limits,
    symbolizer: impl FnOnce(ModuleMap) -> Symbolizer,
) -> Result<Diagnosis, OpenError> {
    let process = FoundProcess::find(target, limits)?;
    let symbolizer = symbolizer(process.modules.map());
    let files = debug_files(&process, &symbolizer);
    let types = ModuleTypes::new(&files);
    let memory = process.memory();
    let rules = UnwindRules::new(&memory, &process.modules);
    let examiner = Examiner {
        process: &process,
        types: &types,
        known: TypeKnowledge::default(),
        memory: &memory,
        emulator: process.emulator(&memory, &rules, limits),
    };
    let mut look = Look { examiner, memory: &memory, symbolizer: &symbolizer, attempts: limits.attempts };
    let diagnosis = look.diagnose();
    if target.is_over() { Err(OpenError::Ended { pid: target.pid() }) } else { Ok(diagnosis) }
}

/// The debug information of the modules whose functions poll tasks.
fn debug_files(process: &FoundProcess<'_>, symbolizer: &Symbolizer) -> Vec<(Range<u64>, DebugFile)> {
    let mut files: Vec<(Range<u64>, DebugFile)> = Vec::new();
    for task in &process.tasks.list.tasks {
        let poll = task.table.poll;
        if !files.iter().any(|(range, _)| range.contains(&poll))
            && let Some(module) = process.modules.find(poll)
            && let Some(file) = symbolizer.debug_file(poll)
        {
            files.push((module.module().range(), file));
        }
    }
    files
}

struct Look<'l, 'd> {
    examiner: Examiner<'l, 'd>,
    memory: &'l PageCache<'l>,
    symbolizer: &'l Symbolizer,
    attempts: u32,
}

impl Look<'_, '_> {
    fn diagnose(&mut self) -> Diagnosis {
        let tasks = &self.examiner.process.tasks.list.tasks;
        let tasks: Vec<FoundTask> = tasks.iter().filter(|task| task.is_of_executor()).copied().collect();
        let mut diagnosis = Diagnosis { tasks: tasks.len(), ..Diagnosis::default() };
        let mut waiting = self.waiting(&tasks, &mut diagnosis.unchecked);
        diagnosis.waiting = waiting.len();
        for reason in self.examiner.find_holdings(&mut waiting) {
            *diagnosis.unchecked.entry(format!("what it holds is unknown: {reason}")).or_default() += 1;
        }
        let graph = WaitGraph::new(waiting.len(), edges(&waiting));
        let rings = graph.rings();
        if rings.len() > MOST_RINGS {
            *diagnosis.unchecked.entry("there are too many rings of tasks".to_owned()).or_default() +=
                rings.iter().skip(MOST_RINGS).map(Vec::len).sum::<usize>();
        }
        for ring in rings.into_iter().take(MOST_RINGS) {
            let behind = graph.stuck_behind(&ring);
            let of_ring: Vec<FoundTask> =
                ring.iter().filter_map(|at| waiting.get(*at)).map(|it| it.task).collect();
            match self.confirmed(&of_ring) {
                Some(mut finding) => {
                    finding.stuck_behind = behind;
                    diagnosis.findings.push(finding);
                }
                None => {
                    let reason = "it seemed to wait in a ring, and changed meanwhile".to_owned();
                    *diagnosis.unchecked.entry(reason).or_default() += of_ring.len();
                }
            }
        }
        diagnosis.findings.sort_by_key(|finding| finding.kind);
        diagnosis
    }

    /// The tasks that wait for one thing only.
    fn waiting(&mut self, tasks: &[FoundTask], unknown: &mut BTreeMap<String, usize>) -> Vec<WaitingTask> {
        let mut waiting = Vec::new();
        for task in tasks {
            match self.examiner.examine(task) {
                Examined::Waits(task) => waiting.push(*task),
                Examined::Other => {}
                Examined::Unknown(reasons) => {
                    for reason in reasons {
                        *unknown.entry(reason).or_default() += 1;
                    }
                }
            }
        }
        waiting
    }

    /// Looks at the tasks of a ring again, from memory that is read anew. `None` if they are in no ring any more, or change all the time.
    fn confirmed(&mut self, tasks: &[FoundTask]) -> Option<Finding> {
        for _ in 0..self.attempts.max(1) {
            self.memory.forget();
            let mut waiting = self.waiting(tasks, &mut BTreeMap::new());
            self.examiner.find_holdings(&mut waiting);
            let graph = WaitGraph::new(waiting.len(), edges(&waiting));
            let ring = graph.rings().into_iter().next()?;
            let used: Vec<(u64, u64)> =
                ring.iter().filter_map(|at| waiting.get(*at)).flat_map(|it| it.used.iter().copied()).collect();
            let used = [used];
            if self.memory.changed(&used)? == [true] {
                continue;
            }
            thread::sleep(STAYS);
            if self.memory.changed(&used)? == [false] {
                return Some(self.finding(&waiting, &graph, &ring));
            }
        }
        None
    }

    fn finding(&self, waiting: &[WaitingTask], graph: &WaitGraph, ring: &[usize]) -> Finding {
        let tasks: Vec<&WaitingTask> = ring.iter().filter_map(|at| waiting.get(*at)).collect();
        let is_futurelock = tasks.len() == 1 && tasks.iter().all(|task| unpolled_owner(task).is_some());
        let involved = ring.iter().filter_map(|&at| {
            let task = waiting.get(at)?;
            let edges = graph.from(at).iter().filter(|edge| ring.contains(&edge.to));
            Some(self.involved(task, edges, waiting))
        });
        let kind = if is_futurelock { FindingKind::Futurelock } else { FindingKind::Deadlock };
        Finding { kind, tasks: involved.collect(), stuck_behind: 0 }
    }

    fn involved<'e>(
        &self,
        task: &WaitingTask,
        edges: impl Iterator<Item = &'e Edge>,
        waiting: &[WaitingTask],
    ) -> InvolvedTask {
        let lines: Vec<Line> = task.decoded.path_to(task.body()).into_iter().map(line).collect();
        let disagreement = self.disagreement(task, &lines);
        let mut evidence = vec![Evidence::Emulated, Evidence::Typed];
        if disagreement.is_some() {
            evidence.truncate(1);
        }
        InvolvedTask {
            id: task.task.id,
            name: task_type(self.symbolizer, task.task.table.poll),
            waits_for: waits_for(task, waiting),
            blockers: edges.filter_map(|edge| Some(blocker(task, waiting.get(edge.to)?, edge.why))).collect(),
            lines,
            evidence,
            disagreement,
        }
    }

    /// Where the lines of the emulated poll are not those of the typed decode.
    fn disagreement(&self, task: &WaitingTask, lines: &[Line]) -> Option<String> {
        let trace = RawTrace::from_stacks(task.poll.stacks.iter().cloned());
        let trace = self.symbolizer.symbolize(&trace);
        let stack = trace.stacks.first()?;
        let frames = stack.frames.iter().rev().flat_map(|frame| frame.frames.iter().rev());
        let emulated: Vec<(&str, u64)> = frames
            .filter_map(|frame| frame.location.as_ref())
            .filter_map(|location| Some((&*location.file, u64::from(location.line?))))
            .collect();
        let mut rest = emulated.iter();
        let missing = lines.iter().filter_map(|line| line.place.as_ref()).find(|(file, line)| {
            // Paths may have been remapped in one of them.
            !rest.any(|(other, number)| number == line && file_name(other) == file_name(file))
        });
        let (file, line) = missing?;
        Some(format!("the types say that it waits at {file}:{line}, and the emulated poll does not go through that line"))
    }
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
        acquire.semaphore == wait.semaphore && (acquire.is_granted() || wait.in_front.contains(&acquire.needs_at))
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
    let granted = decoded.acquires.iter().find(|acquire| acquire.semaphore == semaphore && acquire.is_granted());
    if let Some(granted) = granted {
        return match decoded.unpolled_in(&granted.position) {
            Some(variable) => format!("it was given to the future in `{variable}`, which the task does not poll"),
            None => "it was given to a future of the task".to_owned(),
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
