//! The registers of the architecture that a program is for, which is known only when it is looked at.

use super::fault::Fault;
use super::overlay::Overlay;
use super::processor::Processor;
use super::{aarch64, x86_64};
use crate::target::architecture::Architecture;

/// General registers in the numbering of DWARF, of any architecture: x86-64 has 16 of them, AArch64 all.
pub(crate) const REGISTERS: usize = 32;

/// The encoding of the DWARF registers 0 to 7 of x86-64: `rax`, `rdx`, `rcx`, `rbx`, `rsi`, `rdi`, `rbp`, `rsp`.
const ENCODING: [usize; 8] = [0, 2, 1, 3, 6, 7, 5, 4];

/// The registers of one of the architectures.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each process that is looked at")]
pub(crate) enum AnyCpu {
    X86_64(x86_64::Cpu),
    Aarch64(aarch64::Cpu),
}

/// Does the same for either.
macro_rules! either {
    ($of:expr, $cpu:ident => $result:expr) => {
        match $of {
            AnyCpu::X86_64($cpu) => $result,
            AnyCpu::Aarch64($cpu) => $result,
        }
    };
}

impl AnyCpu {
    /// Makes registers that are zero.
    pub(crate) fn new(architecture: Architecture) -> Self {
        match architecture {
            Architecture::X86_64 => Self::X86_64(x86_64::Cpu::default()),
            Architecture::Aarch64 => Self::Aarch64(aarch64::Cpu::default()),
        }
    }

    /// Returns the address of the next instruction.
    pub(crate) fn program_counter(&self) -> u64 {
        either!(self, cpu => cpu.program_counter())
    }

    /// Returns the stack pointer.
    pub(crate) fn stack_pointer(&self) -> u64 {
        either!(self, cpu => cpu.stack_pointer())
    }

    /// Sets the stack pointer.
    pub(crate) fn set_stack_pointer(&mut self, to: u64) {
        either!(self, cpu => cpu.set_stack_pointer(to));
    }

    /// Sets what thread-local values are relative to.
    pub(crate) fn set_thread_pointer(&mut self, to: u64) {
        match self {
            Self::X86_64(cpu) => cpu.fs_base = to,
            Self::Aarch64(cpu) => cpu.tpidr_el0 = to,
        }
    }

    /// Returns argument `n` of a call, or of a system call where `n` is less than 3.
    pub(crate) fn argument(&self, n: usize) -> Option<u64> {
        either!(self, cpu => cpu.argument(n))
    }

    /// Returns the architecture, and the number of the system call that is the next instruction.
    pub(crate) fn system_call(&self) -> (Architecture, u64) {
        match self {
            Self::X86_64(cpu) => (Architecture::X86_64, cpu.gpr[0]),
            Self::Aarch64(cpu) => (Architecture::Aarch64, cpu.x(8)),
        }
    }

    /// Returns the general registers in the numbering of DWARF.
    pub(crate) fn general(&self) -> [Option<u64>; REGISTERS] {
        /// The DWARF register of the stack pointer of AArch64.
        const STACK_POINTER: usize = 31;

        std::array::from_fn(|number| match self {
            Self::X86_64(cpu) => cpu.gpr.get(ENCODING.get(number).copied().unwrap_or(number)).copied(),
            Self::Aarch64(cpu) if number == STACK_POINTER => Some(cpu.stack_pointer()),
            Self::Aarch64(cpu) => Some(cpu.x(number)),
        })
    }

    /// Goes on at an instruction, as if a function had returned there with this result. `general` is in the numbering of DWARF, and
    /// `unknown` is for those that are not known. Returns whether it can: on x86-64.
    pub(crate) fn go_on(
        &mut self,
        instruction: u64,
        general: &[Option<u64>; REGISTERS],
        unknown: u64,
        returned: u64,
    ) -> bool {
        let Self::X86_64(cpu) = self else { return false };
        cpu.gpr = [unknown; 16];
        for (number, value) in general.iter().enumerate() {
            let encoding = ENCODING.get(number).copied().unwrap_or(number);
            if let (Some(value), Some(register)) = (value, cpu.gpr.get_mut(encoding)) {
                *register = *value;
            }
        }
        cpu.gpr[0] = returned;
        cpu.rip = instruction;
        true
    }

    pub(super) fn call(
        &mut self,
        memory: &mut Overlay<'_>,
        function: u64,
        arguments: &[u64],
        return_to: u64,
    ) -> Result<(), Fault> {
        either!(self, cpu => cpu.call(memory, function, arguments, return_to))
    }

    pub(super) fn return_at_once(&mut self, memory: &mut Overlay<'_>, value: u64) -> Result<(), Fault> {
        either!(self, cpu => cpu.return_at_once(memory, value))
    }

    pub(super) fn answer_system_call(&mut self, value: u64) {
        either!(self, cpu => cpu.answer_system_call(value));
    }
}
