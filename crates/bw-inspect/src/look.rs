//! Looking at the tasks of a process: each is emulated, on as many threads as there are processors.

use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bw_core::{NoTrace, PollingThread, RawTrace, TaskState};

use crate::capture::block_on_root::WaitingThread;
use crate::capture::emulated_poll::{EmulatedPoll, PollEmulator, PollEnd};
use crate::capture::limits::Limits;
use crate::capture::thread_stack;
use crate::capture::unwind_rules::UnwindRules;
use crate::executor::found_task::FoundTask;
use crate::executor::task_state::Activity;
use crate::executor::wrapped_tasks::WrappedTask;
use crate::found_process::FoundProcess;
use crate::target::Target;
use crate::target::page_cache::PageCache;
use crate::target::thread_sample::ThreadSample;
use crate::target::threads::Thread;

/// Tasks that are emulated before the memory that they used is compared.
const BATCH: usize = 256;
/// Bytes of a task that are read ahead.
const MOST_TASK_BYTES: u64 = 8192;
/// Threads that run and whose stacks are copied.
const MOST_SAMPLES: usize = 64;
/// How long they are given to run. They may have to wait for a processor.
const TIME_FOR_SAMPLES: Duration = Duration::from_millis(100);
/// Threads at most. Each has copies of the pages that it uses.
const MOST_THREADS: usize = 8;

/// What a look at one task showed.
pub(crate) struct Outcome {
    pub(crate) state: TaskState,
    pub(crate) trace: Result<RawTrace, NoTrace>,
    pub(crate) incomplete: Option<String>,
    pub(crate) wrapped: Option<WrappedTask>,
}

impl Outcome {
    fn new(state: TaskState, trace: Result<RawTrace, NoTrace>, incomplete: Option<String>) -> Self {
        Self { state, trace, incomplete, wrapped: None }
    }
}

/// Tasks, and what a look at each showed.
pub(crate) type TaskOutcomes = Vec<(FoundTask, Outcome)>;
/// Threads, and what a look at the future that each drives showed.
pub(crate) type RootOutcomes = Vec<(Thread, Outcome)>;

/// What all threads know that look at one process.
pub(crate) struct Look<'l> {
    pub(crate) process: &'l FoundProcess<'l>,
    pub(crate) limits: &'l Limits,
    pub(crate) running: RunningThreads,
    pub(crate) spent: Spent,
}

/// The threads that ran, at one moment of each.
#[derive(Debug, Default)]
pub(crate) struct RunningThreads(OnceLock<Vec<(Thread, ThreadSample)>>);

impl RunningThreads {
    /// Copies their registers and stacks, when this is called for the first time: takes some milliseconds.
    fn samples(&self, target: &dyn Target, threads: &[Thread]) -> &[(Thread, ThreadSample)] {
        self.0.get_or_init(|| {
            let running = threads.iter().filter(|it| it.waits_at.is_none() && it.registers.is_none());
            let ids: Vec<u64> = running.take(MOST_SAMPLES).map(|thread| thread.id).collect();
            let samples = target.sample_threads(&ids, TIME_FOR_SAMPLES).into_iter();
            samples
                .filter_map(|(id, sample)| Some((threads.iter().find(|it| it.id == id)?.clone(), sample)))
                .collect()
        })
    }
}

/// What all threads have spent together.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    instructions: AtomicU64,
    repeated: AtomicU64,
}

impl Spent {
    // Ordering: Relaxed in all; counts, and a limit that may be passed a little.
    fn add(&self, instructions: u64) {
        self.instructions.fetch_add(instructions, Ordering::Relaxed);
    }

    /// Instructions that were emulated.
    pub(crate) fn instructions(&self) -> u64 {
        self.instructions.load(Ordering::Relaxed)
    }

    /// Polls that were emulated again.
    pub(crate) fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }
}

impl Look<'_> {
    /// Looks at every task, and at what threads block on. `None` if the process has ended.
    pub(crate) fn outcomes(&self, tasks: &[FoundTask]) -> Option<(TaskOutcomes, RootOutcomes)> {
        let memory = self.process.memory();
        let rules = UnwindRules::new(&memory, &self.process.modules);
        let mut first = Worker::new(self, &memory, &rules);
        self.spent.add(first.emulator.find_children(
            &self.process.tasks.others,
            tasks,
            &self.process.runtime_threads,
        ));
        let roots = first.roots()?;
        let next = AtomicUsize::new(0);
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let more = tasks.len().div_ceil(BATCH).min(processors).min(MOST_THREADS).saturating_sub(1);
        let children = first.emulator.children.clone();
        let found: Option<Vec<Vec<(usize, TaskOutcomes)>>> = thread::scope(|scope| {
            let work = || {
                let memory = self.process.memory();
                let rules = UnwindRules::new(&memory, &self.process.modules);
                let mut worker = Worker::new(self, &memory, &rules);
                worker.emulator.children.clone_from(&children);
                worker.work(tasks, &next)
            };
            // Where no thread can be started, this one does it all.
            let threads: Vec<_> =
                (0..more).filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
            let own = first.work(tasks, &next);
            let others =
                threads.into_iter().map(|thread| thread.join().unwrap_or_else(|it| resume_unwind(it)));
            std::iter::once(own).chain(others).collect()
        });
        let mut batches: Vec<(usize, TaskOutcomes)> = found?.into_iter().flatten().collect();
        batches.sort_unstable_by_key(|(number, _)| *number);
        Some((batches.into_iter().flat_map(|(_, outcomes)| outcomes).collect(), roots))
    }
}

/// One thread that looks at tasks.
struct Worker<'w> {
    look: &'w Look<'w>,
    memory: &'w PageCache<'w>,
    rules: &'w UnwindRules<'w>,
    emulator: PollEmulator<'w>,
}

impl<'w> Worker<'w> {
    fn new(look: &'w Look<'w>, memory: &'w PageCache<'w>, rules: &'w UnwindRules<'w>) -> Self {
        let emulator = look.process.emulator(memory, rules, look.limits);
        Self { look, memory, rules, emulator }
    }

    /// Takes one batch of the tasks after the other, until another thread has taken the last one. Returns them with their numbers; `None`
    /// if the process has ended.
    fn work(&mut self, tasks: &[FoundTask], next: &AtomicUsize) -> Option<Vec<(usize, TaskOutcomes)>> {
        let mut batches = Vec::new();
        loop {
            // Ordering: Relaxed; only that each number comes once matters.
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(batch) = tasks.chunks(BATCH).nth(number) else { return Some(batches) };
            batches.push((number, self.batch(batch)?));
        }
    }

    fn batch(&mut self, batch: &[FoundTask]) -> Option<TaskOutcomes> {
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut waiting: Vec<FoundTask> = batch.to_vec();
        let attempts = self.look.limits.attempts.max(1);
        for attempt in 1..=attempts {
            // The fewer tasks share a comparison, the less time the process has to change what they use.
            let size = match attempt {
                1 => BATCH,
                2 => 16,
                _ => 1,
            };
            let mut moved = Vec::new();
            for part in waiting.chunks(size) {
                self.part(part, attempt == attempts, &mut outcomes, &mut moved)?;
            }
            self.look.spent.repeated.fetch_add(moved.len() as u64, Ordering::Relaxed);
            waiting = moved;
            if waiting.is_empty() {
                break;
            }
        }
        Some(outcomes)
    }

    /// Looks at the futures that waiting threads drive with `block_on`.
    fn roots(&mut self) -> Option<RootOutcomes> {
        let mut roots = Vec::new();
        for thread in &self.look.process.threads {
            if self.look.spent.instructions() >= self.look.limits.all_instructions {
                break;
            }
            for attempt in 1..=self.look.limits.attempts.max(1) {
                self.memory.forget();
                let native =
                    thread_stack::walk(self.look.process.target, thread, self.rules, self.look.limits.frames);
                let mapping = self.look.process.mappings.iter().find_map(|mapping| {
                    thread.stack_in(&mapping.range)?;
                    Some(&mapping.range)
                });
                let pointer = self.look.process.tasks.list.thread_pointers.get(&thread.id).copied();
                let waiting = mapping
                    .zip(pointer)
                    .and_then(|(mapping, pointer)| WaitingThread::new(thread, pointer, mapping));
                let Some(poll) = waiting.and_then(|waiting| {
                    self.emulator.poll_root(&waiting, &self.look.process.runtime_threads, native)
                }) else {
                    break;
                };
                self.look.spent.add(poll.instructions);
                let (mut outcome, used) = idle(poll);
                let is_same = |now: Thread| now.waits_at == thread.waits_at;
                let has_moved = self.memory.changed(&[used])? != [false]
                    || !self.look.process.target.thread_now(thread.id).is_some_and(is_same);
                if has_moved && attempt < self.look.limits.attempts {
                    continue;
                }
                if has_moved {
                    outcome.incomplete = Some(NoTrace::Moved.to_string());
                    outcome.trace = Err(NoTrace::Moved);
                }
                roots.push((thread.clone(), outcome));
                break;
            }
        }
        Some(roots)
    }

    /// Looks at some tasks, and puts those that ran meanwhile into `moved`, unless this is the last attempt.
    fn part(
        &mut self,
        tasks: &[FoundTask],
        is_last: bool,
        outcomes: &mut Vec<(FoundTask, Outcome)>,
        moved: &mut Vec<FoundTask>,
    ) -> Option<()> {
        self.memory.forget();
        // Of most tasks all that a poll uses lies there, beside what all tasks use.
        self.memory.read_ahead(
            tasks.iter().map(|task| (task.header, task.table.trailer_offset.min(MOST_TASK_BYTES))),
        );
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
            let (mut outcome, ranges) = self.one(&task);
            outcome.wrapped = self.look.process.wrapped.of_task(self.memory, &task);
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
    fn one(&mut self, task: &FoundTask) -> (Outcome, Vec<(u64, u64)>) {
        let header = vec![(task.header, 8)];
        let without = |state, reason| (Outcome::new(state, Err(reason), None), header.clone());
        match task.word.activity() {
            Activity::Notified if task.word.is_aborted() => without(TaskState::Woken, NoTrace::Aborted),
            Activity::Notified => without(TaskState::Woken, NoTrace::Queued),
            Activity::Complete => without(TaskState::Finished, NoTrace::Retained),
            Activity::Running => {
                let found = thread_stack::of_task(
                    self.look.process.target,
                    &self.look.process.mappings,
                    &self.look.process.threads,
                    || self.look.running.samples(self.look.process.target, &self.look.process.threads),
                    self.rules,
                    task,
                    self.look.limits.frames,
                );
                let (thread, stack) = match found {
                    Some(found) => (found.thread, found.stack),
                    None => (PollingThread::elsewhere(None, None), None),
                };
                let trace = stack.map(|stack| RawTrace::from_stacks([stack])).ok_or(NoTrace::Running);
                (Outcome::new(TaskState::Polling(thread), trace, None), header)
            }
            Activity::Idle if self.look.spent.instructions() >= self.look.limits.all_instructions => {
                let (mut outcome, used) = without(TaskState::Suspended, NoTrace::Incomplete);
                outcome.incomplete = Some("the budget of instructions was used up before".to_owned());
                (outcome, used)
            }
            Activity::Idle => {
                let poll = self.emulator.poll(task, &self.look.process.runtime_threads);
                self.look.spent.add(poll.instructions);
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
            "the emulated poll changed the state of the task: what it waited for may have happened without a wake, and the \
             trace may show a later place"
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
