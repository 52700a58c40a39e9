//! What may be wakers, anywhere in memory: a word that is the address of a table of four functions, with the words beside it.
//!
//! A waker is two words: its data, and the address of the table of its functions. The table is recognised by what it is: four functions,
//! among the constants of a module. Which of the two words comes first, the compiler chose.

use std::collections::HashMap;

use super::task_vtables::TaskVtables;
use crate::target::memory::Memory;
use crate::target::modules::{LoadedModule, LoadedModules};
use crate::target::words::word_at;

/// Words that are kept: 256 MB of them.
const MOST_KEPT: usize = 8_000_000;

/// The functions of a waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WakerFunctions {
    /// The address of their table.
    pub(crate) table: u64,
    /// `clone`, `wake`, `wake_by_ref` and `drop`.
    pub(crate) functions: [u64; 4],
}

/// What may be a waker: the address of a table, and the words on both sides, of which one may be its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PossibleWaker {
    /// The address of the table.
    pub(crate) table: u64,
    /// Where this address is stored.
    pub(crate) place: u64,
    /// The word in front of it. 0 if there is none.
    pub(crate) in_front: u64,
    /// The word behind it. 0 if there is none.
    pub(crate) behind: u64,
}

/// All of them in the memory of a process, by their places.
pub(crate) struct PossibleWakers<'a> {
    tables: KnownTables<'a>,
    /// Addresses between which all tables are.
    extent: (u64, u64),
    found: Vec<PossibleWaker>,
    /// The last word that was looked at, and its address.
    previous: (u64, u64),
}

impl<'a> PossibleWakers<'a> {
    /// Makes an empty list.
    pub(crate) fn new(
        constants: &'a dyn Memory,
        modules: &'a LoadedModules,
        task_tables: &'a TaskVtables,
    ) -> Self {
        let ranges = || modules.all().iter().flat_map(LoadedModule::constants);
        let first = ranges().map(|range| range.start).min();
        let last = ranges().map(|range| range.end).max();
        let extent = first.zip(last).unwrap_or_default();
        let tables = KnownTables { constants, modules, task_tables, known: HashMap::new() };
        Self { tables, extent, found: Vec::new(), previous: (0, 0) }
    }

    /// Looks at a piece of memory; see [`DataScan::each`](crate::target::data_scan::DataScan::each).
    pub(crate) fn look(&mut self, start: u64, words: &[[u8; 8]], count: usize) {
        let word = |at: usize| words.get(at).map_or(0, |word| u64::from_le_bytes(*word));
        let (first, last) = self.extent;
        for at in 0..count {
            let table = word(at);
            if !(first..last).contains(&table)
                || self.tables.functions(table).is_none()
                || self.found.len() >= MOST_KEPT
            {
                continue;
            }
            let place = start + (at * 8) as u64;
            let in_front = match at.checked_sub(1) {
                Some(before) => word(before),
                // The last word of the piece before this one.
                None if self.previous.0 + 8 == place => self.previous.1,
                None => 0,
            };
            self.found.push(PossibleWaker { table, place, in_front, behind: word(at + 1) });
        }
        let end = count.saturating_sub(1);
        self.previous = (start + (end * 8) as u64, word(end));
    }

    /// Returns what was found.
    pub(crate) fn all(&self) -> &[PossibleWaker] {
        &self.found
    }

    /// Returns the functions of a table that was found.
    pub(crate) fn functions(&self, table: u64) -> Option<WakerFunctions> {
        *self.tables.known.get(&table)?
    }
}

/// Which addresses are those of a waker's table.
struct KnownTables<'a> {
    constants: &'a dyn Memory,
    modules: &'a LoadedModules,
    task_tables: &'a TaskVtables,
    known: HashMap<u64, Option<WakerFunctions>>,
}

impl KnownTables<'_> {
    fn functions(&mut self, table: u64) -> Option<WakerFunctions> {
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
