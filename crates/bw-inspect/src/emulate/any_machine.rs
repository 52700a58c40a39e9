//! A machine of the architecture that a program is for. Which one it is, is asked once for each run, not for each instruction.

use std::collections::HashSet;

use super::any_cpu::AnyCpu;
use super::code_cache::CodeCache;
use super::fault::Fault;
use super::machine::run;
use super::overlay::Overlay;
use super::stop::Stop;
use super::{aarch64, x86_64};

/// As [`Machine`](super::Machine), of one of the architectures.
#[derive(Debug)]
pub(crate) struct AnyMachine<'m> {
    /// The registers.
    pub(crate) cpu: AnyCpu,
    /// The memory.
    pub(crate) memory: Overlay<'m>,
    executed: u64,
}

/// Decoded code of each architecture, of which one is used.
#[derive(Debug, Default)]
pub(crate) struct AnyCode {
    x86_64: CodeCache<x86_64::Cpu>,
    aarch64: CodeCache<aarch64::Cpu>,
}

impl<'m> AnyMachine<'m> {
    /// Makes a machine with these registers.
    pub(crate) fn new(cpu: AnyCpu, memory: Overlay<'m>) -> Self {
        Self { cpu, memory, executed: 0 }
    }

    /// As [`Machine::run`](super::Machine::run).
    pub(crate) fn run(&mut self, code: &mut AnyCode, traps: &HashSet<u64>, budget: u64) -> Stop {
        let (stop, executed) = match &mut self.cpu {
            AnyCpu::X86_64(cpu) => run(cpu, &mut self.memory, &mut code.x86_64, traps, budget),
            AnyCpu::Aarch64(cpu) => run(cpu, &mut self.memory, &mut code.aarch64, traps, budget),
        };
        self.executed = self.executed.saturating_add(executed);
        stop
    }

    /// Returns how many instructions all runs of this machine have executed.
    pub(crate) fn executed(&self) -> u64 {
        self.executed
    }

    /// As [`Machine::call`](super::Machine::call).
    pub(crate) fn call(&mut self, function: u64, arguments: &[u64], return_to: u64) -> Result<(), Fault> {
        self.cpu.call(&mut self.memory, function, arguments, return_to)
    }

    /// As [`Machine::return_at_once`](super::Machine::return_at_once).
    pub(crate) fn return_at_once(&mut self, value: u64) -> Result<(), Fault> {
        self.cpu.return_at_once(&mut self.memory, value)
    }

    /// As [`Machine::answer_system_call`](super::Machine::answer_system_call).
    pub(crate) fn answer_system_call(&mut self, value: u64) {
        self.cpu.answer_system_call(value);
    }
}
