//! Instructions on general-purpose registers, and jumps, a file for each group of the encoding.

mod bit_mask;
mod conditional;
pub(super) mod control;
pub(super) mod immediates;
mod one_source;
pub(super) mod register_forms;
mod second_operand;
mod sums;
mod system_registers;
mod two_sources;

pub(super) use second_operand::extended;
