//! Where the futures wait that threads drive with `block_on`. They are no tasks: the stack of their thread holds them.
//!
//! The thread waits in the kernel until the future's waker is used. So the waker is used, in the copy, and the thread goes on there: it
//! leaves its wait, polls the future, and comes back to the same wait. Each clone of the waker on the way is a place at which the future
//! waits. The poll sees the thread's own locks and thread-local values.
//!
//! Of a thread in the kernel only two registers are known. Its stack has those that functions saved. So the thread goes on in a caller of
//! the function that waits, as if that function had returned: in the nearest one from which the thread comes back. Which value the function
//! returned is not known either, and tried. Registers that no function saved get a value that means nothing, and then another one: a
//! result that depends on them is none.

use std::collections::HashSet;
use std::ops::Range;

use bw_core::StackFlags;

use super::emulated_poll::{EmulatedPoll, PollEmulator, PollEnd};
use super::stack_walk::{self, WalkRegisters};
use crate::emulate::{Fault, REGISTERS, Stop};
use crate::executor::child_wakers::ChildWaker;
use crate::executor::runtime_threads::{PollThread, RuntimeThreads};
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
/// Results of the waiting function that are tried.
const RETURNED: [u64; 2] = [0, 1];
/// Values for registers whose own values are not known. No process has memory there.
const MEANINGLESS: [u64; 2] = [0x5a5a_a5a5_0000_1001, 0xa5a5_5a5a_0010_2003];
/// The stack pointer in the numbering of DWARF.
const STACK_POINTER_OF_X86_64: usize = 7;
/// The registers that a call leaves as they were, in the numbering of DWARF.
const KEPT_BY_CALLS: [usize; 6] = [3, 6, 12, 13, 14, 15];
/// Bytes of the instruction with which a thread enters the kernel.
const SYSTEM_CALL_BYTES: u64 = 2;

/// A thread that waits in the kernel.
pub(crate) struct WaitingThread<'t> {
    thread: PollThread,
    at: &'t WaitingAt,
    /// Where its stack and its thread-local values are.
    own: [Range<u64>; 2],
}

impl<'t> WaitingThread<'t> {
    /// `None` if the thread runs. `stack` is the mapping that its stack pointer is in.
    pub(crate) fn new(thread: &'t Thread, pointer: u64, stack: &Range<u64>) -> Option<Self> {
        let own = [thread.stack_in(stack)?, pointer.saturating_sub(THREAD_LOCAL_BYTES)..pointer];
        Some(Self { thread: PollThread { id: thread.id, pointer }, at: thread.waits_at.as_ref()?, own })
    }

    /// The places of a waker that are the thread's own.
    fn places<'a>(&'a self, waker: &'a ChildWaker) -> impl Iterator<Item = u64> {
        waker.places.iter().copied().filter(|place| self.own.iter().any(|range| range.contains(place)))
    }
}

/// A way for a thread to go on.
#[derive(Clone)]
struct Way {
    registers: WalkRegisters,
    returned: u64,
    /// The place of the waker that the future is polled with. All others are changed, so that leaves clone it. `None` if it is polled with
    /// another waker than the one that is used.
    kept: Option<u64>,
}

/// Why a thread did not come back to its wait.
enum NoReturn {
    /// The future is polled with the waker at another place.
    OtherPlace,
    /// It cannot go on in this way.
    OtherWay,
}

impl PollEmulator<'_> {
    /// Polls the future that a waiting thread drives. `None` if it drives none: no waker of its own ends the wait. Children must have been
    /// found before.
    pub(crate) fn poll_root(
        &mut self,
        thread: &WaitingThread<'_>,
        threads: &RuntimeThreads,
        native: Option<(Vec<usize>, StackFlags)>,
    ) -> Option<EmulatedPoll> {
        let before = self.machine.executed();
        let ends = self.children.of_threads.iter().filter(|(_, woken)| woken.ends(&thread.at.call));
        let (own, others): (Vec<ChildWaker>, Vec<ChildWaker>) =
            ends.map(|(waker, _)| waker.clone()).partition(|waker| thread.places(waker).next().is_some());
        // Any other thread uses the wakers.
        let waking = threads.two().find(|other| *other != thread.thread).unwrap_or(thread.thread);
        let mut best: Option<(Way, EmulatedPoll)> = None;
        for waker in own.iter().take(MOST_WAKERS) {
            let found = self.poll_with(thread, waking, waker);
            let is_better = |poll: &EmulatedPoll| {
                best.as_ref().is_none_or(|(_, best)| best.stacks.len() < poll.stacks.len())
            };
            best = found.filter(|(_, poll)| is_better(poll)).or(best);
        }
        let poll = match best {
            Some((way, mut poll)) => {
                // A waker on the thread's own stack may be that of a child, too.
                let data: HashSet<u64> = own.iter().map(|waker| waker.data).collect();
                let children = others.iter().filter(|waker| !data.contains(&waker.data));
                for child in children.take(self.limits.children) {
                    let way = Way { kept: None, ..way.clone() };
                    if let Ok(of_child) = self.resume(thread, waking, child, &way, MEANINGLESS[0]) {
                        poll.stacks.extend(of_child.stacks);
                        poll.used.extend(of_child.used);
                    }
                }
                poll
            }
            None if own.is_empty() => return None,
            None => EmulatedPoll {
                stacks: native.into_iter().collect(),
                end: PollEnd::Incomplete("its thread did not come back to its wait in the emulator".into()),
                ..EmulatedPoll::default()
            },
        };
        Some(EmulatedPoll { instructions: self.machine.executed() - before, ..poll })
    }

    /// Polls the future with one waker: in one way after the other until it shows where it waits. `None` if the thread never comes back to its wait.
    fn poll_with(
        &mut self,
        thread: &WaitingThread<'_>,
        waking: PollThread,
        waker: &ChildWaker,
    ) -> Option<(Way, EmulatedPoll)> {
        let mut general = [None; REGISTERS];
        general[STACK_POINTER_OF_X86_64] = Some(thread.at.stack_pointer);
        let registers = WalkRegisters { instruction: thread.at.program_counter, general };
        let memory = self.memory;
        let word = |address| word_at(memory, address).ok();
        let callers = stack_walk::callers(self.rules, registers, MOST_CALLERS, word);
        let ways = callers.iter().flat_map(|caller| RETURNED.map(|returned| (caller, returned)));
        let mut ways: Vec<Way> = ways
            .map(|(registers, returned)| Way { registers: registers.clone(), returned, kept: None })
            .collect();
        let mut without_stacks = None;
        for kept in thread.places(waker).take(MOST_PLACES) {
            // In which ways the thread comes back does not depend on the place.
            let mut good = Vec::new();
            for way in ways {
                let way = Way { kept: Some(kept), ..way };
                match self.poll_in_way(thread, waking, waker, &way) {
                    Ok(poll) if !poll.stacks.is_empty() => return Some((way, poll)),
                    // It may not have polled at all.
                    Ok(poll) => {
                        without_stacks = without_stacks.or_else(|| Some((way.clone(), poll)));
                        good.push(way);
                    }
                    Err(NoReturn::OtherPlace) => {
                        good = vec![way];
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
        waking: PollThread,
        waker: &ChildWaker,
        way: &Way,
    ) -> Result<EmulatedPoll, NoReturn> {
        let [first, second] = MEANINGLESS;
        let poll = self.resume(thread, waking, waker, way, first)?;
        let is_known = |register: usize| way.registers.general.get(register).is_some_and(Option::is_some);
        if KEPT_BY_CALLS.iter().all(|&register| is_known(register)) {
            return Ok(poll);
        }
        let other = self.resume(thread, waking, waker, way, second)?;
        let is_same = other.stacks == poll.stacks && other.instructions == poll.instructions;
        if is_same { Ok(poll) } else { Err(NoReturn::OtherWay) }
    }

    /// Lets the thread go on until it waits again.
    fn resume(
        &mut self,
        thread: &WaitingThread<'_>,
        waking: PollThread,
        waker: &ChildWaker,
        way: &Way,
        meaningless: u64,
    ) -> Result<EmulatedPoll, NoReturn> {
        self.start_anew(waking);
        self.wake(waker);
        self.on_thread(thread.thread);
        let others = waker.places.iter().copied().filter(|place| Some(*place) != way.kept);
        // A clone through a changed waker ends at this address, which is no code.
        let mut changed = waker.functions;
        let changed_clone = self.space.end + CHANGED_CLONE;
        if way.kept.is_some() {
            changed.functions[0] = changed_clone;
        }
        self.replace_wakers(others, changed).map_err(|_| NoReturn::OtherWay)?;
        let WalkRegisters { instruction, general } = &way.registers;
        if !self.machine.cpu.go_on(*instruction, general, meaningless, way.returned) {
            return Err(NoReturn::OtherWay);
        }
        let before = self.machine.executed();
        let mut poll = EmulatedPoll::default();
        let [clone, _, wake, _] = waker.functions.functions;
        self.unknown = Some(meaningless);
        let stop = self.watching(waker.data, clone, wake, |emulator| {
            emulator.until_it_waits(thread.at, waker.data, &mut poll)
        });
        self.unknown = None;
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
                && cpu.program_counter().wrapping_add(SYSTEM_CALL_BYTES) == at.program_counter;
            if waits {
                return Ok(None);
            }
            // Whatever it writes on the way is the message of a panic.
            if !self.answers_system_call() || self.kernel.said().is_some() {
                return Ok(Some(stop));
            }
        }
    }
}
