//! What our own wrapper keeps of a task: its name, its age, where it was spawned, and by which task.
//!
//! The wrapper stands in front of the future that a task of a runtime runs. A table among the constants of the program says where its
//! fields lie: see [`TaskLayout`]. So this needs no symbols, no agent and no poll.

use std::ops::Range;
use std::time::Duration;

use bw_core::{SpawnedAt, TaskLayout};

use super::found_task::FoundTask;
use crate::target::memory::Memory;
use crate::target::modules::{LoadedModule, LoadedModules};
use crate::target::words::{bytes_at, word_at, words_of};

/// Bytes of a program's constants that are searched for a table.
const MOST_CONSTANT_BYTES: u64 = 1 << 28;
/// Words behind a task's id at which its future may begin: there may be the number of a variant in front, and the future is aligned.
const STARTS: u64 = 4;
/// Ids of tasks count from 1. What is larger is an address.
const MOST_IDS: u64 = 1 << 40;
/// Bytes of a name, a path or a type that are read.
const MOST_TEXT_BYTES: u64 = 4096;

/// The tables of the programs and libraries of a process: one for each copy of bw-core.
#[derive(Clone, Debug, Default)]
pub(crate) struct WrappedTasks {
    copies: Vec<CoreCopy>,
    /// Where the places may lie at which tasks are spawned: in the constants of modules.
    constants: Vec<Range<u64>>,
    unknown_version: Option<u64>,
}

/// A copy of bw-core in the process.
#[derive(Clone, Copy, Debug)]
struct CoreCopy {
    layout: TaskLayout,
    /// What its clock shows.
    now: u32,
}

/// What the wrapper of a task says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WrappedTask {
    /// The id that the wrapper gave to it, which is not the runtime's.
    pub(crate) id: u64,
    pub(crate) name: Option<String>,
    pub(crate) spawned_at: SpawnedAt,
    pub(crate) type_name: Option<String>,
    /// The id of the task in whose poll it was wrapped.
    pub(crate) wrapped_in: Option<u64>,
    pub(crate) polls: u64,
    /// Since the last poll has returned, or else since it was wrapped.
    pub(crate) since_poll: Option<Duration>,
    /// Since it was wrapped.
    pub(crate) age: Option<Duration>,
}

impl WrappedTasks {
    /// Searches the constants of all modules for tables.
    pub(crate) fn find(memory: &dyn Memory, modules: &LoadedModules) -> Self {
        let constants = modules.all().iter().flat_map(LoadedModule::constants).cloned().collect();
        let mut found = Self { constants, ..Self::default() };
        let mut left = MOST_CONSTANT_BYTES;
        for range in modules.all().iter().flat_map(LoadedModule::constants) {
            let length = (range.end - range.start).min(left);
            left -= length;
            let Ok(bytes) = bytes_at(memory, range.start, usize::try_from(length).unwrap_or(0)) else {
                continue;
            };
            let words: Vec<u64> = words_of(&bytes).collect();
            for at in 0..words.len() {
                let Some(version) = words.get(at..).and_then(TaskLayout::version) else { continue };
                match words.get(at..).and_then(TaskLayout::parse) {
                    Some(layout) => {
                        let now = half_word(memory, layout.clock).unwrap_or(0);
                        found.copies.push(CoreCopy { layout, now });
                    }
                    None => found.unknown_version = Some(version),
                }
            }
        }
        found
    }

    /// A version of the table that this cannot read, if there is one.
    pub(crate) fn unknown_version(&self) -> Option<u64> {
        self.unknown_version
    }

    /// The addresses of the words with their clocks. A poll reads the clock, whatever it waits for.
    pub(crate) fn clocks(&self) -> Vec<u64> {
        self.copies.iter().map(|copy| copy.layout.clock & !7).collect()
    }

    /// Reads the wrapper of a task. `None` if the task has none, or has it not around all of its future.
    pub(crate) fn of_task(&self, memory: &dyn Memory, task: &FoundTask) -> Option<WrappedTask> {
        self.wrapper(memory, task).map(|(_, _, wrapped)| wrapped)
    }

    /// Returns where the fields of the wrapper of a task lie, if it has one. A poll may change each of them, whether its future goes on or
    /// not: it counts, and it sees that another task was asked meanwhile.
    pub(crate) fn fields(&self, memory: &dyn Memory, task: &FoundTask) -> Option<Range<u64>> {
        let (at, layout, _) = self.wrapper(memory, task)?;
        let last = [layout.polls, layout.last_poll, layout.id, layout.shared].into_iter().max()?;
        Some(at..at.checked_add(last)?.checked_add(8)?)
    }

    /// Returns the address of what the wrapper of a task shares with others, if it has one. A poll may change all of it.
    pub(crate) fn shared(&self, memory: &dyn Memory, task: &FoundTask) -> Option<u64> {
        let (at, layout, _) = self.wrapper(memory, task)?;
        word_at(memory, at.checked_add(layout.shared)?).ok()
    }

    fn wrapper(&self, memory: &dyn Memory, task: &FoundTask) -> Option<(u64, &TaskLayout, WrappedTask)> {
        let first = task.header.checked_add(task.table.id_offset)?;
        let at = |copy: &CoreCopy, word: u64| {
            let at = first.checked_add(word * 8)?;
            Some((at, copy.read(memory, at, &self.constants)?))
        };
        self.copies.iter().find_map(|copy| {
            let (at, wrapped) = (1..=STARTS).find_map(|word| at(copy, word))?;
            Some((at, &copy.layout, wrapped))
        })
    }
}

impl CoreCopy {
    /// Reads the wrapper at an address, if one is there: its id must stand in what it shares, too, and the place at which it was spawned among
    /// these constants.
    fn read(&self, memory: &dyn Memory, wrapper: u64, constants: &[Range<u64>]) -> Option<WrappedTask> {
        let layout = &self.layout;
        let word = |base: u64, offset: u64| word_at(memory, base.checked_add(offset)?).ok();
        let id = word(wrapper, layout.id).filter(|id| (1..MOST_IDS).contains(id))?;
        let shared = word(wrapper, layout.shared)?;
        if word(shared, layout.shared_id)? != id {
            return None;
        }
        let last_poll = half_word(memory, wrapper.checked_add(layout.last_poll)?)?;
        let born = half_word(memory, shared.checked_add(layout.born)?)?;
        let polls = half_word(memory, wrapper.checked_add(layout.polls)?)?;
        let text = |at: u64| text_at(memory, word(at, 0)?, word(at, 8)?);
        let name_at = shared.checked_add(layout.name)?;
        let name = match word(name_at, 0)? {
            0 => text_at(memory, word(name_at, 8)?, word(name_at, 16)?),
            1 => text_at(memory, word(name_at, 8)?.checked_add(layout.arc)?, word(name_at, 16)?),
            _ => None,
        };
        let location = word(shared, layout.spawned_at)?;
        if !constants.iter().any(|range| range.contains(&location)) {
            return None;
        }
        let file = text(location)?;
        let numbers = word(location, 16)?;
        let [line, column] =
            [numbers, numbers >> 32].map(|number| u32::try_from(number & 0xffff_ffff).unwrap_or(0));
        Some(WrappedTask {
            id,
            name,
            spawned_at: SpawnedAt::new(file, line, column),
            type_name: text(shared.checked_add(layout.type_name)?),
            wrapped_in: word(shared, layout.wrapped_in).filter(|id| *id != 0),
            polls: u64::from(polls),
            since_poll: self.since(if last_poll == 0 { born } else { last_poll }),
            age: self.since(born),
        })
    }

    /// How long ago a tick began. `None` if the clock stood still.
    fn since(&self, tick: u32) -> Option<Duration> {
        let ticks = self.now.checked_sub(tick).filter(|_| tick > 0)?;
        u64::from(ticks).checked_mul(self.layout.tick_millis).map(Duration::from_millis)
    }
}

fn half_word(memory: &dyn Memory, address: u64) -> Option<u32> {
    let mut bytes = [0; 4];
    memory.read(address, &mut bytes).ok()?;
    Some(u32::from_le_bytes(bytes))
}

/// Reads a text of that length; what is cut ends at a whole character.
fn text_at(memory: &dyn Memory, address: u64, length: u64) -> Option<String> {
    let bytes = bytes_at(memory, address, usize::try_from(length.min(MOST_TEXT_BYTES)).ok()?).ok()?;
    match str::from_utf8(&bytes) {
        Ok(text) => Some(text.to_owned()),
        Err(error) if length > MOST_TEXT_BYTES => {
            str::from_utf8(bytes.get(..error.valid_up_to())?).ok().map(str::to_owned)
        }
        Err(_) => None,
    }
}
