//! The wakers that are stored in memory and are none of an executor's: those with which a future polls its children.
//!
//! `FuturesUnordered`, `Shared` and their like poll each child with a waker of its own. A child that was not woken is not polled again,
//! so a poll of the task does not show where it waits. Its waker is stored wherever it waits: two words beside each other, as those of
//! tasks.

use std::collections::{HashMap, HashSet};

use super::possible_wakers::{PossibleWakers, WakerFunctions};
use super::waker_index::WakerIndex;

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

/// Takes those that are no wakers of tasks. By their data. Not all of them are wakers: four functions beside each other may be anything.
pub(crate) fn of(possible: &PossibleWakers<'_>, wakers: &WakerIndex) -> Vec<ChildWaker> {
    let of_tasks: HashSet<u64> = wakers.functions.iter().map(|waker| waker.table).collect();
    let mut found: HashMap<(u64, u64, bool), ChildWaker> = HashMap::new();
    for waker in possible.all().iter().filter(|waker| !of_tasks.contains(&waker.table)) {
        let Some(functions) = possible.functions(waker.table) else { continue };
        for (data, table_is_first) in [(waker.behind, true), (waker.in_front, false)] {
            let is_order = wakers.table_is_first.is_none_or(|known| known == table_is_first);
            if data >= SMALLEST_ADDRESS && data.is_multiple_of(8) && is_order {
                let new = || ChildWaker { data, functions, table_is_first, places: Vec::new() };
                let found = found.entry((data, waker.table, table_is_first)).or_insert_with(new);
                found.places.push(waker.place);
            }
        }
    }
    let mut found: Vec<ChildWaker> = found.into_values().collect();
    found.sort_unstable_by_key(|waker| (waker.data, waker.functions.table, waker.table_is_first));
    found
}
