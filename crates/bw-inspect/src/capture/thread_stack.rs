//! The stack of a thread that waits in the kernel, where a poll blocks; and of any thread that stood still.
//!
//! A thread that waits is not interrupted. The kernel tells its stack pointer and its program counter; its other registers are not known. So a walk
//! may get lost, and then there is no trace. The thread's counters are compared before and after: a thread that ran meanwhile has no trace.

use std::ops::Range;

use bw_core::{PollingThread, StackFlags};

use super::stack_walk::{self, WalkEnd, WalkRegisters};
use super::unwind_rules::{Numbering, UnwindRules};
use crate::emulate::REGISTERS;
use crate::target::Target;
use crate::target::mappings::Mapping;
use crate::target::memory::Memory;
use crate::target::threads::Thread;
use crate::target::words::{bytes_at, word_at, words_of};

/// Bytes of a stack that are searched, from the stack pointer on.
const SEARCHED_BYTES: u64 = 256 * 1024;

/// The thread that polls a task, and where it blocks.
#[derive(Clone, Debug)]
pub(crate) struct PollingStack {
    pub(crate) thread: PollingThread,
    pub(crate) stack: Option<(Vec<usize>, StackFlags)>,
}

/// Finds the thread that polls a task: the one whose stack has the address of the task's header. The frame of `poll` keeps it there.
pub(crate) fn of_task(
    target: &dyn Target,
    mappings: &[Mapping],
    threads: &[Thread],
    rules: &UnwindRules<'_>,
    header: u64,
    most_frames: usize,
) -> Option<PollingStack> {
    threads.iter().find_map(|thread| {
        let range = searched(mappings, thread)?;
        let bytes = bytes_at(target, range.start, usize::try_from(range.end - range.start).ok()?).ok()?;
        let is_there = words_of(&bytes).any(|word| word == header);
        is_there.then(|| PollingStack {
            thread: PollingThread::elsewhere(thread.name.clone(), Some(thread.id)),
            stack: walk(target, thread, rules, most_frames),
        })
    })
}

fn searched(mappings: &[Mapping], thread: &Thread) -> Option<Range<u64>> {
    let range = mappings.iter().find_map(|mapping| thread.stack_in(&mapping.range))?;
    Some(range.start..range.end.min(range.start.saturating_add(SEARCHED_BYTES)))
}

/// Walks a stack to where its thread began.
pub(crate) fn walk(
    target: &dyn Target,
    thread: &Thread,
    rules: &UnwindRules<'_>,
    most_frames: usize,
) -> Option<(Vec<usize>, StackFlags)> {
    let mut general = [None; REGISTERS];
    let instruction = match (&thread.registers, &thread.waits_at) {
        (Some(known), _) => {
            for (general, known) in general.iter_mut().zip(&*known.general) {
                *general = Some(*known);
            }
            known.instruction
        }
        (None, Some(at)) => {
            let numbering = Numbering::of(rules.modules().architecture());
            general[numbering.stack_pointer] = Some(at.stack_pointer);
            at.program_counter
        }
        (None, None) => return None,
    };
    let registers = WalkRegisters { instruction, general };
    let word = |address| word_at(target as &dyn Memory, address).ok();
    let walk = stack_walk::walk(rules, registers, None, most_frames, word);
    // A thread that ran meanwhile may have left half of another stack.
    if target.thread_now(thread.id)?.waits_at != thread.waits_at || walk.end != WalkEnd::Whole {
        return None;
    }
    let mut addresses = walk.addresses.into_iter();
    let first = addresses.next().map(|instruction| instruction.wrapping_add(1));
    let addresses = first.into_iter().chain(addresses).filter_map(|address| usize::try_from(address).ok());
    Some((addresses.collect(), StackFlags::default().with_blocked(thread.waits_at.is_some())))
}
