//! The tasks of the crate `async-task` in a process, found by scanning its memory.
//!
//! A task begins with its `Header`: a state word, room for a waker, and the address of its table, in an order that the compiler chose.
//! Stored wakers of tasks tell where headers begin, and the values in them which word is the state. A task has no id, so it gets one from its
//! address: the same in every look.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use super::async_task_state::AsyncTaskWord;
use super::async_task_tables::{AsyncTaskTable, AsyncTaskTables};
use super::child_wakers::ChildWaker;
use super::found_task::{FoundTask, StateWord};
use crate::target::Target;
use crate::target::data_scan::DataScan;
use crate::target::memory::Memory;
use crate::target::words::word_at;

/// Where in a header its words are.
const OFFSETS: [u64; 4] = [0, 8, 16, 24];
/// Tasks that are listed.
const MOST_TASKS: usize = 10_000_000;

/// Finds all tasks, by their addresses, each with the function that clones its waker. `stacks` are the mappings that threads have their
/// stacks in.
pub(crate) fn scan(
    target: &dyn Target,
    data: &DataScan,
    tables: &AsyncTaskTables,
    wakers: &[ChildWaker],
    stacks: &[Range<u64>],
) -> Vec<(FoundTask, u64)> {
    let Some((first, last)) = tables.extent() else { return Vec::new() };
    let mut candidates: Vec<(u64, AsyncTaskTable)> = Vec::new();
    data.each(target, |start, words, count| {
        for (at, word) in words.iter().take(count).enumerate() {
            let word = u64::from_le_bytes(*word);
            if (first..=last).contains(&word)
                && let Some(table) = tables.get(word)
                && candidates.len() < MOST_TASKS
            {
                candidates.push((start + (at * 8) as u64, *table));
            }
        }
    });
    let with_wakers: HashSet<(u64, u64)> =
        wakers.iter().map(|waker| (waker.data, waker.functions.functions[0])).collect();
    // Without a waker, as compilers have it today.
    let table_offset = most_frequent(candidates.iter().flat_map(|(at, table)| {
        let begins = |offset: &u64| with_wakers.contains(&(at.wrapping_sub(*offset), table.clone));
        OFFSETS.into_iter().filter(begins)
    }));
    let table_offset = table_offset.unwrap_or(0);
    let headers: Vec<(u64, AsyncTaskTable)> =
        candidates.into_iter().map(|(at, table)| (at.wrapping_sub(table_offset), table)).collect();
    let state_offset = most_frequent(headers.iter().flat_map(|(header, _)| {
        let is_state = |offset: &u64| {
            *offset != table_offset
                && word_at(target, header.wrapping_add(*offset))
                    .is_ok_and(|it| AsyncTaskWord::of_living(it).is_some())
        };
        OFFSETS.into_iter().filter(is_state)
    }));
    let Some(state_offset) = state_offset else { return Vec::new() };
    let tasks = headers.into_iter().filter_map(|(header, table)| {
        let state = header.wrapping_add(state_offset);
        let word = AsyncTaskWord::of_living(word_at(target, state).ok()?)?;
        // A header is made on a stack and moved to where the task is. What is left on the stack stays so.
        if word.is_initial() && stacks.iter().any(|stack| stack.contains(&header)) {
            return None;
        }
        let word = StateWord::AsyncTask(word);
        Some((FoundTask { header, table: table.table, state, word, owner: 0, id: id(header) }, table.clone))
    });
    let mut tasks: Vec<(FoundTask, u64)> = tasks.collect();
    tasks.sort_by_key(|(task, _)| task.header);
    tasks
}

/// The id of the task at an address. Two headers, which are larger, are never so near that both get the same.
fn id(header: u64) -> u64 {
    header / 16
}

/// Reads a task again. `None` if there is no living task of this type any more.
pub(crate) fn read_again(memory: &dyn Memory, known: &FoundTask) -> Option<FoundTask> {
    let word = AsyncTaskWord::of_living(word_at(memory, known.state).ok()?)?;
    Some(FoundTask { word: StateWord::AsyncTask(word), ..*known })
}

/// The value that there is most of; the least of those, if there are several.
fn most_frequent(values: impl Iterator<Item = u64>) -> Option<u64> {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(value, _)| value)
}
