//! A processor and its memory.

use std::collections::HashSet;

use super::code_cache::CodeCache;
use super::fault::Fault;
use super::overlay::Overlay;
use super::processor::Processor;
use super::stop::Stop;
use super::x86_64;

/// A processor and its memory: what a run begins with, and what it leaves.
#[derive(Debug)]
pub struct Machine<'m, P: Processor = x86_64::Cpu> {
    /// The registers.
    pub cpu: P,
    /// The memory.
    pub memory: Overlay<'m>,
    executed: u64,
}

impl<'m> Machine<'m> {
    /// Makes an x86-64 machine whose registers are zero.
    #[must_use]
    pub fn new(memory: Overlay<'m>) -> Self {
        Self::with_cpu(x86_64::Cpu::default(), memory)
    }
}

impl<'m, P: Processor> Machine<'m, P> {
    /// Makes a machine with these registers.
    #[must_use]
    pub fn with_cpu(cpu: P, memory: Overlay<'m>) -> Self {
        Self { cpu, memory, executed: 0 }
    }

    /// Executes instructions until one of `traps` is reached, an instruction cannot be executed, or `budget` is used up.
    ///
    /// A trap stops the run before its instruction, also if it is the first: after a trap, [`return_at_once`](Self::return_at_once) or
    /// set the program counter before the next run. A repeated string instruction, such as `rep movsb`, counts as one instruction for
    /// each 64 repetitions.
    ///
    /// Costs about 20 ns for an instruction in an optimized build, and a sort of `traps`.
    pub fn run(&mut self, code: &mut CodeCache<P>, traps: &HashSet<u64>, budget: u64) -> Stop {
        let (stop, executed) = run(&mut self.cpu, &mut self.memory, code, traps, budget);
        self.executed = self.executed.saturating_add(executed);
        stop
    }

    /// Returns how many instructions all runs of this machine have executed.
    #[must_use]
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// Prepares a call of `function`: arguments into registers, `return_to` onto the stack. The stack pointer must be set.
    ///
    /// # Errors
    ///
    /// A [`Fault`] if the stack cannot be written.
    pub fn call(&mut self, function: u64, arguments: &[u64], return_to: u64) -> Result<(), Fault> {
        self.cpu.call(&mut self.memory, function, arguments, return_to)
    }

    /// Answers a call by hand. At the first instruction of a function: returns from the function with `value`, as if it had run.
    ///
    /// # Errors
    ///
    /// A [`Fault`] if the return address cannot be read.
    pub fn return_at_once(&mut self, value: u64) -> Result<(), Fault> {
        self.cpu.return_at_once(&mut self.memory, value)
    }

    /// Answers a system call by hand, after [`Stop::SystemCall`]: goes on behind it with `value` as its result.
    pub fn answer_system_call(&mut self, value: u64) {
        self.cpu.answer_system_call(value);
    }
}

/// Executes instructions as [`Machine::run`] does. Returns how many it executed, too.
pub(super) fn run<P: Processor>(
    cpu: &mut P,
    memory: &mut Overlay<'_>,
    code: &mut CodeCache<P>,
    traps: &HashSet<u64>,
    budget: u64,
) -> (Stop, u64) {
    let mut traps: Vec<u64> = traps.iter().copied().collect();
    traps.sort_unstable();
    let mut left = budget;
    let stop = loop {
        let at = cpu.program_counter();
        // Before decoding: a trap may be at an address without memory.
        let later = &traps[traps.partition_point(|trap| *trap < at)..];
        if later.first() == Some(&at) {
            break Stop::Trap(at);
        }
        if left == 0 {
            break Stop::OutOfBudget;
        }
        let steps = match code.enter(at, memory) {
            Ok(steps) => steps,
            Err(fault) => break stop_of::<P>(fault, at, None),
        };
        let mut count = steps.instructions.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if let Some(trap) = later.first()
            && *trap < steps.end
        {
            count = count.min(steps.addresses.partition_point(|address| address < trap));
        }
        let mut done = 0;
        let mut fault = None;
        for instruction in &steps.instructions[..count] {
            if let Err(failed) = cpu.execute(memory, instruction) {
                fault = Some(stop_of::<P>(failed, cpu.program_counter(), Some(instruction)));
                break;
            }
            done += 1;
        }
        left -= done;
        if let Some(stop) = fault {
            break stop;
        }
    };
    (stop, budget - left)
}

/// What a fault at an address means for the run.
#[cold]
fn stop_of<P: Processor>(fault: Fault, at: u64, instruction: Option<&P::Instruction>) -> Stop {
    match fault {
        Fault::Unreadable(address) => Stop::Unreadable { at, address },
        Fault::PageLimit => Stop::PageLimit { at },
        Fault::Unknown => Stop::Unknown { at, mnemonic: instruction.map(P::mnemonic).unwrap_or_default() },
        Fault::SystemCall => Stop::SystemCall { at },
        Fault::Halted => Stop::Halted { at },
        Fault::DivideError => Stop::DivideError { at },
    }
}
