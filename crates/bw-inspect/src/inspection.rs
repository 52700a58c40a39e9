//! Looking at a process: from its memory to a task dump.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Instant, SystemTime};

use bw_core::{RawTaskDump, RawTrace, SpawnedAt, TaskId, TaskLayout, TaskRecord, TaskState, TaskStatus};
use bw_dump::{ModuleMap, Process, RawDumpFile};

use crate::capture::limits::Limits;
use crate::executor::found_task::FoundTask;
use crate::executor::process_tasks::{self, ProcessTasks};
use crate::executor::task_state::Activity;
use crate::executor::waker_index::WakerIndex;
use crate::executor::worker_tasks;
use crate::found_process::FoundProcess;
use crate::look::{Look, Outcome, RunningThreads, Spent};
use crate::target::Target;
use crate::target::data_scan::DataScan;
use crate::target::modules::LoadedModules;
use crate::target::open_error::OpenError;

/// Reasons that a note lists.
const MOST_REASONS: usize = 5;

/// What the memory of a process shows of its tasks. Plain data.
#[derive(Clone, Debug)]
pub struct Inspection {
    dump: RawTaskDump,
    modules: ModuleMap,
    polls: HashMap<TaskId, u64>,
    /// The tasks that threads of a blocking pool run.
    run_by_pool: HashSet<TaskId>,
    figures: Figures,
}

/// What looking at a process took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Bytes of memory that were searched for tasks.
    pub searched_bytes: u64,
    /// Bytes that were left out, because there are more than the limit.
    pub skipped_bytes: u64,
    /// Instructions that were emulated.
    pub instructions: u64,
    /// Polls that were emulated again, because the task ran while its memory was read.
    pub repeated: u64,
}

/// Looks at a process once. Nothing is written to it, nothing in it is run, and no thread of it is stopped.
///
/// Reads all memory in which tasks may lie, twice; and what each task needs, twice as well. Takes about 80 ms for 1,000 tasks in an
/// optimized build, on a busy machine.
///
/// # Errors
///
/// When the process ended meanwhile, or its mappings may not be read. A process without tasks is no error.
pub fn inspect(target: &dyn Target, limits: &Limits) -> Result<Inspection, OpenError> {
    let began = Instant::now();
    let taken_at = SystemTime::UNIX_EPOCH.checked_add(target.clocks().realtime);
    let process = FoundProcess::find(target, limits)?;
    let tasks = &process.tasks.list.tasks;
    let look =
        Look { process: &process, limits, running: RunningThreads::default(), spent: Spent::default() };
    let (outcomes, roots) = look.outcomes(tasks).ok_or_else(|| ended(target))?;
    let figures = Figures {
        searched_bytes: process.searched.0,
        skipped_bytes: process.searched.1,
        instructions: look.spent.instructions(),
        repeated: look.spent.repeated(),
    };
    // What is missing then is missing because nothing could be read any more.
    if target.is_over() {
        return Err(ended(target));
    }
    let mut traces = Traces::default();
    let mut ids = Ids::default();
    let (mut polls, mut run_by_pool) = (HashMap::new(), HashSet::new());
    let numbered: Vec<(TaskId, FoundTask, Outcome)> =
        outcomes.into_iter().filter_map(|(task, outcome)| Some((ids.id(task.id)?, task, outcome))).collect();
    // A wrapper knows ids of its own.
    let by_wrapper: HashMap<u64, TaskId> =
        numbered.iter().filter_map(|(id, _, outcome)| Some((outcome.wrapped.as_ref()?.id, *id))).collect();
    let mut records: Vec<TaskRecord> = numbered
        .into_iter()
        .map(|(id, task, outcome)| {
            polls.insert(id, task.table.poll);
            if worker_tasks::is_run_by_pool(&task) {
                run_by_pool.insert(id);
            }
            record(id, outcome, &mut traces, &by_wrapper)
        })
        .collect();
    records.extend(roots.into_iter().filter_map(|(thread, outcome)| {
        // The ids of tasks are given out before.
        let name = thread.name.as_deref().map_or_else(|| thread.id.to_string(), str::to_owned);
        let record = record(ids.id(thread.id)?, outcome, &mut traces, &by_wrapper);
        Some(record.with_name(format!("block_on on thread {name}")))
    }));
    let mut all_notes = target.notes();
    // What is missing of the memory may be that code.
    let has_code = process.tasks.has_code || !all_notes.is_empty();
    all_notes.extend(notes(&records, tasks, &process.tasks.wakers, has_code, &figures));
    all_notes.splice(..0, target.standstill());
    if let Some(version) = process.wrapped.unknown_version() {
        all_notes.push(format!(
            "names and ages are missing: the program has version {version} of the table that says where they are, and this \
             command reads version {}",
            TaskLayout::VERSION
        ));
    }
    let dump =
        RawTaskDump::new(taken_at.unwrap_or_else(SystemTime::now), began.elapsed(), records, traces.traces);
    let dump = dump.with_source(target.source()).with_pause(target.pause()).with_notes(all_notes);
    Ok(Inspection { dump, modules: process.modules.map(), polls, run_by_pool, figures })
}

/// Returns whether a process may have code of async tasks: of tokio, or of the crate `async-task`. Reads the headers and some constants of
/// its modules: takes a few milliseconds. Of old versions of `async-task`, only [`inspect`] and [`count_tasks`] are certain.
///
/// # Errors
///
/// When the process ended meanwhile, or its mappings may not be read.
pub fn runs_tasks(target: &dyn Target) -> Result<bool, OpenError> {
    let mappings = target.mappings()?;
    Ok(process_tasks::may_have_code(target, &LoadedModules::read(target, &mappings)))
}

/// Counts the tasks of a process that have not finished. `None` if it has no code of async tasks. Reads all memory in which tasks may
/// lie, but emulates nothing.
///
/// # Errors
///
/// When the process ended meanwhile, or its mappings may not be read.
pub fn count_tasks(target: &dyn Target, limits: &Limits) -> Result<Option<usize>, OpenError> {
    let mappings = target.mappings()?;
    let mut modules = LoadedModules::read(target, &mappings);
    if !process_tasks::may_have_code(target, &modules) {
        return Ok(None);
    }
    let data = DataScan::new(target, &mappings, limits.data_bytes);
    let found = ProcessTasks::find(target, &data, target, &mut modules, &mappings, &target.threads());
    let is_counted = |task: &&FoundTask| task.is_of_executor() && task.word.activity() != Activity::Complete;
    Ok(found.has_code.then(|| found.list.tasks.iter().filter(is_counted).count()))
}

/// What is said when the target is there no more.
fn ended(target: &dyn Target) -> OpenError {
    OpenError::Ended { pid: target.pid() }
}

impl Inspection {
    /// Returns the tasks and where they wait, as return addresses in the process.
    #[must_use]
    pub fn dump(&self) -> &RawTaskDump {
        &self.dump
    }

    /// Returns the modules of the process.
    #[must_use]
    pub fn modules(&self) -> &ModuleMap {
        &self.modules
    }

    /// Returns the address of the function that polls a task: its debug information names the type of the task.
    #[must_use]
    pub fn poll_of(&self, task: TaskId) -> Option<u64> {
        self.polls.get(&task).copied()
    }

    /// Names each task that has no name. `name_of` gets the address of the function that polls a task, and where the task waits, if it is
    /// suspended; see [`task_type`](crate::task_type). A closure that the blocking pool runs, and that has no name then, is named so.
    ///
    /// Leaves out the tasks that are threads of a runtime, if they were not recognized without their types, and those of the agent of this
    /// project: only types tell these from others.
    #[must_use]
    pub fn named(mut self, mut name_of: impl FnMut(u64, Option<&RawTrace>) -> Option<String>) -> Self {
        let unnamed = self.dump.tasks().iter().filter(|task| task.name().is_none());
        let mut names: HashMap<TaskId, String> = unnamed
            .filter_map(|task| {
                let poll = *self.polls.get(&task.id())?;
                let is_suspended = task.status().state == TaskState::Suspended;
                let name = name_of(poll, self.dump.trace_of(task).filter(|_| is_suspended));
                let of_pool = || self.run_by_pool.contains(&task.id()).then(|| RUN_BY_POOL.to_owned());
                Some((task.id(), name.or_else(of_pool)?))
            })
            .collect();
        let dump = self.dump.with_names(|task| names.remove(&task));
        self.dump = dump.without(|task| task.name().is_some_and(|name| is_worker(name) || is_of_agent(name)));
        self
    }

    /// Returns what looking took.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.figures
    }

    /// Returns what a raw dump file has, for this process.
    #[must_use]
    pub fn into_file(self, process: Process) -> RawDumpFile<'static> {
        RawDumpFile::new(process, self.modules, Cow::Owned(self.dump))
    }
}

/// The name of a task of a runtime's blocking pool whose type is not known.
const RUN_BY_POOL: &str = "closure on the blocking pool";
/// What the types of the tasks of a runtime's blocking pool begin with.
const BLOCKING_TASK: &str = "tokio::runtime::blocking::task::BlockingTask<";

/// Whether a task of this type is one of the agent of this project, which is no part of the program.
fn is_of_agent(task_type: &str) -> bool {
    let body = task_type.strip_prefix(BLOCKING_TASK).unwrap_or(task_type);
    let bodies = ["async fn ", "async block in ", "closure in "];
    let path = bodies.iter().find_map(|kind| body.strip_prefix(kind)).unwrap_or(body);
    path.starts_with("bw_agent::")
}

/// Whether a task of this type is a worker thread of a runtime of many threads, which tokio runs as a task of its blocking pool.
fn is_worker(task_type: &str) -> bool {
    let of_pool = task_type.strip_prefix(BLOCKING_TASK);
    of_pool.is_some_and(|closure| closure.starts_with("tokio::runtime::scheduler::multi_thread"))
}

fn record(
    id: TaskId,
    outcome: Outcome,
    traces: &mut Traces,
    by_wrapper: &HashMap<u64, TaskId>,
) -> TaskRecord {
    let trace = outcome.trace.map(|trace| traces.number(trace));
    let mut status = TaskStatus::new(outcome.state);
    let mut record = match outcome.wrapped {
        Some(wrapped) => {
            (status.age, status.polls) = (wrapped.age, wrapped.polls);
            status.in_state = wrapped.since_poll.filter(|_| status.state == TaskState::Suspended);
            let mut record = TaskRecord::new(id, wrapped.spawned_at, status);
            if let Some(name) = wrapped.name {
                record = record.with_name(name);
            }
            if let Some(type_name) = wrapped.type_name {
                record = record.with_type_name(type_name);
            }
            match wrapped.wrapped_in.and_then(|parent| by_wrapper.get(&parent)) {
                Some(parent) => record.with_parent(*parent),
                None => record,
            }
        }
        None => TaskRecord::new(id, SpawnedAt::unknown(), status),
    };
    if let Some(reason) = outcome.incomplete {
        record = record.with_incomplete(reason);
    }
    record.with_trace(trace)
}

/// Each trace once.
#[derive(Default)]
struct Traces {
    traces: Vec<RawTrace>,
    numbers: HashMap<RawTrace, u32>,
}

impl Traces {
    fn number(&mut self, trace: RawTrace) -> u32 {
        // More than 2^32 do not fit into memory.
        let next = u32::try_from(self.traces.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(trace).or_insert_with_key(|trace| {
            self.traces.push(trace.clone());
            next
        })
    }
}

/// Ids that are unique in the dump. Two versions of tokio in one process both count from 1.
#[derive(Default)]
struct Ids(HashMap<u64, u64>);

impl Ids {
    fn id(&mut self, id: u64) -> Option<TaskId> {
        /// What ids of the next version of tokio begin at.
        const APART: u64 = 1 << 40;

        let times = self.0.entry(id).or_insert(0);
        let unique = id.checked_add(times.checked_mul(APART)?)?;
        *times += 1;
        TaskId::from_u64(unique)
    }
}

/// Sentences about what is missing.
fn notes(
    records: &[TaskRecord],
    tasks: &[FoundTask],
    wakers: &WakerIndex,
    has_code: bool,
    figures: &Figures,
) -> Vec<String> {
    let mut notes = Vec::new();
    if !has_code {
        notes
            .push("the program has no code of async tasks that is known, so no task can be found".to_owned());
    }
    if figures.skipped_bytes > 0 {
        let gigabytes = figures.skipped_bytes >> 30;
        notes.push(format!("{gigabytes} GiB of memory were not searched for tasks"));
    }
    if !tasks.is_empty() && wakers.functions.is_empty() {
        notes.push(
            "no waker of a task is stored anywhere, so no place was found at which tasks wait".to_owned(),
        );
    }
    // Reasons that differ in addresses alone are one. Each with the first of them, with how many there are, and of how many tasks.
    let mut reasons: BTreeMap<String, (&str, HashSet<&str>, usize)> = BTreeMap::new();
    for reason in records.iter().filter_map(TaskRecord::incomplete) {
        let entry = reasons.entry(without_addresses(reason)).or_insert((reason, HashSet::new(), 0));
        entry.1.insert(reason);
        entry.2 += 1;
    }
    let mut reasons: Vec<_> = reasons.into_values().collect();
    reasons.sort_by_key(|(.., count)| std::cmp::Reverse(*count));
    for (first, different, count) in reasons.into_iter().take(MOST_REASONS) {
        let tasks = if count == 1 { "task" } else { "tasks" };
        let like = if different.len() == 1 { ":" } else { ", for reasons such as this one:" };
        notes.push(format!("{count} {tasks} may lack something{like} {first}"));
    }
    notes
}

/// A text with nothing in place of the digits of its addresses.
fn without_addresses(text: &str) -> String {
    let mut parts = text.split("0x");
    let first = parts.next().unwrap_or_default().to_owned();
    let is_digit = |letter: char| letter.is_ascii_hexdigit();
    parts.fold(first, |text, part| text + "0x" + part.trim_start_matches(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reason_fills_the_notes_because_of_its_addresses() {
        let reason = |at: u64| {
            format!("the instruction at shop+{at:#x} uses memory at {:#x}, which cannot be read", at + 9)
        };
        let record = |id: u64, reason: &str| {
            let status = TaskStatus::new(TaskState::Suspended);
            let record = TaskRecord::new(TaskId::from_u64(id).unwrap(), SpawnedAt::unknown(), status);
            record.with_incomplete(reason.to_owned())
        };
        let mut records: Vec<TaskRecord> = (1..30).map(|id| record(id, &reason(id * 4096))).collect();
        records.push(record(30, "it ends the process"));
        let notes = notes(&records, &[], &WakerIndex::default(), true, &Figures::default());
        assert_eq!(
            notes,
            [
                format!("29 tasks may lack something, for reasons such as this one: {}", reason(4096)),
                "1 task may lack something: it ends the process".to_owned(),
            ]
        );
    }

    #[test]
    fn tasks_of_the_agent_are_taken_for_those_of_the_program() {
        for own in [
            "async fn bw_agent::listen::serve",
            "async block in bw_agent::agent::Agent::run",
            "closure in bw_agent::listen::serve",
            "bw_agent::trigger::Trigger<u32>",
            "tokio::runtime::blocking::task::BlockingTask<bw_agent::report::write::{closure#0}>",
        ] {
            assert!(is_of_agent(own), "{own}");
        }
        for other in
            ["async fn shop::bw_agent::serve", "async fn bw_agents::serve", "shop::Of<bw_agent::Agent>", ""]
        {
            assert!(!is_of_agent(other), "{other}");
        }
    }
}
