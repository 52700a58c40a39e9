//! The wakers that are stored in memory and are none of an executor's: those with which a future polls its children.
//!
//! `FuturesUnordered`, `Shared` and their like poll each child with a waker of its own. A child that was not woken is not polled again,
//! so a poll of the task does not show where it waits. Its waker is stored wherever it waits: two words beside each other, as those of
//! tasks.

use std::collections::{HashMap, HashSet};

use super::task_vtables::TaskVtables;
use super::waker_index::{KnownTables, WakerFunctions, WakerIndex};
use crate::target::Target;
use crate::target::data_scan::DataScan;
use crate::target::memory::Memory;
use crate::target::modules::{LoadedModule, LoadedModules};

/// Stored wakers that are kept.
const MOST_STORED: usize = 4_000_000;
/// The smallest address of data.
const SMALLEST_ADDRESS: u64 = 4096;

/// The waker of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChildWaker {
    /// Its data: the address of what its parent keeps of the child.
    pub(crate) data: u64,
    pub(crate) functions: WakerFunctions,
    /// The order of its words in memory.
    pub(crate) table_is_first: bool,
    /// The addresses of the words that hold the address of its table.
    pub(crate) places: Vec<u64>,
}

/// Searches all memory for words that look like wakers, and are none of tasks. By their data. Not all of them are wakers: four functions
/// beside each other may be anything.
pub(crate) fn scan(
    target: &dyn Target,
    data: &DataScan,
    constants: &dyn Memory,
    modules: &LoadedModules,
    task_tables: &TaskVtables,
    wakers: &WakerIndex,
) -> Vec<ChildWaker> {
    let ranges = || modules.all().iter().flat_map(LoadedModule::constants);
    let (Some(first), Some(last)) =
        (ranges().map(|range| range.start).min(), ranges().map(|range| range.end).max())
    else {
        return Vec::new();
    };
    let of_tasks: HashSet<u64> = wakers.functions.iter().map(|waker| waker.table).collect();
    let mut tables = KnownTables::new(constants, modules, task_tables);
    let mut found: HashMap<(u64, u64, bool), ChildWaker> = HashMap::new();
    let mut left = MOST_STORED;
    let mut previous = (0, 0);
    data.each(target, |start, words, count| {
        let word = |at: usize| words.get(at).map(|word| u64::from_le_bytes(*word));
        for at in 0..count {
            let Some(table) = word(at) else { break };
            if !(first..last).contains(&table) || of_tasks.contains(&table) || left == 0 {
                continue;
            }
            let Some(functions) = tables.functions(table) else { continue };
            let place = start + (at * 8) as u64;
            // The last word of the piece before this one may be in front.
            let in_front =
                at.checked_sub(1).and_then(word).or((previous.0 + 8 == place).then_some(previous.1));
            for (data, is_first) in [(word(at + 1), true), (in_front, false)] {
                let is_data = |data: &u64| *data >= SMALLEST_ADDRESS && data.is_multiple_of(8);
                let is_order = wakers.table_is_first.is_none_or(|known| known == is_first);
                if let Some(data) = data.filter(|data| is_data(data) && is_order) {
                    left = left.saturating_sub(1);
                    let new = || ChildWaker { data, functions, table_is_first: is_first, places: Vec::new() };
                    found.entry((data, table, is_first)).or_insert_with(new).places.push(place);
                }
            }
        }
        let last = count.saturating_sub(1);
        previous = (start + (last * 8) as u64, word(last).unwrap_or(0));
    });
    let mut found: Vec<ChildWaker> = found.into_values().collect();
    found.sort_unstable_by_key(|waker| (waker.data, waker.functions.table, waker.table_is_first));
    found
}
