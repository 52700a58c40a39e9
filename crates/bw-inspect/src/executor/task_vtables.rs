//! The tables of functions of tokio's tasks, found by their shape.
//!
//! tokio has one static `Vtable` for each type of future and scheduler: seven functions (`poll` first), and then the offsets of the
//! task's trailer, scheduler and id from its header. A program built with `tokio_unstable` has the offset of the spawn location behind
//! them. The order of the fields is the same since tokio 1.35, and the compiler keeps it, since all fields are of one size. A table is
//! among the constants of the module that spawns such a task.

use std::collections::BTreeMap;

use crate::target::memory::Memory;
use crate::target::modules::{LoadedModule, LoadedModules};
use crate::target::words::words_of;

/// Functions in a table.
const FUNCTIONS: usize = 7;
/// Bytes of the smallest `Header`: state, queue link, table and owner.
const HEADER_BYTES: u64 = 32;
/// Bytes up to the scheduler at most: a header with what `tokio_unstable` adds, aligned for a future that wants it so.
const MOST_SCHEDULER_OFFSET: u64 = 4096;
/// Bytes of the largest task.
const MOST_TASK_BYTES: u64 = 1 << 28;
/// Bytes of a scheduler at most.
const MOST_SCHEDULER_BYTES: u64 = 256;
/// Bytes of constants that are read at once.
const STEP: usize = 1 << 20;
/// Bytes of constants that are read of all modules.
const MOST_CONSTANT_BYTES: u64 = 1 << 30;
/// Tables that are kept.
pub(super) const MOST_TABLES: usize = 1 << 20;

/// The table of one type of task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TaskVtable {
    /// The address of its function `poll`.
    pub(crate) poll: u64,
    /// The address of its function `dealloc`, which drops the future. `None` where an executor drops it in another way.
    pub(crate) drop: Option<u64>,
    /// Offset of the trailer from the header.
    pub(crate) trailer_offset: u64,
    /// Offset of the scheduler.
    pub(crate) scheduler_offset: u64,
    /// Offset of the task's id.
    pub(crate) id_offset: u64,
    /// Offset of the spawn location, where the program was built with `tokio_unstable`.
    pub(crate) spawn_location_offset: Option<u64>,
}

/// All tables of a process, by their addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskVtables(BTreeMap<u64, TaskVtable>);

impl TaskVtables {
    /// Searches the constants of all modules.
    #[must_use]
    pub(crate) fn find(memory: &dyn Memory, modules: &LoadedModules) -> Self {
        let mut found = BTreeMap::new();
        each_constant(memory, modules, |start, words| search(words, start, modules, &mut found));
        Self(found)
    }

    /// Returns the table at an address.
    #[must_use]
    pub(crate) fn get(&self, address: u64) -> Option<&TaskVtable> {
        self.0.get(&address)
    }

    /// Whether the process has none: then it runs no tasks of tokio.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the addresses of the first and the last table.
    #[must_use]
    pub(crate) fn extent(&self) -> Option<(u64, u64)> {
        Some((*self.0.first_key_value()?.0, *self.0.last_key_value()?.0))
    }
}

/// Hands the constants of all modules to `look`, piece by piece: where a piece begins, and its words. Pieces overlap by more than a table.
pub(super) fn each_constant(memory: &dyn Memory, modules: &LoadedModules, mut look: impl FnMut(u64, &[u64])) {
    let mut left = MOST_CONSTANT_BYTES;
    // One more word than a table has at least: the spawn location.
    let overlap = (FUNCTIONS + 4) * 8;
    for range in modules.all().iter().flat_map(LoadedModule::constants) {
        let mut at = range.start.next_multiple_of(8);
        while at < range.end && left > 0 {
            let length = usize::try_from(range.end - at).unwrap_or(STEP).min(STEP);
            let mut bytes = vec![0; length];
            if memory.read(at, &mut bytes).is_err() {
                break;
            }
            look(at, &words_of(&bytes).collect::<Vec<_>>());
            left = left.saturating_sub(length as u64);
            if length < STEP {
                break;
            }
            at += (length - overlap) as u64;
        }
    }
}

fn search(words: &[u64], start: u64, modules: &LoadedModules, found: &mut BTreeMap<u64, TaskVtable>) {
    let is_code = |word: u64| modules.find(word).is_some_and(|module| module.has_code_at(word));
    for (at, window) in words.windows(FUNCTIONS + 3).enumerate() {
        let Some((functions, &[trailer, scheduler, id])) = window.split_first_chunk::<FUNCTIONS>() else {
            continue;
        };
        // Cheap first: most windows fail here.
        if !is_shape(trailer, scheduler, id) || !functions.iter().all(|&function| is_code(function)) {
            continue;
        }
        let next = words.get(at + FUNCTIONS + 3).copied();
        let is_spawn_location = |&next: &u64| next == id + 8 && next < trailer;
        let table = TaskVtable {
            poll: functions[0],
            drop: Some(functions[2]),
            trailer_offset: trailer,
            scheduler_offset: scheduler,
            id_offset: id,
            spawn_location_offset: next.filter(is_spawn_location),
        };
        if found.len() < MOST_TABLES {
            found.insert(start + (at * 8) as u64, table);
        }
    }
}

/// Whether three numbers are offsets in a task: header, scheduler, id, future, trailer.
fn is_shape(trailer: u64, scheduler: u64, id: u64) -> bool {
    [trailer, scheduler, id].iter().all(|offset| offset % 8 == 0)
        && (HEADER_BYTES..MOST_SCHEDULER_OFFSET).contains(&scheduler)
        && (scheduler..=scheduler + MOST_SCHEDULER_BYTES).contains(&id)
        && (id + 8..MOST_TASK_BYTES).contains(&trailer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_told_from_sizes_of_other_tables() {
        // A task, a task whose scheduler takes no room, one with an aligned future.
        for (trailer, scheduler, id) in [(120, 32, 40), (96, 32, 32), (512, 128, 136)] {
            assert!(is_shape(trailer, scheduler, id), "{trailer} {scheduler} {id}");
        }
        // Size and alignment of a trait object's table; an address; an id behind the trailer.
        for (trailer, scheduler, id) in
            [(24, 8, 0), (0, 0, 1), (0x55d0_0000_0000, 32, 40), (40, 32, 48), (100, 32, 40)]
        {
            assert!(!is_shape(trailer, scheduler, id), "{trailer} {scheduler} {id}");
        }
    }
}
