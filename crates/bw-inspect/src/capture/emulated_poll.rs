//! One poll of a task, emulated over a copy of the memory of its process.
//!
//! The poll begins where a scheduler begins it: at the function `poll` of the task's table, with the state word as a scheduler sets it. The
//! stored wakers of the task are changed in the copy, so that each leaf clones the waker again, as in a traced poll. Whenever the
//! function that clones a waker is reached for a waker of this task, the emulated stack is walked. The result is a stack for each
//! place that the task waits at, from the leaf to the task's root.

use std::collections::HashSet;
use std::path::Path;

use bw_core::StackFlags;

use super::address_space::{FreeSpace, STACK_BYTES, TABLE_BYTES};
use super::allocator::Allocator;
use super::kernel::{Answer, Kernel};
use super::limits::Limits;
use super::progress::Blocks;
use super::stack_walk::{self, WalkEnd, WalkRegisters};
use super::unwind_rules::UnwindRules;
use crate::emulate::{AnyCode as CodeCache, AnyCpu, AnyMachine as Machine, Fault, Overlay, Stop};
use crate::executor::runtime_threads::{PollThread, RuntimeThreads};
use crate::executor::task_list::FoundTask;
use crate::executor::task_state::{Activity, TaskWord};
use crate::executor::waker_index::WakerIndex;
use crate::executor::wrapped_tasks::WrappedTasks;
use crate::target::Clocks;
use crate::target::mappings::Mapping;
use crate::target::memory::Memory;

/// Bytes of a table of a waker's functions.
const WAKER_TABLE_BYTES: u64 = 32;
/// Bytes at the top of the stack that stay free: a function may look above its frame.
const ABOVE_STACK: u64 = 4096;
/// Bytes on both sides of a thread pointer in which the runtime's own thread-local values lie.
const THREAD_LOCAL_BYTES: u64 = 4096;
/// The words that every panic message of the standard library contains.
const PANIC: &str = " panicked at ";

/// The result of one emulated poll.
#[derive(Clone, Debug)]
pub(crate) struct EmulatedPoll {
    /// Return addresses from the leaf to the root, for each clone of the task's waker. The first is one byte into the waker's function.
    pub(crate) stacks: Vec<(Vec<usize>, StackFlags)>,
    /// Stacks that did not fit.
    pub(crate) dropped: usize,
    pub(crate) end: PollEnd,
    /// The memory of the process that the result depends on: addresses and lengths.
    pub(crate) used: Vec<(u64, u64)>,
    pub(crate) instructions: u64,
}

/// How an emulated poll ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PollEnd {
    /// The future is pending.
    Pending,
    /// The future is ready: what it waited for has happened, and the task was not woken yet.
    Ready,
    /// The future is pending, but at another place: what it waited for has happened, and the task was not woken.
    Moved,
    /// It panicked, and said this.
    Panicked(String),
    /// It did not end, for this reason.
    Incomplete(String),
}

/// Emulates polls of the tasks of one process, one after the other.
pub(crate) struct PollEmulator<'m> {
    rules: &'m UnwindRules<'m>,
    wakers: &'m WakerIndex,
    limits: Limits,
    space: FreeSpace,
    kernel: Kernel,
    allocator: Allocator,
    memory: &'m dyn Memory,
    blocks: Blocks<'m>,
    machine: Machine<'m>,
    code: CodeCache,
    traps: HashSet<u64>,
    clones: HashSet<u64>,
    wakes: HashSet<u64>,
}

impl<'m> PollEmulator<'m> {
    /// Prepares. `process` is the number of the process, `clocks` its time.
    pub(crate) fn new(
        memory: &'m dyn Memory,
        mappings: &[Mapping],
        rules: &'m UnwindRules<'m>,
        wakers: &'m WakerIndex,
        wrapped: &'m WrappedTasks,
        (process, clocks): (u32, Clocks),
        limits: Limits,
    ) -> Self {
        let space = FreeSpace::find(mappings);
        let kernel = Kernel::new(memory, rules.modules(), &space, clocks, process);
        let allocator = Allocator::find(memory, rules.modules());
        let clones: HashSet<u64> = wakers.functions.iter().map(|waker| waker.functions[0]).collect();
        let wakes: HashSet<u64> = wakers.functions.iter().map(|waker| waker.functions[2]).collect();
        let answered = kernel.traps().chain(allocator.traps());
        let traps = clones.iter().chain(&wakes).copied().chain(answered).chain([space.end]).collect();
        let cpu = AnyCpu::new(rules.modules().architecture());
        let machine = Machine::new(cpu, Overlay::new(memory, limits.poll_pages));
        let code = CodeCache::default();
        let blocks = Blocks::new(memory, rules.modules(), wrapped, mappings);
        Self {
            rules,
            wakers,
            limits,
            space,
            kernel,
            allocator,
            memory,
            blocks,
            machine,
            code,
            traps,
            clones,
            wakes,
        }
    }

    /// Polls a task that is idle, on a thread whose thread-local values the poll sees.
    pub(crate) fn poll(&mut self, task: &FoundTask, threads: &RuntimeThreads) -> EmulatedPoll {
        let before = self.machine.executed();
        let mut poll = EmulatedPoll {
            stacks: Vec::new(),
            dropped: 0,
            end: PollEnd::Pending,
            used: Vec::new(),
            instructions: 0,
        };
        let thread = threads.of_task(self.memory, task);
        poll.end = match self.prepare(task, thread) {
            Ok(()) => self.run(task, &mut poll),
            Err(fault) => PollEnd::Incomplete(fault.to_string()),
        };
        if poll.end != PollEnd::Pending
            && let Some(said) = self.kernel.said().filter(|said| said.contains(PANIC))
        {
            // The stacks that were recorded lead into the panic, not to the place where the task waits.
            poll.stacks.clear();
            poll.dropped = 0;
            poll.end = PollEnd::Panicked(said);
        } else if poll.end == PollEnd::Pending && self.has_moved(task, thread) {
            poll.end = PollEnd::Moved;
        }
        poll.used = self.machine.memory.used();
        // Not what the thread polls meanwhile, and how long it may: the task does not depend on it.
        let of_thread = thread.pointer.saturating_sub(THREAD_LOCAL_BYTES)
            ..thread.pointer.saturating_add(THREAD_LOCAL_BYTES);
        poll.used.retain(|(at, _)| !of_thread.contains(at));
        if poll.end == PollEnd::Pending && poll.stacks.is_empty() {
            self.find_inlined_clones(task, thread, &mut poll);
        }
        poll.instructions = self.machine.executed() - before;
        poll
    }

    /// Whether the poll that has just returned went on. It is repeated if it changed words of its task: words that change each time say
    /// nothing.
    fn has_moved(&mut self, task: &FoundTask, thread: PollThread) -> bool {
        let changed = self.blocks.changed(&mut self.machine.memory, task, self.wakers);
        if changed.is_empty() {
            return false;
        }
        let clocks = self.kernel.clone();
        self.kernel.pass_time();
        let mut again = EmulatedPoll {
            stacks: Vec::new(),
            dropped: 0,
            end: PollEnd::Pending,
            used: Vec::new(),
            instructions: 0,
        };
        let end = self.enter(task, thread).map(|()| self.run(task, &mut again));
        self.kernel = clocks;
        if end == Ok(PollEnd::Ready) {
            return true;
        }
        let memory = &mut self.machine.memory;
        changed.iter().any(|&(at, value)| memory.read_u64(at).is_ok_and(|now| now == value))
    }

    /// Sets up the registers and the copy.
    fn prepare(&mut self, task: &FoundTask, thread: PollThread) -> Result<(), Fault> {
        let space = self.space;
        self.kernel.restart(thread.id);
        let machine = &mut self.machine;
        machine.memory.reset();
        machine.memory.map(space.stack, STACK_BYTES);
        machine.memory.map(space.tables, TABLE_BYTES);
        machine.memory.map(space.heap, super::address_space::HEAP_BYTES);
        // A table for wakers that are equal to this task's in nothing but what they do.
        let tables = self.wakers.functions.iter().zip((space.tables..).step_by(32));
        for (waker, table) in tables.take(usize::try_from(TABLE_BYTES / WAKER_TABLE_BYTES).unwrap_or(0)) {
            for (function, place) in waker.functions.iter().zip((table..).step_by(8)) {
                machine.memory.write_u64(place, *function)?;
            }
        }
        for place in self.wakers.of_task(task.header) {
            let stored = machine.memory.read_u64(place);
            // It may have been dropped since.
            let known = self.wakers.functions.iter().position(|waker| Ok(waker.table) == stored);
            if let Some(number) = known {
                machine.memory.write_u64(place, space.tables + number as u64 * WAKER_TABLE_BYTES)?;
            }
        }
        self.enter(task, thread)
    }

    /// Sets up the registers and the state word: the next instruction is the first of a poll.
    fn enter(&mut self, task: &FoundTask, thread: PollThread) -> Result<(), Fault> {
        let machine = &mut self.machine;
        machine.cpu = AnyCpu::new(self.rules.modules().architecture());
        machine.cpu.set_thread_pointer(thread.pointer);
        machine.cpu.set_stack_pointer(self.space.stack_top() - ABOVE_STACK);
        // The result depends on the word that is replaced.
        machine.memory.read_u64(task.header)?;
        machine.memory.write_u64(task.header, task.word.scheduled())?;
        machine.call(task.table.poll, &[task.header], self.space.end)
    }

    /// Polls once more, an instruction at a time, for places where the waker's function `clone` is inlined: where the poll knows at compile
    /// time which waker it has. There, the task gets a reference more.
    fn find_inlined_clones(&mut self, task: &FoundTask, thread: PollThread, poll: &mut EmulatedPoll) {
        let state = |machine: &mut Machine<'m>| {
            machine.memory.read_u64(task.header).ok().and_then(TaskWord::of_living)
        };
        if self.prepare(task, thread).is_err() {
            return;
        }
        let end = self.machine.executed() + self.limits.poll_instructions;
        let mut before = state(&mut self.machine);
        while self.machine.executed() < end {
            let at = self.registers();
            match self.machine.run(&mut self.code, &self.traps, 1) {
                Stop::OutOfBudget => {}
                Stop::Trap(trap) if trap == self.space.end => return,
                // Of another waker.
                Stop::Trap(trap) if self.clones.contains(&trap) || self.wakes.contains(&trap) => {
                    if self.machine.run(&mut self.code, &HashSet::new(), 1) != Stop::OutOfBudget {
                        return;
                    }
                }
                stop if self.answer(&stop).is_none() => {}
                _ => return,
            }
            let now = state(&mut self.machine);
            if let (Some(before), Some(now)) = (before, now)
                && before.activity() == Activity::Running
                && now.activity() == Activity::Running
                && now.references() > before.references()
            {
                self.record_at(at, poll, false);
            }
            before = now;
        }
    }

    fn run(&mut self, task: &FoundTask, poll: &mut EmulatedPoll) -> PollEnd {
        let end = self.machine.executed() + self.limits.poll_instructions;
        loop {
            let left = end.saturating_sub(self.machine.executed());
            match self.machine.run(&mut self.code, &self.traps, left) {
                Stop::Trap(at) if at == self.space.end => return self.result(task),
                Stop::Trap(at) if self.clones.contains(&at) || self.wakes.contains(&at) => {
                    if self.machine.cpu.argument(0) == Some(task.header) {
                        self.record(poll, !self.clones.contains(&at));
                    }
                    // The function runs, as it does in the process.
                    let stepped = self.machine.run(&mut self.code, &HashSet::new(), 1);
                    if stepped != Stop::OutOfBudget {
                        return self.incomplete(poll, &stepped);
                    }
                }
                stop => {
                    if let Some(refused) = self.answer(&stop) {
                        self.record_stop(poll);
                        return PollEnd::Incomplete(refused.unwrap_or_else(|| self.reason(&stop)));
                    }
                }
            }
        }
    }

    /// Answers what the poll asks of its allocator or of the kernel. `None` if it goes on; or else why not, if the stop itself does not say it.
    fn answer(&mut self, stop: &Stop) -> Option<Option<String>> {
        let answered = match *stop {
            Stop::Trap(at) => {
                let allocated = self.allocator.function(&mut self.machine, &mut self.kernel, at);
                let answered = allocated.or_else(|| self.kernel.function(&mut self.machine, at));
                match answered {
                    Some(answered) => answered,
                    None => return Some(None),
                }
            }
            Stop::SystemCall { .. } => match self.kernel.system_call(&mut self.machine) {
                Ok(Answer::Answered) => Ok(()),
                Ok(Answer::Locked) => return Some(Some("it takes a lock that another thread holds".into())),
                Ok(Answer::Exits) => return Some(Some("it ends the process".into())),
                Err(fault) => Err(fault),
            },
            _ => return Some(None),
        };
        answered.err().map(|fault| Some(fault.to_string()))
    }

    /// Whether the future was ready: the state word says so.
    fn result(&mut self, task: &FoundTask) -> PollEnd {
        let word = self.machine.memory.read_u64(task.header).ok().and_then(TaskWord::of_living);
        match word.map(TaskWord::activity) {
            Some(Activity::Idle | Activity::Notified) => PollEnd::Pending,
            _ => PollEnd::Ready,
        }
    }

    fn incomplete(&mut self, poll: &mut EmulatedPoll, stop: &Stop) -> PollEnd {
        self.record_stop(poll);
        PollEnd::Incomplete(self.reason(stop))
    }

    fn reason(&self, stop: &Stop) -> String {
        match stop {
            Stop::Unknown { at, mnemonic } => {
                format!("the emulator does not know the instruction {mnemonic} at {}", self.place(*at))
            }
            Stop::Unreadable { at, address } => {
                format!(
                    "the instruction at {} uses memory at {address:#x}, which cannot be read",
                    self.place(*at)
                )
            }
            Stop::OutOfBudget => {
                format!("the emulated poll did not end within {} instructions", self.limits.poll_instructions)
            }
            Stop::PageLimit { .. } => {
                format!("the emulated poll touched more than {} pages", self.limits.poll_pages)
            }
            Stop::Halted { at } => format!("the code aborts at {}", self.place(*at)),
            stop => stop.to_string(),
        }
    }

    /// An address as a module and an offset in it.
    fn place(&self, at: u64) -> String {
        let Some(module) = self.rules.modules().find(at) else { return format!("{at:#x}") };
        let module = module.module();
        let name = module.path().file_name().map_or(module.path(), Path::new);
        format!("{}+{:#x}", name.display(), at.wrapping_sub(module.bias()))
    }

    /// Where the poll is when it cannot go on. Shown only if the poll has shown nothing else.
    fn record_stop(&mut self, poll: &mut EmulatedPoll) {
        if poll.stacks.is_empty() {
            self.record(poll, false);
        }
    }

    fn record(&mut self, poll: &mut EmulatedPoll, is_yield: bool) {
        self.record_at(self.registers(), poll, is_yield);
    }

    fn registers(&self) -> WalkRegisters {
        let cpu = &self.machine.cpu;
        WalkRegisters { instruction: cpu.program_counter(), general: cpu.general() }
    }

    fn record_at(&mut self, registers: WalkRegisters, poll: &mut EmulatedPoll, is_yield: bool) {
        if poll.stacks.len() >= self.limits.stacks {
            poll.dropped += 1;
            return;
        }
        let memory = &mut self.machine.memory;
        let word = |address| memory.read_u64(address).ok();
        let walk = stack_walk::walk(self.rules, registers, Some(self.space.end), self.limits.frames, word);
        let mut addresses = walk.addresses.into_iter();
        // Readers of traces take every address for a return address, and look one byte in front of it.
        let first = addresses.next().map(|instruction| instruction.wrapping_add(1));
        let addresses = first.into_iter().chain(addresses);
        let flags = StackFlags::default().with_yield(is_yield).with_truncated(walk.end != WalkEnd::Whole);
        poll.stacks.push((addresses.filter_map(|address| usize::try_from(address).ok()).collect(), flags));
    }
}
