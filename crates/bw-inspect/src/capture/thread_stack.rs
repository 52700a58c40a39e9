//! The stack of a thread that waits in the kernel, where a poll blocks; of any thread that stood still; and of one that runs.
//!
//! A thread that waits is not interrupted. The kernel tells its stack pointer and its program counter; its other registers are not known. So a walk
//! may get lost, and then there is no trace. The thread's counters are compared before and after: a thread that ran meanwhile has no trace.
//! Of a thread that runs, the profiler of the kernel copies the registers and the stack; see [`Target::sample_thread`].

use std::ops::Range;

use bw_core::{PollingThread, StackFlags};

use super::stack_walk::{self, Walk, WalkEnd, WalkRegisters};
use super::unwind_rules::{FrameRule, Numbering, UnwindRules};
use crate::emulate::REGISTERS;
use crate::executor::found_task::FoundTask;
use crate::target::Target;
use crate::target::architecture::Architecture;
use crate::target::mappings::Mapping;
use crate::target::memory::Memory;
use crate::target::registers::Registers;
use crate::target::thread_sample::ThreadSample;
use crate::target::threads::Thread;
use crate::target::words::{bytes_at, word_at, words_of};

/// Bytes of a stack that are searched, from the stack pointer on.
const SEARCHED_BYTES: u64 = 256 * 1024;

/// The thread that polls a task, and where it is.
#[derive(Clone, Debug)]
pub(crate) struct PollingStack {
    pub(crate) thread: PollingThread,
    pub(crate) stack: Option<(Vec<usize>, StackFlags)>,
}

impl PollingStack {
    fn new(thread: &Thread, stack: Option<(Vec<usize>, StackFlags)>) -> Self {
        Self { thread: PollingThread::elsewhere(thread.name.clone(), Some(thread.id)), stack }
    }
}

/// Finds the thread that polls a task.
///
/// Its stack has the address of the task's header, and a frame of the task's `poll`. Other stacks may have the address, too: a handle of the
/// task lies there. `samples` are the threads that run; they are asked for only if no thread that waits is found.
pub(crate) fn of_task<'s>(
    target: &dyn Target,
    mappings: &[Mapping],
    threads: &[Thread],
    samples: impl FnOnce() -> &'s [(Thread, ThreadSample)],
    rules: &UnwindRules<'_>,
    task: &FoundTask,
    most_frames: usize,
) -> Option<PollingStack> {
    let polls = functions_of_poll(target, rules, task.table.poll);
    let is_in_poll = |&address: &usize| {
        // A return address may be the first of the next function: the call is in front of it.
        let rule = rules.at((address as u64).wrapping_sub(1));
        matches!(rule.as_deref(), Some(FrameRule::Frame { function, .. }) if polls.contains(&Some(*function)))
    };
    // Where the walk got lost, the frame may lie behind that.
    let mut lost = None;
    for thread in threads {
        let Some(range) = searched(mappings, thread) else { continue };
        let length = usize::try_from(range.end - range.start).unwrap_or(0);
        let Ok(bytes) = bytes_at(target, range.start, length) else { continue };
        if !words_of(&bytes).any(|word| word == task.header) {
            continue;
        }
        match walk(target, thread, rules, most_frames) {
            Some(stack) if stack.0.iter().any(is_in_poll) => {
                return Some(PollingStack::new(thread, Some(stack)));
            }
            Some(_) => {}
            None => lost = lost.or_else(|| Some(PollingStack::new(thread, None))),
        }
    }
    let of_sample = |(thread, sample): &(Thread, ThreadSample)| {
        let addresses = walk_sample(target, thread, sample, rules, most_frames)?;
        let is_polling = sample.has(task.header) && addresses.iter().any(is_in_poll);
        is_polling.then(|| PollingStack::new(thread, Some((addresses, StackFlags::default()))))
    };
    samples().iter().find_map(of_sample).or(lost)
}

/// Where the function begins that polls a task, and the one that it is if its only instruction is a jump there: a small build makes it so.
fn functions_of_poll(memory: &dyn Memory, rules: &UnwindRules<'_>, poll: u64) -> [Option<u64>; 2] {
    let code: Option<[u8; 8]> = word_at(memory, poll).ok().map(u64::to_le_bytes);
    let jump = code.and_then(|code| match (rules.modules().architecture(), code) {
        (Architecture::X86_64, [0xe9, a, b, c, d, ..]) => {
            poll.checked_add(5)?.checked_add_signed(i32::from_le_bytes([a, b, c, d]).into())
        }
        (Architecture::Aarch64, [a, b, c, d, ..]) if d >> 2 == 0b00_0101 => {
            // 26 bits with a sign, in instructions of four bytes.
            let distance = i32::from_le_bytes([a, b, c, d]) << 6 >> 4;
            poll.checked_add_signed(distance.into())
        }
        _ => None,
    });
    [Some(poll), jump]
}

/// Walks the stack of a thread that ran.
fn walk_sample(
    target: &dyn Target,
    thread: &Thread,
    sample: &ThreadSample,
    rules: &UnwindRules<'_>,
    most_frames: usize,
) -> Option<Vec<usize>> {
    let registers = start(rules, thread, Some(&sample.registers))?;
    // What lies further up than the copy belongs to callers, and does not change while they wait for this call.
    let word = |address| sample.word(address).or_else(|| word_at(target as &dyn Memory, address).ok());
    addresses(stack_walk::walk(rules, registers, None, most_frames, word))
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
    let registers = start(rules, thread, thread.registers.as_ref())?;
    let word = |address| word_at(target as &dyn Memory, address).ok();
    let walk = stack_walk::walk(rules, registers, None, most_frames, word);
    // A thread that ran meanwhile may have left half of another stack.
    if target.thread_now(thread.id)?.waits_at != thread.waits_at {
        return None;
    }
    Some((addresses(walk)?, StackFlags::default().with_blocked(thread.waits_at.is_some())))
}

/// Where a walk over the stack of a thread begins. Of a thread whose registers are not known, two are.
fn start(rules: &UnwindRules<'_>, thread: &Thread, known: Option<&Registers>) -> Option<WalkRegisters> {
    let mut general = [None; REGISTERS];
    let instruction = match (known, &thread.waits_at) {
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
    Some(WalkRegisters { instruction, general })
}

/// The return addresses of a whole walk. The first address of it is an instruction, and not one after a call.
fn addresses(walk: Walk) -> Option<Vec<usize>> {
    let mut addresses = (walk.end == WalkEnd::Whole).then_some(walk.addresses)?.into_iter();
    let first = addresses.next().map(|instruction| instruction.wrapping_add(1));
    Some(first.into_iter().chain(addresses).filter_map(|address| usize::try_from(address).ok()).collect())
}
