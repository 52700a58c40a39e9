//! Looking at a process: from its memory to a task dump.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::{Instant, SystemTime};

use bw_core::{
    NoTrace, PollingThread, RawTaskDump, RawTrace, SpawnedAt, TaskId, TaskLayout, TaskRecord, TaskState,
    TaskStatus,
};
use bw_dump::{ModuleMap, Process, RawDumpFile};

use crate::capture::block_on_root::WaitingThread;
use crate::capture::emulated_poll::{EmulatedPoll, PollEmulator, PollEnd};
use crate::capture::limits::Limits;
use crate::capture::thread_stack;
use crate::capture::unwind_rules::UnwindRules;
use crate::executor::child_wakers::ChildWaker;
use crate::executor::found_task::FoundTask;
use crate::executor::process_tasks::{self, ProcessTasks};
use crate::executor::runtime_threads::RuntimeThreads;
use crate::executor::task_state::Activity;
use crate::executor::waker_index::WakerIndex;
use crate::executor::wrapped_tasks::{WrappedTask, WrappedTasks};
use crate::target::Target;
use crate::target::data_scan::DataScan;
use crate::target::mappings::Mapping;
use crate::target::modules::LoadedModules;
use crate::target::open_error::OpenError;
use crate::target::page_cache::PageCache;
use crate::target::threads::Thread;

/// Tasks that are emulated before the memory that they used is compared.
const BATCH: usize = 256;
/// Reasons that a note lists.
const MOST_REASONS: usize = 5;

/// What the memory of a process shows of its tasks. Plain data.
#[derive(Clone, Debug)]
pub struct Inspection {
    dump: RawTaskDump,
    modules: ModuleMap,
    polls: HashMap<TaskId, u64>,
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
    let mappings = target.mappings()?;
    let constant = mappings.iter().filter(|it| it.is_readable && !it.is_writable);
    let mut memory = PageCache::new(target, constant.map(|it| it.range.clone()).collect());
    let mut modules = LoadedModules::read(&memory, &mappings);
    let threads = target.threads();
    let data = DataScan::new(target, &mappings, limits.data_bytes);
    let ProcessTasks { list, wakers, others, has_code } =
        ProcessTasks::find(target, &data, &memory, &mut modules, &mappings, &threads);
    let wrapped = WrappedTasks::find(target, &modules);
    memory.ignore(wrapped.clocks());
    let rules = UnwindRules::new(&memory, &modules);
    let looked = Look {
        target,
        limits,
        mappings: &mappings,
        threads: &threads,
        memory: &memory,
        rules: &rules,
        wakers: &wakers,
        wrapped: &wrapped,
        others: &others,
        thread_pointers: &list.thread_pointers,
        runtime_threads: RuntimeThreads::find(target, &mappings, &list, &threads),
    };
    let mut figures =
        Figures { searched_bytes: data.bytes(), skipped_bytes: data.skipped(), instructions: 0, repeated: 0 };
    let (outcomes, roots) = looked.outcomes(&list.tasks, &mut figures).ok_or_else(|| ended(target))?;
    // What is missing then is missing because nothing could be read any more.
    if target.is_over() {
        return Err(ended(target));
    }
    let mut traces = Traces::default();
    let mut ids = Ids::default();
    let mut polls = HashMap::new();
    let numbered: Vec<(TaskId, FoundTask, Outcome)> =
        outcomes.into_iter().filter_map(|(task, outcome)| Some((ids.id(task.id)?, task, outcome))).collect();
    // A wrapper knows ids of its own.
    let by_wrapper: HashMap<u64, TaskId> =
        numbered.iter().filter_map(|(id, _, outcome)| Some((outcome.wrapped.as_ref()?.id, *id))).collect();
    let mut records: Vec<TaskRecord> = numbered
        .into_iter()
        .map(|(id, task, outcome)| {
            polls.insert(id, task.table.poll);
            record(id, outcome, &mut traces, &by_wrapper)
        })
        .collect();
    records.extend(roots.into_iter().filter_map(|(thread, outcome)| {
        // The ids of tasks are given out before.
        let name = thread.name.as_deref().map_or_else(|| thread.id.to_string(), |name| format!("{name:?}"));
        let record = record(ids.id(thread.id)?, outcome, &mut traces, &by_wrapper);
        Some(record.with_name(format!("block_on on thread {name}")))
    }));
    let mut all_notes = target.notes();
    all_notes.extend(notes(&records, &list.tasks, &wakers, has_code, &figures));
    if let Some(version) = wrapped.unknown_version() {
        all_notes.push(format!(
            "names and ages are missing: the program has version {version} of the table that says where they are, and this \
             command reads version {}",
            TaskLayout::VERSION
        ));
    }
    let dump =
        RawTaskDump::new(taken_at.unwrap_or_else(SystemTime::now), began.elapsed(), records, traces.traces);
    let dump = dump.with_source(target.source()).with_pause(target.pause()).with_notes(all_notes);
    Ok(Inspection { dump, modules: modules.map(), polls, figures })
}

/// Returns whether a process has code of async tasks: of tokio, or of the crate `async-task`. Reads the headers and some constants of its
/// modules: takes a few milliseconds.
///
/// # Errors
///
/// When the process ended meanwhile, or its mappings may not be read.
pub fn runs_tasks(target: &dyn Target) -> Result<bool, OpenError> {
    let mappings = target.mappings()?;
    Ok(process_tasks::has_code(target, &LoadedModules::read(target, &mappings)))
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
    if !process_tasks::has_code(target, &modules) {
        return Ok(None);
    }
    let data = DataScan::new(target, &mappings, limits.data_bytes);
    let tasks =
        ProcessTasks::find(target, &data, target, &mut modules, &mappings, &target.threads()).list.tasks;
    Ok(Some(
        tasks
            .iter()
            .filter(|task| task.is_of_executor() && task.word.activity() != Activity::Complete)
            .count(),
    ))
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

    /// Names each task after its type, which `type_of` finds from the address of the function that polls it. See
    /// [`task_type`](crate::task_type). Leaves out the tasks that are threads of a runtime,
    /// and those of the agent of this project: only types tell them from others.
    #[must_use]
    pub fn named(mut self, mut type_of: impl FnMut(u64) -> Option<String>) -> Self {
        let polls = &self.polls;
        let dump = self.dump.with_names(|task| polls.get(&task).and_then(|&poll| type_of(poll)));
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

/// What the types of the tasks of a runtime's blocking pool begin with.
const BLOCKING_TASK: &str = "tokio::runtime::blocking::task::BlockingTask<";

/// Whether a task of this type is one of the agent of this project, which is no part of the program.
fn is_of_agent(task_type: &str) -> bool {
    let body = task_type.strip_prefix(BLOCKING_TASK).unwrap_or(task_type);
    let bodies = ["async fn ", "async block in "];
    let path = bodies.iter().find_map(|kind| body.strip_prefix(kind)).unwrap_or(body);
    path.starts_with("bw_agent::")
}

/// Whether a task of this type is a worker thread of a runtime of many threads, which tokio runs as a task of its blocking pool.
fn is_worker(task_type: &str) -> bool {
    let of_pool = task_type.strip_prefix(BLOCKING_TASK);
    of_pool.is_some_and(|closure| closure.starts_with("tokio::runtime::scheduler::multi_thread"))
}

/// What a look at one task showed.
struct Outcome {
    state: TaskState,
    trace: Result<RawTrace, NoTrace>,
    incomplete: Option<String>,
    wrapped: Option<WrappedTask>,
}

impl Outcome {
    fn new(state: TaskState, trace: Result<RawTrace, NoTrace>, incomplete: Option<String>) -> Self {
        Self { state, trace, incomplete, wrapped: None }
    }
}

type TaskOutcomes = Vec<(FoundTask, Outcome)>;
type RootOutcomes<'l> = Vec<(&'l Thread, Outcome)>;

struct Look<'l> {
    target: &'l dyn Target,
    limits: &'l Limits,
    mappings: &'l [Mapping],
    threads: &'l [Thread],
    memory: &'l PageCache<'l>,
    rules: &'l UnwindRules<'l>,
    wakers: &'l WakerIndex,
    wrapped: &'l WrappedTasks,
    others: &'l [ChildWaker],
    thread_pointers: &'l HashMap<u64, u64>,
    runtime_threads: RuntimeThreads,
}

impl Look<'_> {
    /// Looks at every task, and at what threads block on. `None` if the process has ended.
    fn outcomes(
        &self,
        tasks: &[FoundTask],
        figures: &mut Figures,
    ) -> Option<(TaskOutcomes, RootOutcomes<'_>)> {
        let clocks = self.target.clocks();
        let mut emulator = PollEmulator::new(
            self.memory,
            self.mappings,
            self.rules,
            self.wakers,
            self.wrapped,
            (self.target.pid(), clocks),
            *self.limits,
        );
        figures.instructions += emulator.find_children(self.others, tasks, &self.runtime_threads);
        let roots = self.roots(&mut emulator, figures)?;
        let mut outcomes: Vec<(FoundTask, Outcome)> = Vec::with_capacity(tasks.len());
        for batch in tasks.chunks(BATCH) {
            let mut waiting: Vec<FoundTask> = batch.to_vec();
            for attempt in 1..=self.limits.attempts.max(1) {
                let is_last = attempt == self.limits.attempts.max(1);
                // The fewer tasks share a comparison, the less time the process has to change what they use.
                let size = match attempt {
                    1 => BATCH,
                    2 => 16,
                    _ => 1,
                };
                let mut moved = Vec::new();
                for part in waiting.chunks(size) {
                    self.part(part, &mut emulator, is_last, figures, &mut outcomes, &mut moved)?;
                }
                figures.repeated += moved.len() as u64;
                waiting = moved;
                if waiting.is_empty() {
                    break;
                }
            }
        }
        Some((outcomes, roots))
    }

    /// Looks at the futures that waiting threads drive with `block_on`.
    fn roots(&self, emulator: &mut PollEmulator<'_>, figures: &mut Figures) -> Option<RootOutcomes<'_>> {
        let mut roots = Vec::new();
        for thread in self.threads {
            if figures.instructions >= self.limits.all_instructions {
                break;
            }
            for attempt in 1..=self.limits.attempts.max(1) {
                self.memory.forget();
                let native = thread_stack::walk(self.target, thread, self.rules, self.limits.frames);
                let mapping = self.mappings.iter().find_map(|mapping| {
                    thread.stack_in(&mapping.range)?;
                    Some(&mapping.range)
                });
                let pointer = self.thread_pointers.get(&thread.id).copied();
                let waiting = mapping
                    .zip(pointer)
                    .and_then(|(mapping, pointer)| WaitingThread::new(thread, pointer, mapping));
                let Some(poll) =
                    waiting.and_then(|waiting| emulator.poll_root(&waiting, &self.runtime_threads, native))
                else {
                    break;
                };
                figures.instructions += poll.instructions;
                let (mut outcome, used) = idle(poll);
                let has_moved = self.memory.changed(&[used])? != [false]
                    || self.target.thread_now(thread.id)?.waits_at != thread.waits_at;
                if has_moved && attempt < self.limits.attempts {
                    continue;
                }
                if has_moved {
                    outcome.incomplete = Some(NoTrace::Moved.to_string());
                    outcome.trace = Err(NoTrace::Moved);
                }
                roots.push((thread, outcome));
                break;
            }
        }
        Some(roots)
    }

    /// Looks at some tasks, and puts those that ran meanwhile into `moved`, unless this is the last attempt.
    fn part(
        &self,
        tasks: &[FoundTask],
        emulator: &mut PollEmulator<'_>,
        is_last: bool,
        figures: &mut Figures,
        outcomes: &mut Vec<(FoundTask, Outcome)>,
        moved: &mut Vec<FoundTask>,
    ) -> Option<()> {
        self.memory.forget();
        let mut seen: Vec<(FoundTask, Outcome)> = Vec::with_capacity(tasks.len());
        let mut used: Vec<Vec<(u64, u64)>> = Vec::with_capacity(tasks.len());
        for known in tasks {
            // What was found before may have ended since.
            let Ok(Some(task)) = known.read_again(self.memory) else {
                continue;
            };
            if task.id != known.id {
                continue;
            }
            let (mut outcome, ranges) = self.one(&task, emulator, figures);
            outcome.wrapped = self.wrapped.of_task(self.memory, &task);
            seen.push((task, outcome));
            used.push(ranges);
        }
        let changed = self.memory.changed(&used)?;
        for ((task, mut outcome), has_changed) in seen.into_iter().zip(changed) {
            if !has_changed {
                outcomes.push((task, outcome));
            } else if is_last {
                outcome.incomplete = Some(NoTrace::Moved.to_string());
                outcome.trace = Err(NoTrace::Moved);
                outcomes.push((task, outcome));
            } else {
                moved.push(task);
            }
        }
        Some(())
    }

    /// Looks at one task. Returns the memory that the result depends on, too.
    fn one(
        &self,
        task: &FoundTask,
        emulator: &mut PollEmulator<'_>,
        figures: &mut Figures,
    ) -> (Outcome, Vec<(u64, u64)>) {
        let header = vec![(task.header, 8)];
        let without = |state, reason| (Outcome::new(state, Err(reason), None), header.clone());
        match task.word.activity() {
            Activity::Notified => without(TaskState::Woken, NoTrace::Queued),
            Activity::Complete => without(TaskState::Finished, NoTrace::Retained),
            Activity::Running => {
                let found = thread_stack::of_task(
                    self.target,
                    self.mappings,
                    self.threads,
                    self.rules,
                    task.header,
                    self.limits.frames,
                );
                let (thread, stack) = match found {
                    Some(found) => (found.thread, found.stack),
                    None => (PollingThread::elsewhere(None, None), None),
                };
                let trace = stack.map(|stack| RawTrace::from_stacks([stack])).ok_or(NoTrace::Running);
                (Outcome::new(TaskState::Polling(thread), trace, None), header)
            }
            Activity::Idle if figures.instructions >= self.limits.all_instructions => {
                let (mut outcome, used) = without(TaskState::Suspended, NoTrace::Incomplete);
                outcome.incomplete = Some("the budget of instructions was used up before".to_owned());
                (outcome, used)
            }
            Activity::Idle => {
                let poll = emulator.poll(task, &self.runtime_threads);
                figures.instructions += poll.instructions;
                idle(poll)
            }
        }
    }
}

/// What an emulated poll says of an idle task.
fn idle(poll: EmulatedPoll) -> (Outcome, Vec<(u64, u64)>) {
    let incomplete = match poll.end {
        PollEnd::Pending => None,
        PollEnd::Ready => Some(
            "the emulated poll finished the task: what the task waited for has happened, and nothing had woken it"
                .to_owned(),
        ),
        PollEnd::Moved => Some(
            "the emulated poll went on: what the task waited for has happened, and nothing had woken it; the trace may \
             show a later place"
                .to_owned(),
        ),
        PollEnd::Panicked(said) => Some(format!("an emulated poll panics: {said}")),
        PollEnd::Incomplete(reason) => Some(reason),
    };
    let trace = if poll.stacks.is_empty() && incomplete.is_some() {
        Err(NoTrace::Incomplete)
    } else {
        Ok(RawTrace::from_stacks(poll.stacks).with_dropped(poll.dropped))
    };
    (Outcome::new(TaskState::Suspended, trace, incomplete), poll.used)
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
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records {
        if let Some(reason) = record.incomplete() {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    let mut reasons: Vec<(&str, usize)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (reason, count) in reasons.into_iter().take(MOST_REASONS) {
        let tasks = if count == 1 { "task" } else { "tasks" };
        notes.push(format!("{count} {tasks} may lack something: {reason}"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_of_the_agent_are_taken_for_those_of_the_program() {
        for own in [
            "async fn bw_agent::listen::serve",
            "async block in bw_agent::agent::Agent::run",
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
