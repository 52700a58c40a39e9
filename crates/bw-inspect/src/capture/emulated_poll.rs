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
use super::child_polls::Children;
use super::kernel::{Answer, Kernel};
use super::limits::Limits;
use super::progress::Blocks;
use super::stack_walk::{self, WalkEnd, WalkRegisters};
use super::unwind_rules::UnwindRules;
use crate::emulate::{AnyCode as CodeCache, AnyCpu, AnyMachine as Machine, Fault, Overlay, Stop};
use crate::executor::found_task::FoundTask;
use crate::executor::possible_wakers::WakerFunctions;
use crate::executor::runtime_threads::{PollThread, RuntimeThreads};
use crate::executor::task_state::Activity;
use crate::executor::waker_index::WakerIndex;
use crate::executor::wrapped_tasks::WrappedTasks;
use crate::target::mappings::Mapping;
use crate::target::memory::Memory;
use crate::target::words::word_at;
use crate::target::{Clocks, PAGE};

/// Bytes of a table of a waker's functions.
const WAKER_TABLE_BYTES: u64 = 32;
/// Bytes at the top of the stack that stay free: a function may look above its frame.
const ABOVE_STACK: u64 = 4096;
/// Bytes on both sides of a thread pointer in which the runtime's own thread-local values lie.
const THREAD_LOCAL_BYTES: u64 = 4096;
/// The words that every panic message of the standard library contains.
const PANIC: &str = " panicked at ";

/// The result of one emulated poll.
#[derive(Clone, Debug, Default)]
pub(crate) struct EmulatedPoll {
    /// Return addresses from the leaf to the root, for each clone of the task's waker. The first is one byte into the waker's function.
    pub(crate) stacks: Vec<(Vec<usize>, StackFlags)>,
    /// Stacks that did not fit.
    pub(crate) dropped: usize,
    pub(crate) end: PollEnd,
    /// Words of the task that a poll changed once, with their values after it: of one that [moved](PollEnd::Moved).
    pub(crate) moved: Vec<(u64, u64)>,
    /// The memory of the process that the result depends on: addresses and lengths.
    pub(crate) used: Vec<(u64, u64)>,
    pub(crate) instructions: u64,
}

/// How an emulated poll ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum PollEnd {
    /// The future is pending.
    #[default]
    Pending,
    /// The future is ready: what it waited for has happened, and the task was not woken yet.
    Ready,
    /// The future is pending, but the poll has changed its state: what it waited for may have happened, and the task was not woken.
    Moved,
    /// It panicked, and said this.
    Panicked(String),
    /// It did not end, for this reason.
    Incomplete(String),
}

/// Emulates polls of the tasks of one process, one after the other.
pub(crate) struct PollEmulator<'m> {
    pub(super) rules: &'m UnwindRules<'m>,
    pub(super) wakers: &'m WakerIndex,
    pub(super) limits: Limits,
    pub(super) space: FreeSpace,
    pub(super) kernel: Kernel,
    allocator: Allocator,
    pub(super) memory: &'m dyn Memory,
    blocks: Blocks<'m>,
    pub(super) machine: Machine<'m>,
    pub(super) code: CodeCache,
    traps: HashSet<u64>,
    /// Where a wake that is emulated stops: at the functions that wake tasks, and where the kernel has to answer.
    pub(super) wake_traps: HashSet<u64>,
    clones: HashSet<u64>,
    wakes: HashSet<u64>,
    /// Where wakers of the task are stored that nobody had found before.
    late_wakers: Vec<u64>,
    /// The data of the waker whose clones are recorded, if it is not the task's.
    watched: Option<u64>,
    /// The value that stands in registers whose own values are not known.
    pub(super) unknown: Option<u64>,
    pub(crate) children: Children,
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
        let answered: Vec<u64> = kernel.traps().chain(allocator.traps()).collect();
        let traps = clones.iter().chain(&wakes).chain(&answered).copied().chain([space.end]).collect();
        let waking = wakers.functions.iter().flat_map(|waker| [waker.functions[1], waker.functions[2]]);
        let wake_traps = waking.chain(answered).chain([space.end]).collect();
        let cpu = AnyCpu::new(rules.modules().architecture());
        let machine = Machine::new(cpu, Overlay::new(memory, limits.poll_pages));
        let code = CodeCache::default();
        let allocated = space.heap..space.heap + super::address_space::HEAP_BYTES;
        let blocks = Blocks::new(memory, rules.modules(), wrapped, mappings, allocated);
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
            wake_traps,
            clones,
            wakes,
            late_wakers: Vec::new(),
            watched: None,
            unknown: None,
            children: Children::default(),
        }
    }

    /// Polls a task that is idle, on a thread whose thread-local values the poll sees.
    pub(crate) fn poll(&mut self, task: &FoundTask, threads: &RuntimeThreads) -> EmulatedPoll {
        let before = self.machine.executed();
        let mut poll = EmulatedPoll::default();
        let thread = threads.of_task(self.memory, task);
        self.late_wakers.clear();
        poll.end = self.poll_once(task, thread, &mut poll);
        if poll.end == PollEnd::Pending && poll.stacks.is_empty() {
            self.late_wakers = self.find_late_wakers(task, &self.machine.memory.used());
            if !self.late_wakers.is_empty() {
                poll.end = self.poll_once(task, thread, &mut poll);
            }
        }
        if poll.end != PollEnd::Pending
            && let Some(said) = self.kernel.said().filter(|said| said.contains(PANIC))
        {
            // The stacks that were recorded lead into the panic, not to the place where the task waits.
            poll.stacks.clear();
            poll.dropped = 0;
            poll.end = PollEnd::Panicked(said);
        } else if poll.end == PollEnd::Pending {
            poll.moved = self.moved(task, thread);
            if !poll.moved.is_empty() {
                poll.end = PollEnd::Moved;
            }
        }
        poll.used = self.machine.memory.used();
        // Not what the thread polls meanwhile, and how long it may: the task does not depend on it.
        let of_thread = thread.pointer.saturating_sub(THREAD_LOCAL_BYTES)
            ..thread.pointer.saturating_add(THREAD_LOCAL_BYTES);
        poll.used.retain(|(at, _)| !of_thread.contains(at));
        if poll.end == PollEnd::Pending && poll.stacks.is_empty() {
            self.find_inlined_clones(task, thread, &mut poll);
        }
        self.poll_children(task, thread, &mut poll);
        poll.instructions = self.machine.executed() - before;
        poll
    }

    fn poll_once(&mut self, task: &FoundTask, thread: PollThread, poll: &mut EmulatedPoll) -> PollEnd {
        match self.prepare(task, thread) {
            Ok(()) => self.run(task, poll),
            Err(fault) => PollEnd::Incomplete(fault.to_string()),
        }
    }

    /// Finds wakers of a task that were stored after the search for wakers, in memory that a poll has used: the poll compared them with its
    /// own, and so it read them.
    pub(crate) fn find_late_wakers(&self, task: &FoundTask, used: &[(u64, u64)]) -> Vec<u64> {
        let words = used.iter().flat_map(|&(at, length)| (at..at.saturating_add(length)).step_by(8));
        let known: HashSet<u64> = self.wakers.of_task(task.header).collect();
        let is_header = |at: &u64| word_at(self.memory, *at).is_ok_and(|word| word == task.header);
        let wrapper = self.blocks.wrapper(task);
        let beside = |at: u64| match self.wakers.table_is_first {
            Some(true) => [at.wrapping_sub(8); 2],
            Some(false) => [at.wrapping_add(8); 2],
            None => [at.wrapping_sub(8), at.wrapping_add(8)],
        };
        let is_table = |place: &u64| {
            word_at(self.memory, *place)
                .is_ok_and(|table| self.wakers.functions.iter().any(|waker| waker.table == table))
        };
        let places = words.filter(is_header).flat_map(beside);
        places.filter(|place| !wrapper.contains(place) && !known.contains(place) && is_table(place)).collect()
    }

    /// Returns the words of its task that the poll has changed that has just returned. It is repeated if there are any: words that change
    /// each time say nothing.
    fn moved(&mut self, task: &FoundTask, thread: PollThread) -> Vec<(u64, u64)> {
        let mut changed = self.blocks.changed(&mut self.machine.memory, task, self.wakers);
        if changed.is_empty() {
            return changed;
        }
        let clocks = self.kernel.clone();
        self.kernel.pass_time();
        let mut again = EmulatedPoll::default();
        // A leaf that counts how often it waits does so again only if it waits anew.
        let entered = self.change_wakers(task).and_then(|()| self.enter(task, thread));
        let end = entered.map(|()| self.run(task, &mut again));
        self.kernel = clocks;
        if end != Ok(PollEnd::Ready) {
            let memory = &mut self.machine.memory;
            changed.retain(|&(at, value)| memory.read_u64(at).is_ok_and(|now| now == value));
        }
        changed
    }

    /// Begins a copy in which nothing was changed yet, on a thread.
    pub(super) fn start_anew(&mut self, thread: PollThread) {
        let space = self.space;
        self.kernel.restart();
        let machine = &mut self.machine;
        machine.memory.reset();
        machine.memory.map(space.stack, STACK_BYTES);
        machine.memory.map(space.tables, TABLE_BYTES);
        machine.memory.map(space.heap, super::address_space::HEAP_BYTES);
        self.on_thread(thread);
    }

    /// Begins with registers that say nothing, on a thread.
    pub(super) fn on_thread(&mut self, thread: PollThread) {
        self.kernel.on_thread(thread.id);
        self.machine.cpu = AnyCpu::new(self.rules.modules().architecture());
        self.machine.cpu.set_thread_pointer(thread.pointer);
    }

    /// Sets the stack pointer to where the stack begins.
    pub(super) fn place_stack(&mut self) {
        self.machine.cpu.set_stack_pointer(self.space.stack_top() - ABOVE_STACK);
    }

    /// Changes stored wakers, so that none of them is equal to the one that a leaf gets. `places` are those of the tables' addresses.
    pub(super) fn replace_wakers(
        &mut self,
        places: impl Iterator<Item = u64>,
        waker: WakerFunctions,
    ) -> Result<(), Fault> {
        let table = self.space.tables + TABLE_BYTES - WAKER_TABLE_BYTES;
        for (function, place) in waker.functions.iter().zip((table..).step_by(8)) {
            self.machine.memory.write_u64(place, *function)?;
        }
        for place in places {
            // It may have been dropped since.
            if self.machine.memory.read_u64(place) == Ok(waker.table) {
                self.machine.memory.write_u64(place, table)?;
            }
        }
        Ok(())
    }

    /// Does something while clones of another waker than the task's are recorded, and its wakes as those of a future that yields.
    pub(super) fn watching<T>(
        &mut self,
        data: u64,
        clone: u64,
        wake: u64,
        run: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let kept = (self.traps.clone(), self.clones.clone(), self.wakes.clone());
        self.watched = Some(data);
        self.traps.extend([clone, wake]);
        self.clones.insert(clone);
        self.wakes.insert(wake);
        let result = run(self);
        self.watched = None;
        (self.traps, self.clones, self.wakes) = kept;
        result
    }

    /// Polls once more, an instruction at a time, for places where the waker's function `clone` is inlined: where the poll knows at compile
    /// time which waker it has. There, the task gets a reference more.
    fn find_inlined_clones(&mut self, task: &FoundTask, thread: PollThread, poll: &mut EmulatedPoll) {
        let state = |machine: &mut Machine<'m>| {
            machine.memory.read_u64(task.state).ok().and_then(|word| task.word.with(word))
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
                Stop::Trap(trap) if self.answers_function(trap).is_some_and(|answered| answered.is_ok()) => {}
                Stop::SystemCall { .. } if self.answers_system_call() => {}
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

    /// Answers a function of the allocator or of the kernel. `None` if it is none.
    pub(super) fn answers_function(&mut self, at: u64) -> Option<Result<(), Fault>> {
        let allocated = self.allocator.function(&mut self.machine, &mut self.kernel, at);
        allocated.or_else(|| self.kernel.function(&mut self.machine, at))
    }

    /// Goes on to the next thing that a caller has to decide, and records clones and wakes of a waker on the way.
    pub(super) fn step(&mut self, budget: u64, data: u64, poll: &mut EmulatedPoll) -> Result<Stop, Fault> {
        let end = self.machine.executed() + budget;
        loop {
            let left = end.saturating_sub(self.machine.executed());
            match self.machine.run(&mut self.code, &self.traps, left) {
                Stop::Trap(at) if self.clones.contains(&at) || self.wakes.contains(&at) => {
                    if self.machine.cpu.argument(0) == Some(data) {
                        self.record(poll, !self.clones.contains(&at));
                    }
                    // The function runs, as it does in the process.
                    let stepped = self.machine.run(&mut self.code, &HashSet::new(), 1);
                    if stepped != Stop::OutOfBudget {
                        return Ok(stepped);
                    }
                }
                Stop::Trap(at) if at != self.space.end => {
                    self.answers_function(at).unwrap_or(Err(Fault::Unknown))?;
                }
                stop => return Ok(stop),
            }
        }
    }

    /// Answers a system call. `false` if that ends the run.
    pub(super) fn answers_system_call(&mut self) -> bool {
        self.kernel.system_call(&mut self.machine) == Ok(Answer::Answered)
    }

    /// Sets up the registers and the copy.
    pub(super) fn prepare(&mut self, task: &FoundTask, thread: PollThread) -> Result<(), Fault> {
        self.start_anew(thread);
        self.change_wakers(task)?;
        self.enter(task, thread)
    }

    /// Changes the stored wakers of a task, so that each leaf clones it again.
    fn change_wakers(&mut self, task: &FoundTask) -> Result<(), Fault> {
        // The wrapper compares the waker with its own, and takes another way if they differ. No leaf is behind that.
        let wrapper = self.blocks.wrapper(task);
        let space = self.space;
        let last_table = space.tables + TABLE_BYTES - WAKER_TABLE_BYTES;
        let machine = &mut self.machine;
        // The table of changed wakers, which are equal to this task's in nothing but what they do.
        let mut known: Option<(WakerFunctions, u64)> = None;
        let places = self.wakers.of_task(task.header).chain(self.late_wakers.iter().copied());
        for place in places.filter(|place| !wrapper.contains(place)) {
            // It may have been dropped since.
            let Ok(stored) = machine.memory.read_u64(place) else { continue };
            if known.is_none_or(|(waker, _)| waker.table != stored) {
                let mut tables = self.wakers.functions.iter().zip((space.tables..last_table).step_by(32));
                known = tables.find(|(waker, _)| waker.table == stored).map(|(waker, table)| (*waker, table));
            }
            let Some((waker, table)) = known else { continue };
            for (function, place) in waker.functions.iter().zip((table..).step_by(8)) {
                machine.memory.write_u64(place, *function)?;
            }
            machine.memory.write_u64(place, table)?;
        }
        Ok(())
    }

    /// Sets up the registers and the state word: the next instruction is the first of a poll.
    pub(super) fn enter(&mut self, task: &FoundTask, thread: PollThread) -> Result<(), Fault> {
        self.on_thread(thread);
        let machine = &mut self.machine;
        machine.cpu.set_stack_pointer(self.space.stack_top() - ABOVE_STACK);
        // The result depends on the word that is replaced.
        machine.memory.read_u64(task.state)?;
        machine.memory.write_u64(task.state, task.word.scheduled())?;
        machine.call(task.table.poll, &[task.header], self.space.end)
    }

    pub(super) fn run(&mut self, task: &FoundTask, poll: &mut EmulatedPoll) -> PollEnd {
        let end = self.machine.executed() + self.limits.poll_instructions;
        let data = self.watched.unwrap_or(task.header);
        loop {
            let left = end.saturating_sub(self.machine.executed());
            match self.step(left, data, poll) {
                Ok(Stop::Trap(_)) => return self.result(task),
                Ok(Stop::SystemCall { .. }) => match self.kernel.system_call(&mut self.machine) {
                    Ok(Answer::Answered) => {}
                    Ok(Answer::Locked) => {
                        self.record_stop(poll);
                        return PollEnd::Incomplete("it takes a lock that another thread holds".into());
                    }
                    Ok(Answer::Exits) => return PollEnd::Incomplete("it ends the process".into()),
                    Err(fault) => return PollEnd::Incomplete(fault.to_string()),
                },
                Ok(stop) => return self.incomplete(poll, &stop),
                Err(fault) => return PollEnd::Incomplete(fault.to_string()),
            }
        }
    }

    /// Whether the future was ready: the state word says so.
    fn result(&mut self, task: &FoundTask) -> PollEnd {
        let word = self.machine.memory.read_u64(task.state).ok();
        match word.and_then(|word| task.word.activity_of(word)) {
            Some(Activity::Idle | Activity::Notified) => PollEnd::Pending,
            _ => PollEnd::Ready,
        }
    }

    fn incomplete(&mut self, poll: &mut EmulatedPoll, stop: &Stop) -> PollEnd {
        self.record_stop(poll);
        PollEnd::Incomplete(self.reason(stop))
    }

    pub(super) fn reason(&self, stop: &Stop) -> String {
        match stop {
            Stop::Unknown { at, mnemonic } => {
                format!("the emulator does not know the instruction {mnemonic} at {}", self.place(*at))
            }
            // The instruction itself. One sentence for all instructions of the module.
            Stop::Unreadable { at, address } if address / PAGE == at / PAGE => {
                let module = self.module_at(*at);
                format!("the code of {} cannot be read", module.as_deref().unwrap_or("the program"))
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
        let module = self.rules.modules().find(at);
        match (module, self.module_at(at)) {
            (Some(module), Some(name)) => format!("{name}+{:#x}", at.wrapping_sub(module.module().bias())),
            _ => format!("{at:#x}"),
        }
    }

    /// The name of the module at an address.
    fn module_at(&self, at: u64) -> Option<String> {
        let path = self.rules.modules().find(at)?.module().path();
        Some(path.file_name().map_or(path, Path::new).display().to_string())
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
        let unknown = self.unknown;
        let cpu = &self.machine.cpu;
        let general = cpu.general().map(|value| value.filter(|it| Some(*it) != unknown));
        WalkRegisters { instruction: cpu.program_counter(), general }
    }

    fn record_at(&mut self, registers: WalkRegisters, poll: &mut EmulatedPoll, is_yield: bool) {
        if poll.stacks.len() >= self.limits.stacks {
            poll.dropped += 1;
            return;
        }
        // A function may have saved a register that is not known.
        let unknown = self.unknown;
        let memory = &mut self.machine.memory;
        let word = |address| memory.read_u64(address).ok().filter(|value| Some(*value) != unknown);
        let walk = stack_walk::walk(self.rules, registers, Some(self.space.end), self.limits.frames, word);
        let mut addresses = walk.addresses.into_iter();
        // Readers of traces take every address for a return address, and look one byte in front of it.
        let first = addresses.next().map(|instruction| instruction.wrapping_add(1));
        let addresses = first.into_iter().chain(addresses);
        let flags = StackFlags::default().with_yield(is_yield).with_truncated(walk.end != WalkEnd::Whole);
        poll.stacks.push((addresses.filter_map(|address| usize::try_from(address).ok()).collect(), flags));
    }
}
