//! The wakers of tasks that are stored somewhere in memory.
//!
//! A waker of tokio is two words beside each other: the address of the task's header, and that of the table of the waker's functions.
//! The table is recognised by what it is: four functions, among the constants of a module.
//!
//! A future that finds its own waker stored already does not clone it again. So an emulated poll changes the stored wakers of its task
//! first, in its copy, and then every leaf clones.

use std::collections::{HashMap, HashSet};

use super::child_wakers::ChildWaker;
use super::found_task::FoundTask;
use super::task_vtables::TaskVtables;
use crate::target::Target;
use crate::target::data_scan::DataScan;
use crate::target::memory::Memory;
use crate::target::modules::LoadedModules;
use crate::target::words::word_at;

/// So many more wakers with one order of their words than with the other say which is right.
const PLAIN_MAJORITY: usize = 8;
/// Stored wakers that are kept.
const MOST_STORED: usize = 20_000_000;

/// The functions of a waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WakerFunctions {
    /// The address of their table.
    pub(crate) table: u64,
    /// `clone`, `wake`, `wake_by_ref` and `drop`.
    pub(crate) functions: [u64; 4],
}

/// Where wakers of tasks are stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct WakerIndex {
    /// The tables that they have; one for each version of tokio in the process.
    pub(crate) functions: Vec<WakerFunctions>,
    /// Whether the compiler put the address of the table in front of the other word of a waker. `None` if there are too few to tell.
    pub(crate) table_is_first: Option<bool>,
    /// The headers of tasks, and where the address of the table stands in a waker of each. By header.
    stored: Vec<(u64, u64)>,
}

impl WakerIndex {
    /// Searches all memory for wakers of these tasks.
    pub(crate) fn scan(
        target: &dyn Target,
        data: &DataScan,
        constants: &dyn Memory,
        modules: &LoadedModules,
        task_tables: &TaskVtables,
        tasks: &[FoundTask],
    ) -> Self {
        let headers: HashSet<u64> = tasks.iter().map(|task| task.header).collect();
        let bounds = headers.iter().min().copied().zip(headers.iter().max().copied());
        let Some((first, last)) = bounds else { return Self::default() };
        // 128 bytes since tokio 1.30.
        let bits = headers.iter().fold(0, |bits, header| bits | header);
        let alignment_mask = (1 << bits.trailing_zeros().min(7)) - 1;
        let mut tables = KnownTables::new(constants, modules, task_tables);
        // Behind the header, and in front of it: which order the compiler chose is the same for all of them.
        let mut sides: [Vec<(u64, u64, u64)>; 2] = [Vec::new(), Vec::new()];
        let mut previous = (0, 0);
        data.each(target, |start, words, count| {
            let word = |at: usize| words.get(at).map(|word| u64::from_le_bytes(*word));
            for at in 0..count {
                let Some(header) = word(at) else { break };
                if header & alignment_mask != 0
                    || header < first
                    || header > last
                    || !headers.contains(&header)
                {
                    continue;
                }
                let address = start + (at * 8) as u64;
                let before = match at.checked_sub(1) {
                    Some(before) => word(before),
                    // The last word of the piece before this one.
                    None => (previous.0 + 8 == address).then_some(previous.1),
                };
                let both = [(word(at + 1), address + 8), (before, address.wrapping_sub(8))];
                for (side, (table, place)) in sides.iter_mut().zip(both) {
                    if let Some(table) = table
                        && tables.functions(table).is_some()
                        && side.len() < MOST_STORED
                    {
                        side.push((header, place, table));
                    }
                }
            }
            previous =
                (start + (count.saturating_sub(1) * 8) as u64, word(count.saturating_sub(1)).unwrap_or(0));
        });
        let [behind, in_front] = sides;
        let order = (behind.len().abs_diff(in_front.len()) >= PLAIN_MAJORITY)
            .then_some(in_front.len() > behind.len());
        let found = if in_front.len() > behind.len() { in_front } else { behind };
        let mut used: Vec<u64> = found.iter().map(|(_, _, table)| *table).collect();
        used.sort_unstable();
        used.dedup();
        let functions = used.into_iter().filter_map(|table| tables.functions(table)).collect();
        let mut stored: Vec<(u64, u64)> =
            found.into_iter().map(|(header, place, _)| (header, place)).collect();
        stored.sort_unstable();
        Self { functions, table_is_first: order, stored }
    }

    /// Adds wakers of tasks that were found in another way.
    pub(crate) fn add(&mut self, wakers: &[ChildWaker]) {
        for waker in wakers {
            if !self.functions.contains(&waker.functions) {
                self.functions.push(waker.functions);
            }
            self.stored.extend(waker.places.iter().map(|place| (waker.data, *place)));
        }
        self.stored.sort_unstable();
    }

    /// Returns where wakers of a task are stored: the addresses of the words that hold the address of their table.
    pub(crate) fn of_task(&self, header: u64) -> impl Iterator<Item = u64> {
        let first = self.stored.partition_point(|(of, _)| *of < header);
        let rest = self.stored.get(first..).unwrap_or_default();
        rest.iter().take_while(move |(of, _)| *of == header).map(|(_, place)| *place)
    }
}

/// Which addresses are those of a waker's table.
pub(super) struct KnownTables<'a> {
    constants: &'a dyn Memory,
    modules: &'a LoadedModules,
    task_tables: &'a TaskVtables,
    known: HashMap<u64, Option<WakerFunctions>>,
}

impl<'a> KnownTables<'a> {
    pub(super) fn new(
        constants: &'a dyn Memory,
        modules: &'a LoadedModules,
        task_tables: &'a TaskVtables,
    ) -> Self {
        Self { constants, modules, task_tables, known: HashMap::new() }
    }

    pub(super) fn functions(&mut self, table: u64) -> Option<WakerFunctions> {
        let module = self.modules.find(table).filter(|_| table.is_multiple_of(8))?;
        // The table of the task itself may lie beside its header, too, where a copy of both is left on a stack. It begins with functions as
        // well, and the first of them is no `clone`, but the poll.
        let is_constant = module.constants().iter().any(|range| range.contains(&table));
        if !is_constant || self.task_tables.get(table).is_some() {
            return None;
        }
        *self.known.entry(table).or_insert_with(|| {
            let mut functions = [0; 4];
            for (number, function) in functions.iter_mut().enumerate() {
                *function = word_at(self.constants, table + (number * 8) as u64).ok()?;
                self.modules.find(*function).filter(|module| module.has_code_at(*function))?;
            }
            Some(WakerFunctions { table, functions })
        })
    }
}
