//! The tables of functions of tasks of the crate `async-task`, with which smol, async-std and others make tasks, found by their shape.
//!
//! Each type of task has a `TaskVTable`: the addresses of seven functions, and since 4.3 that of its layout, which is five numbers. In
//! older versions, nothing but its function that clones wakers tells such a table from others: it is the first in the table of a stored
//! waker. Whether a process has such tables, `old_async_tables` tells without a search for wakers.

use std::collections::{BTreeMap, HashSet};

use super::task_vtables::{self, TaskVtable, TaskVtables};
use crate::target::memory::Memory;
use crate::target::modules::LoadedModules;
use crate::target::words::{bytes_at, words_of};

/// Functions in a table.
pub(super) const FUNCTIONS: usize = 7;
/// Which of them polls a task.
const RUN: usize = 5;
/// Which of them clones a waker.
pub(super) const CLONE: usize = 6;
/// Numbers of a layout: size and alignment of a task, and the offsets of its schedule function, its future and its output.
const LAYOUT_WORDS: usize = 5;
/// Bytes of the smallest header: state, awaiter and table.
const HEADER_BYTES: u64 = 32;
/// Bytes of the largest task.
const MOST_TASK_BYTES: u64 = 1 << 28;
/// Bytes that a task of unknown layout is taken to have.
const UNKNOWN_TASK_BYTES: u64 = 256;

/// The table of one type of task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AsyncTaskTable {
    /// As of another executor's: what a poll has to know.
    pub(crate) table: TaskVtable,
    /// The function that clones a waker of such a task.
    pub(crate) clone: u64,
}

/// All tables of a process, by their addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct AsyncTaskTables(BTreeMap<u64, AsyncTaskTable>);

impl AsyncTaskTables {
    /// Searches the constants of all modules. `clones` are functions that clone wakers which are stored somewhere.
    pub(crate) fn find(
        memory: &dyn Memory,
        modules: &LoadedModules,
        others: &TaskVtables,
        clones: &HashSet<u64>,
    ) -> Self {
        let mut found = BTreeMap::new();
        task_vtables::each_constant(memory, modules, |start, words| {
            let is_code = |word: u64| modules.find(word).is_some_and(|module| module.has_code_at(word));
            for (at, window) in words.windows(FUNCTIONS + 1).enumerate() {
                let Some((functions, &[layout])) = window.split_first_chunk::<FUNCTIONS>() else { continue };
                // Cheap first.
                let is_known = clones.contains(&functions[CLONE]);
                let is_address = !is_code(layout) && modules.find(layout).is_some();
                if !(is_known || is_address) || !functions.iter().all(|&function| is_code(function)) {
                    continue;
                }
                let place = start + (at * 8) as u64;
                let layout = Some(layout).filter(|_| is_address).and_then(|at| self::layout(memory, at));
                let unknown = is_known.then_some((UNKNOWN_TASK_BYTES, HEADER_BYTES));
                let Some((size, future)) = layout.or(unknown) else { continue };
                if others.get(place).is_none() && found.len() < task_vtables::MOST_TABLES {
                    let before_future = future - 8;
                    let table = TaskVtable {
                        poll: functions[RUN],
                        drop: None,
                        trailer_offset: size,
                        scheduler_offset: before_future,
                        id_offset: before_future,
                        spawn_location_offset: None,
                    };
                    found.insert(place, AsyncTaskTable { table, clone: functions[CLONE] });
                }
            }
        });
        Self(found)
    }

    pub(crate) fn get(&self, address: u64) -> Option<&AsyncTaskTable> {
        self.0.get(&address)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the addresses of the first and the last table.
    pub(crate) fn extent(&self) -> Option<(u64, u64)> {
        Some((*self.0.first_key_value()?.0, *self.0.last_key_value()?.0))
    }
}

/// Reads a layout: the size of a task, and where its future is.
fn layout(memory: &dyn Memory, at: u64) -> Option<(u64, u64)> {
    if !at.is_multiple_of(8) {
        return None;
    }
    let bytes = bytes_at(memory, at, LAYOUT_WORDS * 8).ok()?;
    let words: Vec<u64> = words_of(&bytes).collect();
    let &[first, second, schedule, future, output] = &*words else { return None };
    // The compiler may have put either first.
    let (alignment, size) =
        if first.is_power_of_two() && first < second { (first, second) } else { (second, first) };
    is_layout(size, alignment, schedule, future, output).then_some((size, future))
}

/// Whether five numbers are the layout of a task: header, schedule function, and the future in one place with its output.
fn is_layout(size: u64, alignment: u64, schedule: u64, future: u64, output: u64) -> bool {
    alignment.is_power_of_two()
        && (8..=4096).contains(&alignment)
        && future == output
        && (HEADER_BYTES..MOST_TASK_BYTES).contains(&schedule)
        && schedule <= future
        && future <= size
        && size < MOST_TASK_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_told_from_other_numbers() {
        for (size, alignment, schedule, future, output) in
            [(96, 8, 40, 48, 48), (64, 8, 64, 64, 64), (512, 128, 40, 128, 128)]
        {
            assert!(is_layout(size, alignment, schedule, future, output), "{size}");
        }
        for (size, alignment, schedule, future, output) in [
            (0, 0, 0, 0, 0),
            (96, 8, 40, 48, 56),
            (96, 8, 8, 48, 48),
            (40, 8, 40, 48, 48),
            (96, 7, 40, 48, 48),
        ] {
            assert!(!is_layout(size, alignment, schedule, future, output), "{size}");
        }
    }
}
