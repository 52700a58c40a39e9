//! The registers.

use super::groups;
use super::instruction::Instruction;
use super::nzcv::Nzcv;
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;
use crate::emulate::processor::{Decoded, Processor};

/// The number of the link register: the return address of a call.
pub(super) const LINK: u8 = 30;
/// The place of the stack pointer among the registers.
pub(super) const STACK: u8 = 31;
/// The place of the register that is always zero.
pub(super) const ZERO: u8 = 32;
/// The place of what is written to the register that is always zero.
pub(super) const SINK: u8 = 33;
/// Arguments that go into registers.
const ARGUMENTS: usize = 8;
/// Bytes of an instruction.
const BYTES: usize = 4;

/// The registers of an AArch64 processor.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// `x0` to `x30`, then [`STACK`], [`ZERO`] and [`SINK`]. Decoding knows which of them the number 31 means.
    registers: [u64; 34],
    /// The address of the next instruction.
    pub pc: u64,
    /// The condition flags.
    pub flags: Nzcv,
    /// The vector registers.
    pub v: [u128; 32],
    /// The predicates of SVE, a bit for each byte of a vector.
    pub p: [u16; 16],
    /// The thread pointer.
    pub tpidr_el0: u64,
    /// Control of floating-point arithmetic. It can be read and written, but rounding is always to nearest.
    pub fpcr: u64,
    /// Status of floating-point arithmetic. It can be read and written, but nothing is recorded in it.
    pub fpsr: u64,
    /// What the counter of the time shows.
    pub counter: u64,
    /// The address and the number of bytes of the last exclusive load, until an exclusive store.
    pub(super) exclusive: Option<(u64, usize)>,
}

impl Default for Cpu {
    /// All registers zero.
    fn default() -> Self {
        Self {
            registers: [0; 34],
            pc: 0,
            flags: Nzcv::default(),
            v: [0; 32],
            p: [0; 16],
            tpidr_el0: 0,
            fpcr: 0,
            fpsr: 0,
            counter: 0,
            exclusive: None,
        }
    }
}

impl Cpu {
    /// Returns a general-purpose register, `x0` to `x30`. Zero for other numbers.
    #[must_use]
    pub fn x(&self, number: usize) -> u64 {
        self.registers.get(number).copied().filter(|_| number <= usize::from(LINK)).unwrap_or(0)
    }

    /// Sets a general-purpose register, `x0` to `x30`. Does nothing for other numbers.
    pub fn set_x(&mut self, number: usize, to: u64) {
        if number <= usize::from(LINK) {
            self.registers[number] = to;
        }
    }

    /// Returns the stack pointer.
    #[must_use]
    pub const fn stack_pointer(&self) -> u64 {
        self.registers[STACK as usize]
    }

    /// Sets the stack pointer.
    pub const fn set_stack_pointer(&mut self, to: u64) {
        self.registers[STACK as usize] = to;
    }

    /// Returns argument `n` of a call, counted from 0, at the first instruction of the function. `None` beyond the eighth, which is
    /// on the stack.
    #[must_use]
    pub fn argument(&self, n: usize) -> Option<u64> {
        (n < ARGUMENTS).then(|| self.x(n))
    }

    /// A register by its place.
    #[inline]
    pub(super) fn get(&self, place: u8) -> u64 {
        self.registers[usize::from(place)]
    }

    /// A register by its place, as wide as the operation.
    #[inline]
    pub(super) fn get_as(&self, place: u8, wide: bool) -> u64 {
        let value = self.get(place);
        if wide { value } else { value & 0xffff_ffff }
    }

    /// Sets a register by its place.
    #[inline]
    pub(super) fn set(&mut self, place: u8, to: u64) {
        self.registers[usize::from(place)] = to;
    }

    /// Sets a register by its place, as wide as the operation. The rest of it is cleared.
    #[inline]
    pub(super) fn set_as(&mut self, place: u8, to: u64, wide: bool) {
        self.set(place, if wide { to } else { to & 0xffff_ffff });
    }
}

impl Processor for Cpu {
    type Instruction = Instruction;

    const LONGEST: usize = BYTES;

    #[inline]
    fn program_counter(&self) -> u64 {
        self.pc
    }

    #[inline]
    fn set_program_counter(&mut self, at: u64) {
        self.pc = at;
    }

    fn decode(at: u64, code: &[u8]) -> Option<Decoded<Instruction>> {
        let word = u32::from_le_bytes(*code.first_chunk::<BYTES>()?);
        let instruction = groups::decode(at, word);
        Some(Decoded { instruction, len: BYTES, ends_block: instruction.jumps })
    }

    #[inline]
    fn execute(&mut self, memory: &mut Overlay<'_>, instruction: &Instruction) -> Result<(), Fault> {
        // Handlers change it only if they jump.
        self.pc = instruction.at.wrapping_add(BYTES as u64);
        let done = (instruction.handler)(self, memory, instruction);
        if done.is_err() {
            self.pc = instruction.at;
        }
        done
    }

    fn mnemonic(instruction: &Instruction) -> String {
        instruction.mnemonic()
    }

    fn call(
        &mut self,
        _: &mut Overlay<'_>,
        function: u64,
        arguments: &[u64],
        return_to: u64,
    ) -> Result<(), Fault> {
        self.set_stack_pointer(self.stack_pointer() & !15);
        self.set(LINK, return_to);
        for (register, argument) in self.registers.iter_mut().zip(arguments.iter().take(ARGUMENTS)) {
            *register = *argument;
        }
        self.pc = function;
        Ok(())
    }

    fn return_at_once(&mut self, _: &mut Overlay<'_>, value: u64) -> Result<(), Fault> {
        self.pc = self.get(LINK);
        self.registers[0] = value;
        Ok(())
    }

    fn answer_system_call(&mut self, value: u64) {
        self.pc = self.pc.wrapping_add(BYTES as u64);
        self.registers[0] = value;
    }
}
