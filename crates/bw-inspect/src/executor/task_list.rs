//! The tasks of tokio in a process, found by scanning its memory.
//!
//! A task begins with its `Header`: the state word, a link of the run queue, the address of its table of functions, and the id of its
//! owner. It is aligned to 128 bytes, and before tokio 1.30 only as allocators align, so every second word is compared with the addresses of
//! tables. This finds every task: of runtimes that nobody drives, of local sets, and finished ones that somebody keeps.

use std::collections::HashMap;
use std::ops::Range;

use super::found_task::{FoundTask, StateWord};
use super::task_state::{Activity, TaskWord};
use super::task_vtables::{TaskVtable, TaskVtables};
use crate::target::Target;
use crate::target::mappings::Mapping;
use crate::target::memory::{Memory, Unreadable};
use crate::target::threads::Thread;
use crate::target::words::{bytes_at, word_at};

/// What tokio has aligned its tasks to since 1.30, on the processors that are known here.
const ALIGNMENT: u64 = 128;
/// Words from one possible header to the next.
const STRIDE: usize = 2;
/// Where in a header its words are.
const VTABLE: usize = 2;
const OWNER: usize = 3;
/// Words from one possible thread control block to the next.
const CONTROL_BLOCK_STRIDE: usize = 2;
/// Bytes of a thread control block in which the number of its thread is looked for: glibc has it at 720, musl at 48.
const CONTROL_BLOCK_BYTES: usize = 1024;
/// Tasks that are listed.
const MOST_TASKS: usize = 10_000_000;
/// Possible control blocks that are looked at.
const MOST_CONTROL_BLOCKS: usize = 1 << 20;

/// What is found of tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskList {
    /// By id.
    pub(crate) tasks: Vec<FoundTask>,
    /// The thread pointers (FS base) of threads.
    pub(crate) thread_pointers: HashMap<u64, u64>,
}

/// What may be tasks and control blocks, while the memory is searched.
#[derive(Clone, Debug)]
pub(crate) struct TaskScan<'t> {
    tables: &'t TaskVtables,
    candidates: Vec<(u64, TaskVtable)>,
    control_blocks: Vec<u64>,
}

impl<'t> TaskScan<'t> {
    /// Makes one that has found nothing yet.
    pub(crate) fn new(tables: &'t TaskVtables) -> Self {
        Self { tables, candidates: Vec::new(), control_blocks: Vec::new() }
    }

    /// Looks at a piece of memory; see [`DataScan::each`](crate::target::data_scan::DataScan::each).
    pub(crate) fn look(&mut self, start: u64, words: &[[u8; 8]], count: usize) {
        let word = |at: usize| words.get(at).map_or(0, |word| u64::from_le_bytes(*word));
        for at in (0..count).step_by(CONTROL_BLOCK_STRIDE) {
            let address = start + (at * 8) as u64;
            // A thread control block begins with its own address.
            if word(at) == address && self.control_blocks.len() < MOST_CONTROL_BLOCKS {
                self.control_blocks.push(address);
            }
        }
        let Some((first, last)) = self.tables.extent() else { return };
        let table_at = |vtable| {
            // Cheap first.
            if (first..=last).contains(&vtable) { self.tables.get(vtable).copied() } else { None }
        };
        let left = MOST_TASKS.saturating_sub(self.candidates.len());
        self.candidates.extend(headers(start, words, count, table_at).take(left));
    }

    /// Reads the tasks.
    pub(crate) fn into_list(self, target: &dyn Target, mappings: &[Mapping], threads: &[Thread]) -> TaskList {
        let thread_pointers = thread_pointers(target, &self.control_blocks, threads);
        let stacks = stacks(mappings, u64::from(target.pid()), &thread_pointers);
        // A task is made on a stack and moved to where it stays, which is never a stack.
        let moved =
            self.candidates.into_iter().filter(|(header, _)| !stacks.iter().any(|it| it.contains(header)));
        let found = moved.filter_map(|(header, table)| {
            let task = read_task(target, header, table).ok()??;
            let is_whole = task.owner != 0 || is_unowned(&task);
            is_whole.then_some(task)
        });
        let mut tasks: Vec<FoundTask> = found.collect();
        keep_of_one_alignment(&mut tasks, |task| task.header);
        tasks.sort_by_key(|task| (task.id, task.header));
        TaskList { tasks, thread_pointers }
    }
}

/// Leaves out what is no task: of a version of tokio that aligns its tasks, a copy that was left in freed memory. Of a version that does not, one
/// task in eight is aligned by chance.
fn keep_of_one_alignment<T>(tasks: &mut Vec<T>, header: impl Fn(&T) -> u64) {
    let is_aligned = |task: &T| header(task).is_multiple_of(ALIGNMENT);
    let aligned = tasks.iter().filter(|task| is_aligned(task)).count();
    if aligned * 2 >= tasks.len() {
        tasks.retain(is_aligned);
    }
}

/// Returns the stacks of threads. That of the first thread has a mapping with a name. Each other one ends below its thread's control block; what lies
/// above may be anything, since the kernel joins mappings.
fn stacks(mappings: &[Mapping], first: u64, thread_pointers: &HashMap<u64, u64>) -> Vec<Range<u64>> {
    let named = mappings.iter().filter(|mapping| mapping.path.as_os_str() == "[stack]");
    let others = thread_pointers.iter().filter(|(thread, _)| **thread != first).filter_map(|(_, pointer)| {
        let mapping = mappings.iter().find(|mapping| mapping.range.contains(pointer))?;
        Some(mapping.range.start..*pointer)
    });
    named.map(|mapping| mapping.range.clone()).chain(others).collect()
}

/// Returns where headers may begin in the first words, each with its table.
fn headers<T>(
    start: u64,
    words: &[[u8; 8]],
    count: usize,
    table_at: impl Fn(u64) -> Option<T>,
) -> impl Iterator<Item = (u64, T)> {
    let places = (0..count).step_by(STRIDE);
    places.filter_map(move |at| {
        let vtable = u64::from_le_bytes(*words.get(at + VTABLE)?);
        Some((start + (at * 8) as u64, table_at(vtable)?))
    })
}

/// Reads a task again. `None` if there is no living task of this type any more.
pub(crate) fn read_task(
    memory: &dyn Memory,
    header: u64,
    table: TaskVtable,
) -> Result<Option<FoundTask>, Unreadable> {
    let word = word_at(memory, header)?;
    let owner = word_at(memory, header.wrapping_add(8 * OWNER as u64))?;
    let id = word_at(memory, header.wrapping_add(table.id_offset))?;
    // Ids count from 1.
    let word = TaskWord::of_living(word).filter(|_| id != 0);
    let task = |word| FoundTask { header, table, state: header, word: StateWord::Tokio(word), owner, id };
    Ok(word.map(task))
}

/// Whether a task without an owner is one of the blocking pool. Every task is without one for a moment while it is spawned, and a copy
/// of it on the stack stays so: both have the initial state, notified with three references.
fn is_unowned(task: &FoundTask) -> bool {
    match task.word.activity() {
        Activity::Notified => !matches!(task.word, StateWord::Tokio(word) if word.is_initial()),
        Activity::Running => true,
        Activity::Idle | Activity::Complete => false,
    }
}

/// Tells whose control blocks these are, by the number of the thread that is in each.
fn thread_pointers(memory: &dyn Memory, blocks: &[u64], threads: &[Thread]) -> HashMap<u64, u64> {
    let exact = threads.iter().filter_map(|it| Some((it.id, it.registers.as_ref()?.thread_pointer)));
    let mut found: HashMap<u64, u64> = exact.collect();
    for &block in blocks {
        // Shorter at the end of a mapping.
        let lengths = [CONTROL_BLOCK_BYTES, CONTROL_BLOCK_BYTES * 3 / 4, 64];
        let Some(bytes) = lengths.iter().find_map(|&length| bytes_at(memory, block, length).ok()) else {
            continue;
        };
        let numbers = bytes.as_chunks::<4>().0.iter().map(|number| u64::from(u32::from_le_bytes(*number)));
        // The first words are addresses.
        let mut numbers = numbers.skip(8);
        let of_number = |number| threads.iter().find(|thread| thread.inner_id == number);
        if let Some(thread) = numbers.find_map(of_number) {
            found.entry(thread.id).or_insert(block);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_a_task_in_freed_memory_was_taken_for_one() {
        let kept = |headers: &[u64]| {
            let mut headers = headers.to_vec();
            keep_of_one_alignment(&mut headers, |header| *header);
            headers
        };
        assert_eq!(kept(&[0x1000, 0x1010, 0x1080]), [0x1000, 0x1080]);
        assert_eq!(kept(&[0x1000, 0x1010]), [0x1000]);
        assert_eq!(kept(&[]), [0; 0]);
        // Not aligned, and one of them by chance.
        assert_eq!(kept(&[0x1000, 0x1010, 0x1030]), [0x1000, 0x1010, 0x1030]);
        assert_eq!(kept(&[0x1010]), [0x1010]);
    }

    #[test]
    fn a_task_of_tokio_before_1_30_was_passed_over() {
        const TABLE: u64 = 0x5000;
        let words = |header: usize| {
            let mut words = [[0; 8]; 64];
            words[header + VTABLE] = TABLE.to_le_bytes();
            words
        };
        let found = |words: &[[u8; 8]], count| {
            let headers = headers(0x1000, words, count, |vtable| (vtable == TABLE).then_some(()));
            headers.map(|(header, ())| header).collect::<Vec<_>>()
        };
        // Aligned to 128 bytes, and to 16.
        assert_eq!(found(&words(16), 64), [0x1080]);
        assert_eq!(found(&words(6), 64), [0x1030]);
        // The table stands behind the piece; the header does, too.
        assert_eq!(found(&words(6), 8), [0x1030]);
        assert!(found(&words(8), 8).is_empty());
    }
}
