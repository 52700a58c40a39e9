//! The registers.

use super::decode;
use super::flags::Flags;
use super::form::Form;
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::processor::{Decoded, Processor};

/// The number of `rax` in [`Cpu::gpr`].
pub(super) const RAX: usize = 0;
/// The number of `rcx`.
pub(super) const RCX: usize = 1;
/// The number of `rdx`.
pub(super) const RDX: usize = 2;
/// The number of `rbx`.
pub(super) const RBX: usize = 3;
/// The number of `rsp`.
pub(super) const RSP: usize = 4;
/// The number of `rbp`.
pub(super) const RBP: usize = 5;
/// The number of `rsi`.
pub(super) const RSI: usize = 6;
/// The number of `rdi`.
pub(super) const RDI: usize = 7;

/// The registers that take arguments, in the calling convention of every system but Windows.
const ARGUMENTS: [usize; 6] = [RDI, RSI, RDX, RCX, 8, 9];

/// The registers of an x86-64 processor.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// The general-purpose registers in the order of their encoding: `rax`, `rcx`, `rdx`, `rbx`, `rsp`, `rbp`, `rsi`, `rdi`, `r8` to `r15`.
    pub gpr: [u64; 16],
    /// The address of the next instruction.
    pub rip: u64,
    /// The flags.
    pub flags: Flags,
    /// The vector registers `zmm0` to `zmm31`, lowest word first. The lower four words are `ymm0` to `ymm31`, the lower two of
    /// them `xmm0` to `xmm31`.
    pub zmm: [[u64; 8]; 32],
    /// The mask registers `k0` to `k7`.
    pub k: [u64; 8],
    /// What addresses with the prefix `fs:` are relative to: the thread pointer.
    pub fs_base: u64,
    /// What addresses with the prefix `gs:` are relative to.
    pub gs_base: u64,
    /// Control and status of vector arithmetic. It can be read and written, but rounding is always to nearest.
    pub mxcsr: u32,
}

impl Default for Cpu {
    /// All registers zero, `mxcsr` as at the start of a program.
    fn default() -> Self {
        Self {
            gpr: [0; 16],
            rip: 0,
            flags: Flags::default(),
            zmm: [[0; 8]; 32],
            k: [0; 8],
            fs_base: 0,
            gs_base: 0,
            mxcsr: 0x1f80,
        }
    }
}

impl Cpu {
    /// Returns the stack pointer.
    #[must_use]
    pub const fn stack_pointer(&self) -> u64 {
        self.gpr[RSP]
    }

    /// Sets the stack pointer.
    pub const fn set_stack_pointer(&mut self, to: u64) {
        self.gpr[RSP] = to;
    }

    /// Returns argument `n` of a call, counted from 0, at the first instruction of the function. `None` beyond the sixth, which is
    /// on the stack.
    #[must_use]
    pub fn argument(&self, n: usize) -> Option<u64> {
        ARGUMENTS.get(n).map(|register| self.gpr[*register])
    }

    /// The lower half of a vector register.
    #[inline]
    pub(super) fn ymm(&self, number: u8) -> [u64; 4] {
        let [a, b, c, d, ..] = self.zmm[usize::from(number & 31)];
        [a, b, c, d]
    }

    /// Writes to the stack below the stack pointer, then moves the stack pointer there.
    #[inline]
    pub(super) fn push(&mut self, memory: &mut Overlay<'_>, value: u64) -> Result<(), Fault> {
        let to = self.gpr[RSP].wrapping_sub(8);
        memory.write_u64(to, value)?;
        self.gpr[RSP] = to;
        Ok(())
    }
}

impl Processor for Cpu {
    type Instruction = Form;

    const LONGEST: usize = 15;

    #[inline]
    fn program_counter(&self) -> u64 {
        self.rip
    }

    #[inline]
    fn set_program_counter(&mut self, at: u64) {
        self.rip = at;
    }

    fn decode(at: u64, code: &[u8]) -> Option<Decoded<Form>> {
        decode::decode(at, code)
    }

    #[inline]
    fn execute(&mut self, memory: &mut Overlay<'_>, form: &Form) -> Result<(), Fault> {
        // Handlers change it only if they jump.
        self.rip = form.next;
        let done = (form.handler)(self, memory, form);
        if done.is_err() {
            self.rip = form.at;
        }
        done
    }

    fn mnemonic(form: &Form) -> String {
        format!("{:?}", form.mnemonic).to_ascii_lowercase()
    }

    fn call(
        &mut self,
        memory: &mut Overlay<'_>,
        function: u64,
        arguments: &[u64],
        return_to: u64,
    ) -> Result<(), Fault> {
        // A function expects a stack pointer that was a multiple of 16 before the call.
        self.gpr[RSP] &= !15;
        self.push(memory, return_to)?;
        for (register, argument) in ARGUMENTS.iter().zip(arguments) {
            self.gpr[*register] = *argument;
        }
        self.flags.set(Flags::DIRECTION, false);
        self.rip = function;
        Ok(())
    }

    fn return_at_once(&mut self, memory: &mut Overlay<'_>, value: u64) -> Result<(), Fault> {
        let stack = self.gpr[RSP];
        self.rip = memory.read_u64(stack)?;
        self.gpr[RSP] = stack.wrapping_add(8);
        self.gpr[RAX] = value;
        Ok(())
    }

    fn answer_system_call(&mut self, value: u64) {
        // `syscall` has two bytes, and leaves the address behind it and the flags in these registers.
        self.rip = self.rip.wrapping_add(2);
        self.gpr[RAX] = value;
        self.gpr[RCX] = self.rip;
        self.gpr[11] = self.flags.bits() | 0x202;
    }
}
