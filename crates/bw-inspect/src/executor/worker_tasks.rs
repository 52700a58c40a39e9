//! Which tasks of tokio's blocking pool are worker threads of a runtime.
//!
//! tokio starts each worker of a runtime of many threads as a task of the blocking pool, whose closure runs until the runtime ends. Such a
//! task is no task of the program. Its type tells that, but a stripped program has no types. So the threads are asked: a worker keeps the
//! address of its context, which lies on its stack, in the same thread-local variable as the handle of its runtime. The context has the
//! address of the worker: two counts, and then the same handle, the worker's number and its core. tokio clears the variable when the worker
//! ends, so a closure of the program that the pool runs has none.
//!
//! The stack of a worker has the address of its task in an older frame than the context. All tasks of the same table are workers then.

use std::collections::HashSet;

use super::found_task::FoundTask;
use super::runtime_threads::BLOCK_BYTES;
use super::task_list::TaskList;
use super::task_state::Activity;
use super::task_vtables::TaskVtable;
use crate::target::mappings::Mapping;
use crate::target::memory::Memory;
use crate::target::modules::LoadedModules;
use crate::target::words::{bytes_at, words_of};

/// Threads that are asked.
const MOST_THREADS: usize = 4096;
/// Words from the handle to the context's address in the thread-local variable, at most.
const VARIABLE_WORDS: usize = 24;
/// Words of a context in which its worker is looked for.
const CONTEXT_WORDS: usize = 24;
/// Words of a worker: its counts of strong and weak references; its handle, number and core in an order that the compiler chose.
const WORKER_WORDS: usize = 5;
/// The largest number that is one of a worker, or a count of references to it.
const MOST_COUNT: u64 = 1 << 16;
/// Bytes of a stack that are searched for tasks, from the context on.
const MOST_STACK_BYTES: u64 = 256 * 1024;
/// Possible contexts of a thread that are looked at.
const MOST_CONTEXTS: usize = 256;

/// Returns the tables of tasks that are worker threads.
pub(crate) fn tables(
    memory: &dyn Memory,
    mappings: &[Mapping],
    modules: &LoadedModules,
    list: &TaskList,
) -> HashSet<TaskVtable> {
    let pool: Vec<&FoundTask> = list.tasks.iter().filter(|task| is_run_by_pool(task)).collect();
    if pool.is_empty() {
        return HashSet::new();
    }
    let variables = modules.thread_local_bytes().min(BLOCK_BYTES);
    let pointers = list.thread_pointers.values().take(MOST_THREADS);
    let of_thread = |pointer: &u64| {
        let (context, end) = context(memory, mappings, *pointer, variables)?;
        let length = usize::try_from((end - context).min(MOST_STACK_BYTES)).ok()?;
        let words: HashSet<u64> = words_of(&bytes_at(memory, context, length).ok()?).collect();
        let tables = pool.iter().filter(|task| words.contains(&task.header)).map(|task| task.table);
        let tables: HashSet<TaskVtable> = tables.collect();
        // What another task has left on the stack is not told from the thread's own.
        (tables.len() == 1).then_some(tables)
    };
    pointers.filter_map(of_thread).flatten().collect()
}

/// Whether a thread of the blocking pool runs a task.
pub(crate) fn is_run_by_pool(task: &FoundTask) -> bool {
    !task.is_of_executor() && task.word.activity() == Activity::Running
}

/// Finds the context of a worker on the stack of a thread that has so many bytes of variables. Returns its address, and where its mapping
/// ends. `None` if the thread is no worker.
fn context(memory: &dyn Memory, mappings: &[Mapping], pointer: u64, variables: u64) -> Option<(u64, u64)> {
    let mapping = mappings.iter().find(|mapping| mapping.range.contains(&pointer))?;
    // Below the variables is the stack, where old values lie. On AArch64 the variables are above the thread pointer.
    let start = pointer.saturating_sub(variables).max(mapping.range.start).next_multiple_of(8);
    let end = pointer.saturating_add(BLOCK_BYTES).min(mapping.range.end);
    let length = usize::try_from(end.checked_sub(start)?).ok()?;
    let block: Vec<u64> = words_of(&bytes_at(memory, start, length).ok()?).collect();
    let on_stack = mapping.range.start..start;
    let possible = block.iter().enumerate().filter(|(_, word)| *word % 8 == 0 && on_stack.contains(word));
    let context = possible.take(MOST_CONTEXTS).find(|(at, context)| {
        let near = at.saturating_sub(VARIABLE_WORDS)..(at + VARIABLE_WORDS).min(block.len());
        let near: HashSet<u64> = block.get(near).into_iter().flatten().copied().collect();
        is_context(memory, **context, &near)
    });
    context.map(|(_, context)| (*context, mapping.range.end))
}

/// Whether a worker's context is at an address. `near` are the words next to where the address stands.
fn is_context(memory: &dyn Memory, context: u64, near: &HashSet<u64>) -> bool {
    let Ok(bytes) = bytes_at(memory, context, CONTEXT_WORDS * 8) else { return false };
    words_of(&bytes).any(|worker| {
        if worker < 4096 || !worker.is_multiple_of(8) {
            return false;
        }
        let Ok(bytes) = bytes_at(memory, worker, WORKER_WORDS * 8) else { return false };
        let words: Vec<u64> = words_of(&bytes).collect();
        let [strong, weak, fields @ ..] = &*words else { return false };
        is_worker([*strong, *weak], fields, near)
    })
}

/// Whether these are the counts of a worker, and its fields.
fn is_worker(counts: [u64; 2], fields: &[u64], near: &HashSet<u64>) -> bool {
    let is_address = |word: u64| word >= MOST_COUNT && word.is_multiple_of(8);
    let is_handle = |word: &u64| is_address(*word) && near.contains(word);
    let Some(handle) = fields.iter().position(is_handle) else { return false };
    let others: Vec<u64> =
        fields.iter().enumerate().filter(|(at, _)| *at != handle).map(|(_, word)| *word).collect();
    let is_number = |word: u64| word < MOST_COUNT;
    let is_core = |word: u64| word == 0 || is_address(word);
    counts.into_iter().all(|count| (1..MOST_COUNT).contains(&count))
        && matches!(*others, [a, b] if is_number(a) && is_core(b) || is_number(b) && is_core(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_told_from_other_counted_values() {
        const HANDLE: u64 = 0x7f00_0000_1000;
        const CORE: u64 = 0x7f00_0000_2000;
        let near = HashSet::from([HANDLE, 0, 3]);
        for fields in [[HANDLE, 0, 0], [HANDLE, 7, 0], [0, HANDLE, CORE], [CORE, HANDLE, 3]] {
            assert!(is_worker([2, 1], &fields, &near), "{fields:x?}");
        }
        // Another handle, no number, no core, text; no references.
        for fields in [[CORE, 0, 0], [HANDLE, CORE, CORE], [HANDLE, 7, 3], [HANDLE, 7, 0x2065_6874_0061]] {
            assert!(!is_worker([2, 1], &fields, &near), "{fields:x?}");
        }
        assert!(!is_worker([0, 1], &[HANDLE, 0, 0], &near));
        assert!(!is_worker([2, HANDLE], &[HANDLE, 0, 0], &near));
    }
}
