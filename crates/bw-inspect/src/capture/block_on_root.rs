//! Where the futures wait that threads drive with `block_on`. They are no tasks: the stack of their thread holds them.
//!
//! The thread waits in the kernel until the future's waker is used. So the waker is used, in the copy, and the thread goes on there: it
//! leaves its wait, polls the future, and comes back to the same wait. Each clone of the waker on the way is a place at which the future
//! waits. What locks and thread-local values the poll needs is as the thread has it.
//!
//! Of a thread in the kernel only two registers are known. Its stack has those that functions saved. So the thread goes on in a caller of
//! the function that waits, as if that function had returned: in the nearest one from which the thread comes back. Which value the function
//! returned is not known either, and tried. Registers that no function saved get a value that means nothing, and then another one: a
//! result that depends on them is none.

use std::ops::Range;

use bw_core::StackFlags;

use super::emulated_poll::{EmulatedPoll, PollEmulator, PollEnd, encoded_registers};
use super::stack_walk::{self, WalkRegisters};
use super::unwind_rules::{REGISTERS, STACK_POINTER};
use crate::emulate::{Fault, Stop};
use crate::executor::child_wakers::ChildWaker;
use crate::executor::runtime_threads::PollThread;
use crate::target::threads::{Thread, WaitingAt};
use crate::target::words::word_at;

/// Bytes below the thread pointer in which a thread may keep its waker.
const THREAD_LOCAL_BYTES: u64 = 64 * 1024;
/// Wakers of one thread that are tried, and places of one waker.
const MOST_WAKERS: usize = 8;
const MOST_PLACES: usize = 16;
/// Callers in which a thread may go on.
const MOST_CALLERS: usize = 16;
/// Ways in which a thread comes back that are tried with each place, and instructions of each.
const MOST_WAYS: usize = 3;
const MOST_INSTRUCTIONS: u64 = 200_000;
/// Where clones through changed wakers go, behind the address to which polls return.
const CHANGED_CLONE: u64 = 64;
/// What the function may have returned that waits.
const RETURNED: [u64; 2] = [0, 1];
/// What registers have that nobody knows. No process has memory there.
const MEANINGLESS: [u64; 2] = [0x5a5a_a5a5_0000_1001, 0xa5a5_5a5a_0010_2003];
/// The registers that a call leaves as they were, in the numbering of DWARF.
const KEPT_BY_CALLS: [usize; 6] = [3, 6, 12, 13, 14, 15];
/// Bytes of the instruction with which a thread enters the kernel.
const SYSTEM_CALL_BYTES: u64 = 2;

/// A thread that waits in the kernel.
pub(crate) struct WaitingThread<'t> {
    thread: PollThread,
    /// Another thread, which uses the waker: one that wakes itself does not end a wait.
    waker_thread: PollThread,
    at: &'t WaitingAt,
    /// Where its stack and its thread-local values are.
    own: [Range<u64>; 2],
}

impl<'t> WaitingThread<'t> {
    /// `None` if the thread runs. `stack` is the mapping that its stack pointer is in. `other` is any other thread, if there is one.
    pub(crate) fn new(
        thread: &'t Thread,
        pointer: u64,
        other: Option<u64>,
        stack: &Range<u64>,
    ) -> Option<Self> {
        let own = [thread.stack_in(stack)?, pointer.saturating_sub(THREAD_LOCAL_BYTES)..pointer];
        let waker_thread = PollThread { id: 0, pointer: other.unwrap_or(pointer) };
        let thread_id = PollThread { id: thread.id, pointer };
        Some(Self { thread: thread_id, waker_thread, at: thread.waits_at.as_ref()?, own })
    }

    /// The places of a waker that are the thread's own.
    fn places<'a>(&'a self, waker: &'a ChildWaker) -> impl Iterator<Item = u64> {
        waker.places.iter().copied().filter(|place| self.own.iter().any(|range| range.contains(place)))
    }
}

/// A way for a thread to go on.
struct Way<'w> {
    registers: &'w WalkRegisters,
    returned: u64,
    /// The place of the waker that the future is polled with. All others are changed, so that leaves clone it.
    kept: u64,
}

/// Why a thread did not come back to its wait.
enum NoReturn {
    /// The future is polled with the waker at another place.
    OtherPlace,
    /// It cannot go on in this way.
    OtherWay,
}

impl PollEmulator<'_> {
    /// Polls the future that a waiting thread drives. `None` if it drives none: no waker of its own ends the wait.
    pub(crate) fn poll_root(
        &mut self,
        thread: &WaitingThread<'_>,
        wakers: &[ChildWaker],
        native: Option<(Vec<usize>, StackFlags)>,
    ) -> Option<EmulatedPoll> {
        let before = self.machine.executed();
        let own = wakers.iter().filter(|waker| thread.places(waker).next().is_some()).take(MOST_WAKERS);
        let ends_wait = |emulator: &mut Self, waker: &&ChildWaker| {
            emulator.start_anew(thread.waker_thread);
            emulator.wake(waker).is_empty() && emulator.kernel.ends(&thread.at.call)
        };
        // What is left of an older waker ends no wait.
        let own: Vec<&ChildWaker> = own.filter(|waker| ends_wait(self, waker)).collect();
        let polls: Vec<EmulatedPoll> = own.iter().filter_map(|waker| self.poll_with(thread, waker)).collect();
        let best = polls.into_iter().max_by_key(|poll| poll.stacks.len());
        let poll = match best {
            Some(poll) => Some(poll),
            None if own.is_empty() => None,
            None => Some(EmulatedPoll {
                stacks: native.into_iter().collect(),
                end: PollEnd::Incomplete("its thread did not come back to its wait in the emulator".into()),
                ..EmulatedPoll::default()
            }),
        };
        poll.map(|poll| EmulatedPoll { instructions: self.machine.executed() - before, ..poll })
    }

    /// Polls the future with one waker: in one way after the other until it shows where it waits. `None` if the thread never comes back to its wait.
    fn poll_with(&mut self, thread: &WaitingThread<'_>, waker: &ChildWaker) -> Option<EmulatedPoll> {
        let mut general = [None; REGISTERS];
        general[STACK_POINTER] = Some(thread.at.stack_pointer);
        let registers = WalkRegisters { instruction: thread.at.program_counter, general };
        let memory = self.memory;
        let word = |address| word_at(memory, address).ok();
        let callers = stack_walk::callers(self.rules, registers, MOST_CALLERS, word);
        let mut ways: Vec<(&WalkRegisters, u64)> =
            callers.iter().flat_map(|caller| RETURNED.map(|returned| (caller, returned))).collect();
        let mut without_stacks = None;
        for kept in thread.places(waker).take(MOST_PLACES) {
            // In which ways the thread comes back does not depend on the place.
            let mut good = Vec::new();
            for &(registers, returned) in &ways {
                match self.poll_in_way(thread, waker, &Way { registers, returned, kept }) {
                    Ok(poll) if !poll.stacks.is_empty() => return Some(poll),
                    // It may not have polled at all.
                    Ok(poll) => {
                        without_stacks = without_stacks.or(Some(poll));
                        good.push((registers, returned));
                    }
                    Err(NoReturn::OtherPlace) => {
                        good = vec![(registers, returned)];
                        break;
                    }
                    Err(NoReturn::OtherWay) => {}
                }
                if good.len() >= MOST_WAYS {
                    break;
                }
            }
            ways = good;
        }
        without_stacks
    }

    /// Fails also if the result depends on registers that are not known.
    fn poll_in_way(
        &mut self,
        thread: &WaitingThread<'_>,
        waker: &ChildWaker,
        way: &Way<'_>,
    ) -> Result<EmulatedPoll, NoReturn> {
        let [first, second] = MEANINGLESS;
        let poll = self.resume(thread, waker, way, first)?;
        let is_known = |register: usize| way.registers.general.get(register).is_some_and(Option::is_some);
        if KEPT_BY_CALLS.iter().all(|&register| is_known(register)) {
            return Ok(poll);
        }
        let other = self.resume(thread, waker, way, second)?;
        let is_same = other.stacks == poll.stacks && other.instructions == poll.instructions;
        if is_same { Ok(poll) } else { Err(NoReturn::OtherWay) }
    }

    /// Lets the thread go on until it waits again.
    fn resume(
        &mut self,
        thread: &WaitingThread<'_>,
        waker: &ChildWaker,
        way: &Way<'_>,
        meaningless: u64,
    ) -> Result<EmulatedPoll, NoReturn> {
        self.start_anew(thread.waker_thread);
        self.wake(waker);
        self.on_thread(thread.thread);
        let others = waker.places.iter().copied().filter(|place| *place != way.kept);
        // A clone through a changed waker ends at this address, which is no code.
        let mut changed = waker.functions;
        let changed_clone = self.space.end + CHANGED_CLONE;
        changed.functions[0] = changed_clone;
        self.replace_wakers(others, changed).map_err(|_| NoReturn::OtherWay)?;
        let cpu = &mut self.machine.cpu;
        cpu.gpr = encoded_registers(&way.registers.general, meaningless);
        cpu.gpr[0] = way.returned;
        cpu.rip = way.registers.instruction;
        let before = self.machine.executed();
        let mut poll = EmulatedPoll::default();
        let [clone, _, wake, _] = waker.functions.functions;
        let stop = self.watching(waker.data, clone, wake, |emulator| {
            emulator.until_it_waits(thread.at, waker.data, &mut poll)
        });
        poll.used = self.machine.memory.used();
        poll.instructions = self.machine.executed() - before;
        match stop {
            Ok(None) => Ok(poll),
            Ok(Some(Stop::Unreadable { at, .. })) if at == changed_clone => Err(NoReturn::OtherPlace),
            Ok(Some(_)) | Err(_) => Err(NoReturn::OtherWay),
        }
    }

    /// Returns what else stopped it. `Ok(None)` if it waits.
    fn until_it_waits(
        &mut self,
        at: &WaitingAt,
        data: u64,
        poll: &mut EmulatedPoll,
    ) -> Result<Option<Stop>, Fault> {
        let end = self.machine.executed() + self.limits.poll_instructions.min(MOST_INSTRUCTIONS);
        loop {
            let left = end.saturating_sub(self.machine.executed());
            let stop = self.step(left, data, poll)?;
            if !matches!(stop, Stop::SystemCall { .. }) {
                return Ok(Some(stop));
            }
            let cpu = &self.machine.cpu;
            let waits = cpu.stack_pointer() == at.stack_pointer
                && cpu.rip.wrapping_add(SYSTEM_CALL_BYTES) == at.program_counter;
            if waits {
                return Ok(None);
            }
            // What it says on the way is a panic.
            if !self.answers_system_call() || self.kernel.said().is_some() {
                return Ok(Some(stop));
            }
        }
    }
}
