//! What an architecture has to provide.

use core::fmt;

use super::fault::Fault;
use super::overlay::Overlay;

/// The registers of an architecture, and how it decodes and executes.
///
/// There are [`x86_64::Cpu`](super::x86_64::Cpu) and [`aarch64::Cpu`](super::aarch64::Cpu).
pub trait Processor: fmt::Debug + Sized {
    /// A decoded instruction.
    type Instruction: fmt::Debug;

    /// The length of the longest instruction.
    const LONGEST: usize;

    /// Returns the address of the next instruction.
    fn program_counter(&self) -> u64;

    /// Sets the address of the next instruction.
    fn set_program_counter(&mut self, at: u64);

    /// Decodes the instruction at `at`, which `code` begins with. `None` if `code` ends within the instruction.
    fn decode(at: u64, code: &[u8]) -> Option<Decoded<Self::Instruction>>;

    /// Executes one instruction, and moves the program counter behind it or to where it jumps.
    ///
    /// # Errors
    ///
    /// A [`Fault`] if the instruction was not executed. The registers are then as before, and the program counter is at the
    /// instruction.
    fn execute(&mut self, memory: &mut Overlay<'_>, instruction: &Self::Instruction) -> Result<(), Fault>;

    /// Returns the mnemonic of an instruction, for people.
    fn mnemonic(instruction: &Self::Instruction) -> String;

    /// Prepares a call: arguments into registers, `return_to` where a call leaves it, the program counter to the function.
    ///
    /// # Errors
    ///
    /// A [`Fault`] if the stack cannot be written.
    ///
    /// # Panics
    ///
    /// Never. Arguments beyond those that go into registers are ignored.
    fn call(
        &mut self,
        memory: &mut Overlay<'_>,
        function: u64,
        arguments: &[u64],
        return_to: u64,
    ) -> Result<(), Fault>;

    /// Returns from the function whose first instruction is next, with `value`, as if it had run.
    ///
    /// # Errors
    ///
    /// A [`Fault`] if the return address cannot be read.
    fn return_at_once(&mut self, memory: &mut Overlay<'_>, value: u64) -> Result<(), Fault>;

    /// Goes on behind the system call that is the next instruction, with `value` as its result.
    fn answer_system_call(&mut self, value: u64);
}

/// What [`Processor::decode`] found.
#[derive(Clone, Copy, Debug)]
pub struct Decoded<I> {
    /// The instruction.
    pub instruction: I,
    /// How many bytes it has.
    pub len: usize,
    /// The next instruction may be elsewhere than behind it.
    pub ends_block: bool,
}
