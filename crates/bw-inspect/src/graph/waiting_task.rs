//! Tasks that wait for one thing only, and who keeps them from going on.

use std::collections::{HashMap, HashSet};

use bw_core::NoTrace;

use crate::capture::emulated_poll::{EmulatedPoll, PollEmulator, PollEnd};
use crate::decode::{DecodedTask, FoundAcquire, LockKind, TypeKnowledge, decode};
use crate::executor::found_task::FoundTask;
use crate::executor::task_state::Activity;
use crate::found_process::FoundProcess;
use crate::graph::wait_graph::{Edge, Why};
use crate::layout::ModuleTypes;
use crate::target::page_cache::PageCache;
use crate::target::words::word_at;

/// Why a task is not decoded whose module nothing describes.
pub(crate) const NO_DEBUG_INFO: &str = "the debug information of its module was not found";
/// A semaphore's count of free permits has a flag below.
const PERMIT_SHIFT: u32 = 1;
/// Characters of what a panic says.
const MOST_SAID: usize = 200;

/// A task that waits for one thing only.
pub(crate) struct WaitingTask {
    pub(crate) task: FoundTask,
    pub(crate) decoded: DecodedTask,
    pub(crate) poll: EmulatedPoll,
    pub(crate) wait: Wait,
    /// Permits that dropping it would give back, by semaphore. `None` if that is not known.
    pub(crate) holds: Option<HashMap<u64, u64>>,
    /// The memory that all of this depends on.
    pub(crate) used: Vec<(u64, u64)>,
}

/// A task that would go on if it were polled.
pub(crate) struct ResumableTask {
    pub(crate) task: FoundTask,
    pub(crate) decoded: DecodedTask,
    pub(crate) would_end: bool,
    /// The memory that this depends on.
    pub(crate) used: Vec<(u64, u64)>,
}

/// What a task waits for.
#[derive(Clone, Debug)]
pub(crate) enum Wait {
    Lock(FoundAcquire),
    /// The end of the task with this header; the body that waits for it.
    Join(u64, Option<usize>),
}

impl WaitingTask {
    /// The body in which it waits.
    pub(crate) fn body(&self) -> Option<usize> {
        match &self.wait {
            Wait::Lock(acquire) => acquire.position.body,
            Wait::Join(_, body) => *body,
        }
    }

    /// Permits of a semaphore that it holds, besides those that it has already got of those that it waits for.
    fn holds_of(&self, semaphore: u64) -> u64 {
        let held = self.holds.as_ref().and_then(|holds| holds.get(&semaphore)).copied().unwrap_or(0);
        match &self.wait {
            Wait::Lock(acquire) if acquire.semaphore == semaphore => {
                held.saturating_sub(acquire.asked.saturating_sub(acquire.needs))
            }
            _ => held,
        }
    }
}

/// Decodes, polls and drops tasks of one process, as its memory was at one time.
pub(crate) struct Examiner<'e, 'd> {
    pub(crate) process: &'e FoundProcess<'e>,
    pub(crate) types: &'e ModuleTypes<'d>,
    pub(crate) known: TypeKnowledge,
    pub(crate) memory: &'e PageCache<'e>,
    pub(crate) emulator: PollEmulator<'e>,
    /// Instructions that may still be emulated.
    pub(crate) instructions_left: u64,
}

/// What was found out about a task.
pub(crate) enum Examined {
    /// It waits for one thing only.
    Waits(Box<WaitingTask>),
    /// It is idle, and would go on if it were polled.
    GoesOn(Box<ResumableTask>),
    /// A thread polls it.
    Runs(FoundTask),
    /// It waits for something else, or for one of several things, or does not wait.
    Other,
    /// Nobody knows, for these reasons.
    Unknown(Vec<String>),
}

impl Examiner<'_, '_> {
    /// Finds out what a task waits for.
    pub(crate) fn examine(&mut self, known: &FoundTask) -> Examined {
        let Ok(Some(task)) = known.read_again(self.memory) else { return Examined::Other };
        match task.word.activity() {
            Activity::Idle => {}
            Activity::Running => return Examined::Runs(task),
            Activity::Notified | Activity::Complete => return Examined::Other,
        }
        let mut gaps = Vec::new();
        let mut decoded = DecodedTask::default();
        match self.types.of_function(task.table.poll) {
            _ if task.table.drop.is_none() => {
                gaps.push("it is a task of another executor than tokio".to_owned());
            }
            None => gaps.push(NO_DEBUG_INFO.to_owned()),
            Some(types) => {
                decoded = decode(types, &mut self.known, self.memory, task.table.poll, task.header);
                gaps.extend(decoded.gaps.iter().cloned());
            }
        }
        if self.instructions_left == 0 {
            return Examined::Unknown(vec!["the budget of instructions was used up before".to_owned()]);
        }
        let poll = self.emulator.poll(&task, &self.process.runtime_threads);
        self.instructions_left = self.instructions_left.saturating_sub(poll.instructions);
        let used = decoded.used.iter().chain(&poll.used).copied().collect();
        match &poll.end {
            PollEnd::Pending => {}
            // A future that is written by hand may change its state whenever it is polled.
            PollEnd::Moved if !self.passes_await(&decoded, &poll) => {
                return self.unknown(&poll, "a poll would change its state, but passes no await".to_owned());
            }
            PollEnd::Ready | PollEnd::Moved => {
                let would_end = poll.end == PollEnd::Ready;
                return Examined::GoesOn(Box::new(ResumableTask { task, decoded, would_end, used }));
            }
            PollEnd::Panicked(said) => {
                let said: String = said.chars().take(MOST_SAID).collect();
                return self.unknown(&poll, format!("an emulated poll panics: {said}"));
            }
            PollEnd::Incomplete(reason) => return self.unknown(&poll, reason.clone()),
        }
        let other = if gaps.is_empty() { Examined::Other } else { Examined::Unknown(gaps) };
        // Where its waker was stored since the search for wakers, the poll did not show that it waits.
        if !self.emulator.find_late_wakers(&task, &poll.used).is_empty() {
            return Examined::Unknown(vec![NoTrace::Moved.to_string()]);
        }
        // In several places, any of them may let it go on.
        if poll.stacks.len() != 1 || poll.dropped > 0 {
            return other;
        }
        let waiting = decoded.acquires.iter().filter(|acquire| acquire.is_waiting());
        let joins = decoded.joins.iter().filter(|join| join.position.variable.is_none());
        let reads = |address: u64| {
            let after = poll.used.partition_point(|(at, _)| *at <= address);
            let range = after.checked_sub(1).and_then(|at| poll.used.get(at));
            range.is_some_and(|(at, length)| address - at < *length)
        };
        let mut polled = waiting.filter(|acquire| reads(acquire.needs_at));
        let wait = match (polled.next(), polled.next()) {
            (Some(acquire), None) => Wait::Lock(acquire.clone()),
            (None, _) => match joins.into_iter().find(|join| reads(join.header)) {
                Some(join) => Wait::Join(join.header, join.position.body),
                None => return other,
            },
            (Some(_), Some(_)) => return other,
        };
        Examined::Waits(Box::new(WaitingTask { task, decoded, poll, wait, holds: None, used }))
    }

    /// Whether a poll leaves an async body at another await than it was at.
    fn passes_await(&self, decoded: &DecodedTask, poll: &EmulatedPoll) -> bool {
        decoded.states.iter().any(|&(at, bytes)| {
            let (word, shift) = (at & !7, (at & 7) * 8);
            let Some((_, after)) = poll.moved.iter().find(|(moved, _)| *moved == word) else { return false };
            let Ok(before) = word_at(self.memory, word) else { return false };
            let mask = u64::MAX >> (64 - bytes.clamp(1, 8) * 8);
            ((before ^ after) >> shift) & mask != 0
        })
    }

    /// What is not known of a task, for this reason, unless the task ran while its memory was read: then the reason says nothing.
    fn unknown(&self, poll: &EmulatedPoll, reason: String) -> Examined {
        let is_same = self.memory.changed(std::slice::from_ref(&poll.used)).is_some_and(|it| it == [false]);
        Examined::Unknown(vec![if is_same { reason } else { NoTrace::Moved.to_string() }])
    }

    /// Finds out what tasks hold of the semaphores that any of them waits for. Returns why that is not known of some.
    pub(crate) fn find_holdings(&mut self, tasks: &mut [WaitingTask]) -> Vec<String> {
        // The words that count permits: that of a semaphore, and that of each future in its queue.
        let mut free: HashMap<u64, u64> = HashMap::new();
        let mut needed: HashMap<u64, u64> = HashMap::new();
        for acquire in
            tasks.iter().flat_map(|task| &task.decoded.acquires).filter(|acquire| acquire.is_queued)
        {
            free.insert(acquire.free_at, acquire.semaphore);
            needed.extend(
                acquire.in_front.iter().chain([&acquire.needs_at]).map(|at| (*at, acquire.semaphore)),
            );
        }
        let mut gaps = Vec::new();
        for task in tasks {
            if self.instructions_left == 0 {
                gaps.push("the budget of instructions was used up before".to_owned());
                continue;
            }
            let dropped = self.emulator.drop_task(&task.task, &self.process.runtime_threads);
            self.instructions_left = self.instructions_left.saturating_sub(dropped.instructions);
            task.used.extend(&dropped.used);
            let changed = match dropped.changed {
                Ok(changed) => changed,
                Err(reason) => {
                    gaps.push(reason);
                    continue;
                }
            };
            let own: HashSet<u64> = task.decoded.acquires.iter().map(|acquire| acquire.needs_at).collect();
            let mut holds: HashMap<u64, u64> = HashMap::new();
            for (at, after) in changed {
                let Ok(before) = word_at(self.memory, at) else { continue };
                if let Some(semaphore) = free.get(&at) {
                    let more = (after >> PERMIT_SHIFT).saturating_sub(before >> PERMIT_SHIFT);
                    *holds.entry(*semaphore).or_default() += more;
                } else if let Some(semaphore) = needed.get(&at).filter(|_| !own.contains(&at)) {
                    *holds.entry(*semaphore).or_default() += before.saturating_sub(after);
                }
            }
            task.holds = Some(holds);
        }
        gaps
    }
}

/// The edges between tasks.
pub(crate) fn edges(tasks: &[WaitingTask]) -> Vec<Edge> {
    let by_header: HashMap<u64, usize> =
        tasks.iter().enumerate().map(|(at, it)| (it.task.header, at)).collect();
    let queued = tasks.iter().enumerate().flat_map(|(at, task)| {
        task.decoded.acquires.iter().map(move |acquire| (acquire.needs_at, (at, acquire.asked)))
    });
    let queued: HashMap<u64, (usize, u64)> = queued.collect();
    let mut holders: HashMap<u64, Vec<usize>> = HashMap::new();
    for (at, task) in tasks.iter().enumerate() {
        for semaphore in task.holds.iter().flat_map(|holds| holds.keys()) {
            holders.entry(*semaphore).or_default().push(at);
        }
    }
    let mut edges = Vec::new();
    for (from, task) in tasks.iter().enumerate() {
        match &task.wait {
            Wait::Join(header, _) => {
                let joined = by_header.get(header);
                edges.extend(joined.map(|&to| Edge { from, to, why: Why::IsJoined }));
            }
            Wait::Lock(acquire) => {
                let all = match acquire.lock {
                    LockKind::Mutex => 1,
                    LockKind::RwLock { permits } => permits,
                    // Others may give permits back.
                    LockKind::Semaphore | LockKind::Other => continue,
                };
                // What is left without what the other one has is not enough.
                let keeps = |held: u64| held > 0 && all.saturating_sub(held) < acquire.asked;
                let in_front = acquire.in_front.iter().filter_map(|at| queued.get(at));
                let in_front = in_front.filter(|(_, asked)| keeps(*asked));
                edges.extend(in_front.map(|&(to, _)| Edge { from, to, why: Why::IsInFront }));
                let holders = holders.get(&acquire.semaphore).into_iter().flatten().copied();
                let held = |to: usize| tasks.get(to).map_or(0, |task| task.holds_of(acquire.semaphore));
                let holders = holders.filter(|to| keeps(held(*to)));
                edges.extend(holders.map(|to| Edge { from, to, why: Why::Holds }));
            }
        }
    }
    edges
}
