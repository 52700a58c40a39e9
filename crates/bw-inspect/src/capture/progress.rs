//! Whether an emulated poll went on, seen from what it changed in the memory of its task.
//!
//! A future keeps where it is in its own memory: the number of the `await` that it waits at. A poll reads this number first, and changes it
//! if it goes on. So a word is a candidate if the poll read it, if its value differs afterwards, and if it lies in the task or in a block
//! that the task alone holds: the trait objects and boxes of the futures inside of it. Stacks, thread-local values and allocators are elsewhere.
//!
//! Three kinds of changes are left out. Stored wakers are not progress: each leaf stores the waker again. Addresses of data are
//! not: the number of an `await` is small, while an address may say which thread polled. Counters and times are not, and every poll changes
//! them: the caller polls again, later, and leaves out each word that changes again.

use std::collections::HashSet;
use std::ops::Range;

use crate::emulate::Overlay;
use crate::executor::found_task::FoundTask;
use crate::executor::waker_index::WakerIndex;
use crate::executor::wrapped_tasks::WrappedTasks;
use crate::target::mappings::Mapping;
use crate::target::memory::Memory;
use crate::target::modules::LoadedModules;
use crate::target::words::{bytes_at, word_at, words_of};

/// Blocks of a task that are looked at.
const MOST_BLOCKS: usize = 1024;
/// Bytes of a block that are searched for the addresses of further blocks.
const MOST_BLOCK_BYTES: u64 = 64 * 1024;
/// The smallest and the largest block of an allocator that keeps the size in front of it.
const SIZED_BLOCKS: Range<u64> = 32..MOST_BLOCK_BYTES;
/// Owners that a shared block may have.
const MOST_SHARES: u64 = 1 << 24;
/// Bits of such a size that are flags.
const SIZE_FLAGS: u64 = 7;

/// The original memory of a process, as far as blocks of tasks are told from other memory in it.
pub(crate) struct Blocks<'m> {
    memory: &'m dyn Memory,
    modules: &'m LoadedModules,
    wrapped: &'m WrappedTasks,
    /// Where blocks may lie, by address.
    data: Vec<Range<u64>>,
}

impl<'m> Blocks<'m> {
    /// Prepares. `allocated` is where an emulated poll gets new memory.
    pub(crate) fn new(
        memory: &'m dyn Memory,
        modules: &'m LoadedModules,
        wrapped: &'m WrappedTasks,
        mappings: &[Mapping],
        allocated: Range<u64>,
    ) -> Self {
        let data = mappings.iter().filter(|mapping| mapping.may_hold_tasks());
        let mut data: Vec<Range<u64>> =
            data.map(|mapping| mapping.range.clone()).chain([allocated]).collect();
        data.sort_unstable_by_key(|range| range.start);
        Self { memory, modules, wrapped, data }
    }

    /// Where the fields of our own wrapper around a task's future lie, if it has one.
    pub(crate) fn wrapper(&self, task: &FoundTask) -> Range<u64> {
        self.wrapped.fields(self.memory, task).unwrap_or_default()
    }

    /// Returns words of a task that an emulated poll changed, with their values after the poll. Costs little if there are none in all
    /// memory, which is usual.
    pub(crate) fn changed(
        &self,
        overlay: &mut Overlay<'_>,
        task: &FoundTask,
        wakers: &WakerIndex,
    ) -> Vec<(u64, u64)> {
        let changed = overlay.changed();
        let state = task.header..task.header.saturating_add(task.table.id_offset + 8);
        let known: HashSet<u64> = wakers
            .of_task(task.header)
            .flat_map(|place| [place.wrapping_sub(8), place, place.wrapping_add(8)])
            .filter(|at| !state.contains(at))
            .collect();
        let mut words = Vec::new();
        for at in changed.into_iter().filter(|at| !state.contains(at)) {
            if let Ok(value) = overlay.read_u64(at)
                && let Ok(before) = word_at(self.memory, at)
                && (self.data_around(value).is_none() || is_number_beside_stale_bytes(before, value))
                && !is_padding(before, value)
                && !is_waker(overlay, task, wakers, &known, at, value)
            {
                words.push((at, value));
            }
        }
        if words.is_empty() {
            return words;
        }
        let owned = self.of_task(task);
        let wrapper = self.wrapper(task);
        let shared = self.wrapped.shared(self.memory, task);
        let of_future = owned.iter().filter(|block| Some(block.start) != shared);
        words.retain(|(at, _)| !wrapper.contains(at) && of_future.clone().any(|block| block.contains(at)));
        words
    }

    /// The blocks that hold a task, as it was before the poll: itself, and what it has addresses of.
    fn of_task(&self, task: &FoundTask) -> Vec<Range<u64>> {
        let future = task.header.saturating_add(task.table.id_offset + 8);
        let mut blocks: Vec<Range<u64>> = Vec::new();
        blocks.push(future..task.header.saturating_add(task.table.trailer_offset));
        let mut known = HashSet::from([task.header]);
        let mut next = 0;
        while let Some(block) = blocks.get(next).cloned() {
            next += 1;
            let length = block.end.saturating_sub(block.start).min(MOST_BLOCK_BYTES);
            let length = usize::try_from(length).unwrap_or(0);
            let Ok(bytes) = bytes_at(self.memory, block.start, length) else { continue };
            let words: Vec<u64> = words_of(&bytes).collect();
            for (at, &address) in words.iter().enumerate() {
                if blocks.len() >= MOST_BLOCKS {
                    return blocks;
                }
                if !self.is_data(address) || known.contains(&address) {
                    continue;
                }
                if self.is_shared(address) {
                    continue;
                }
                let table = words.get(at + 1).copied().unwrap_or(0);
                if let Some(length) = self.size_in_table(table).or_else(|| self.size_in_front(address)) {
                    known.insert(address);
                    blocks.push(address..address.saturating_add(length));
                }
            }
        }
        blocks
    }

    /// Whether an address is that of an `Arc`'s block or of the value in it: both counts stand there, which are small. What is shared holds the
    /// state of others, too: a subscriber of `tracing` has a stack of spans for each thread, which grows when a thread first enters one.
    fn is_shared(&self, address: u64) -> bool {
        let word = |at: u64| word_at(self.memory, at).unwrap_or(0);
        let is_count = |count: u64, most: u64| (1..most).contains(&count);
        let counts =
            |at: u64, most: u64| is_count(word(at), MOST_SHARES) && is_count(word(at.wrapping_add(8)), most);
        // In front of a block of glibc stands its size, which is no count so small.
        counts(address, MOST_SHARES) || counts(address.wrapping_sub(16), SIZED_BLOCKS.start)
    }

    fn is_data(&self, address: u64) -> bool {
        address.is_multiple_of(8) && self.data_around(address).is_some()
    }

    fn data_around(&self, address: u64) -> Option<Range<u64>> {
        let after = self.data.partition_point(|range| range.start <= address);
        let range = after.checked_sub(1).and_then(|at| self.data.get(at));
        range.filter(|range| range.contains(&address)).cloned()
    }

    /// The size in the table of a trait object: a function that drops it or none, size, alignment, a method.
    fn size_in_table(&self, table: u64) -> Option<u64> {
        let module = self.modules.find(table).filter(|_| table.is_multiple_of(8))?;
        if !module.constants().iter().any(|range| range.contains(&table)) {
            return None;
        }
        let word = |number: u64| word_at(self.memory, table.wrapping_add(number * 8)).ok();
        let is_code = |at: u64| self.modules.find(at).is_some_and(|module| module.has_code_at(at));
        let (drops, size, alignment, method) = (word(0)?, word(1)?, word(2)?, word(3)?);
        let is_table = (drops == 0 || is_code(drops)) && alignment.is_power_of_two() && is_code(method);
        (is_table && size > 0 && size < 1 << 28).then_some(size)
    }

    /// The size that the allocator of glibc keeps in front of a block.
    fn size_in_front(&self, address: u64) -> Option<u64> {
        let word =
            word_at(self.memory, address.wrapping_sub(8)).ok().filter(|_| address.is_multiple_of(16))?;
        let size = word & !SIZE_FLAGS;
        (SIZED_BLOCKS.contains(&size) && size.is_multiple_of(16)).then(|| size - 8)
    }
}

/// Whether one byte of a word changed, and the word was or is no aligned address. The number of an `await` has one byte; what is beside it is
/// often padding, which keeps the rest of an address that stood there before.
const fn is_number_beside_stale_bytes(before: u64, after: u64) -> bool {
    let changed = before ^ after;
    let is_one_byte = changed != 0 && changed.leading_zeros() / 8 + changed.trailing_zeros() / 8 == 7;
    is_one_byte && !(before.is_multiple_of(8) && after.is_multiple_of(8))
}

/// Whether only the upper bytes of a word differ, more than two of them, and are empty now: nobody had written them, and a move of the
/// lower bytes cleared them. No number of an `await` becomes 0.
fn is_padding(before: u64, after: u64) -> bool {
    (1..=5).map(|bytes| bytes * 8).any(|bits| {
        let is_same = (before ^ after).trailing_zeros() >= bits;
        is_same && after >> bits == 0 && before >> bits > 0xffff
    })
}

/// Whether a word is a part of a waker of the task: where one was stored before, or with a value as a waker has it.
fn is_waker(
    overlay: &mut Overlay<'_>,
    task: &FoundTask,
    wakers: &WakerIndex,
    known: &HashSet<u64>,
    at: u64,
    value: u64,
) -> bool {
    let mut is_header = |at: u64| overlay.read_u64(at).is_ok_and(|value| value == task.header);
    known.contains(&at)
        || value == task.header
        || (wakers.functions.iter().any(|waker| waker.table == value)
            && (is_header(at.wrapping_sub(8)) || is_header(at.wrapping_add(8))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_await_beside_the_rest_of_an_address_is_taken_for_an_address() {
        for (before, after) in
            [(0x7f60_1400_f703, 0x7f60_1400_f704), (0x7f60_1400_f703, 0x7f60_1400_f701), (3, 4)]
        {
            assert!(is_number_beside_stale_bytes(before, after), "{before:#x} {after:#x}");
        }
        for (before, after) in [
            (0x7f60_1400_f700, 0x7f60_1400_f700),
            (0x7f60_1400_f750, 0x7f60_1400_f770),
            (0x7f60_1400_f750, 0x7f60_1420_0001),
            (1, 0x7f60_1420_0000),
        ] {
            assert!(!is_number_beside_stale_bytes(before, after), "{before:#x} {after:#x}");
        }
    }

    #[test]
    fn a_number_that_changes_is_taken_for_padding() {
        // Two states of futures, beside what was on the stack before.
        assert!(is_padding(0x7f49_868c_0103, 0x103));
        assert!(is_padding(0x7f49_868c_0003, 3));
        // The next `await`, in any byte; a flag that is cleared.
        for (before, after) in
            [(3, 4), (0x300, 0x400), (3 << 56, 4 << 56), (0x7f49_868c_0103, 0x104), (0x1_0003, 3)]
        {
            assert!(!is_padding(before, after), "{before:#x} {after:#x}");
        }
    }
}
