//! Which threads belong to which runtime, seen from their thread-local values.
//!
//! A poll uses thread-local values of its runtime, such as the handle of its timers. tokio keeps a handle of the runtime in a static
//! thread-local variable of each thread that is inside of the runtime. A task has the same handle as its scheduler. So a thread that has
//! the word in its thread-local block is one that can poll the task. On x86-64 this block ends at the thread pointer, on AArch64 it begins there.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::found_task::FoundTask;
use super::task_list::TaskList;
use crate::target::mappings::Mapping;
use crate::target::memory::Memory;
use crate::target::threads::Thread;
use crate::target::words::{bytes_at, word_at, words_of};

/// Bytes below and above a thread pointer that are searched.
pub(super) const BLOCK_BYTES: u64 = 64 * 1024;
/// Threads whose blocks are searched.
const MOST_THREADS: usize = 4096;

/// A thread whose thread-local values an emulated poll sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PollThread {
    /// Its number.
    pub(crate) id: u64,
    /// Its thread pointer: the FS base.
    pub(crate) pointer: u64,
}

/// The threads that polls are emulated on.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuntimeThreads {
    of_scheduler: HashMap<u64, PollThread>,
    of_any_runtime: Option<PollThread>,
    fallback: PollThread,
    /// Another than the fallback.
    other: Option<PollThread>,
}

/// How well a thread fits; the greatest fits best. A thread that waits has nothing half written. The variable is at the same distance
/// from the thread pointer in all threads, while a copy of the handle on a stack, which may lie below the block, is anywhere. Of threads
/// that fit alike it is the one with the smallest number: each look takes the same, in whatever order threads are listed.
type Rank = (bool, usize, Reverse<u64>, Reverse<u64>);

impl RuntimeThreads {
    /// Searches the thread-local values of all threads.
    pub(crate) fn find(
        memory: &dyn Memory,
        mappings: &[Mapping],
        list: &TaskList,
        threads: &[Thread],
    ) -> Self {
        let schedulers: HashSet<u64> = list.tasks.iter().filter_map(|task| scheduler(memory, task)).collect();
        // Threads, distances from their thread pointers, and the handles there.
        let mut found: Vec<(&Thread, PollThread, u64, u64)> = Vec::new();
        for thread in threads.iter().take(MOST_THREADS) {
            let Some(&pointer) = list.thread_pointers.get(&thread.id) else { continue };
            let below = (pointer.saturating_sub(BLOCK_BYTES), pointer);
            let above = (pointer, pointer.saturating_add(BLOCK_BYTES));
            for (start, end) in [below, above] {
                // A part of it may be another mapping.
                let inside = if end == pointer { pointer.saturating_sub(1) } else { pointer };
                let Some(mapping) = mappings.iter().find(|mapping| mapping.range.contains(&inside)) else {
                    continue;
                };
                let (start, end) = (start.max(mapping.range.start), end.min(mapping.range.end));
                let length = usize::try_from(end - start).unwrap_or(0);
                let Ok(bytes) = bytes_at(memory, start, length) else { continue };
                let places = (start..).step_by(8).zip(words_of(&bytes));
                let of_thread = PollThread { id: thread.id, pointer };
                let handles = places.filter(|(_, word)| schedulers.contains(word));
                found.extend(handles.map(|(at, handle)| (thread, of_thread, pointer.abs_diff(at), handle)));
            }
        }
        let mut distances: BTreeMap<u64, usize> = BTreeMap::new();
        for (_, _, distance, _) in &found {
            *distances.entry(*distance).or_default() += 1;
        }
        let mut best: HashMap<u64, (Rank, PollThread)> = HashMap::new();
        for (thread, of_thread, distance, handle) in found {
            let times = distances.get(&distance).copied().unwrap_or(0);
            let rank = (thread.waits_at.is_some(), times, Reverse(distance), Reverse(thread.id));
            let kept = best.entry(handle).or_insert((rank, of_thread));
            if kept.0 < rank {
                *kept = (rank, of_thread);
            }
        }
        let fallback = fallback(list, threads);
        let of_any_runtime = best.values().max_by_key(|(rank, _)| *rank);
        Self {
            of_any_runtime: of_any_runtime.map(|(_, thread)| *thread),
            of_scheduler: best.into_iter().map(|(handle, (_, thread))| (handle, thread)).collect(),
            other: other(list, fallback),
            fallback,
        }
    }

    /// Returns a thread of any runtime, or any thread.
    fn any(&self) -> PollThread {
        self.of_any_runtime.unwrap_or(self.fallback)
    }

    /// Returns any two threads. The second is left out if there is only one.
    pub(crate) fn two(&self) -> impl Iterator<Item = PollThread> {
        let first = self.any();
        let second = [Some(self.fallback), self.other].into_iter().flatten().find(|second| *second != first);
        [Some(first), second].into_iter().flatten()
    }

    /// Returns the thread for a task: one of its runtime, or of any runtime, or any thread.
    pub(crate) fn of_task(&self, memory: &dyn Memory, task: &FoundTask) -> PollThread {
        let own = scheduler(memory, task).and_then(|handle| self.of_scheduler.get(&handle));
        own.copied().unwrap_or_else(|| self.any())
    }
}

/// The address that a task has of its runtime's handle. `None` if its scheduler takes no room.
fn scheduler(memory: &dyn Memory, task: &FoundTask) -> Option<u64> {
    if task.table.scheduler_offset >= task.table.id_offset {
        return None;
    }
    let handle = word_at(memory, task.header.wrapping_add(task.table.scheduler_offset)).ok()?;
    // The address of a block, and not a number.
    (handle >= 4096 && handle.is_multiple_of(8)).then_some(handle)
}

/// Another thread than this one.
fn other(list: &TaskList, than: PollThread) -> Option<PollThread> {
    let others = list.thread_pointers.iter().filter(|(id, _)| **id != than.id);
    others.min().map(|(&id, &pointer)| PollThread { id, pointer })
}

/// A thread that waits; rather another than the main thread, which may never have run a task.
fn fallback(list: &TaskList, threads: &[Thread]) -> PollThread {
    let main = threads.iter().map(|thread| thread.id).min();
    let rank = |thread: &&Thread| (thread.waits_at.is_some(), Some(thread.id) != main);
    let known = threads.iter().filter(|thread| list.thread_pointers.contains_key(&thread.id));
    let best = known.max_by_key(rank);
    let pointer = best.and_then(|thread| list.thread_pointers.get(&thread.id));
    best.zip(pointer)
        .map_or_else(PollThread::default, |(thread, &pointer)| PollThread { id: thread.id, pointer })
}
