//! The main groups of the encoding.

use super::instruction::{Handler, Instruction, Word};
use super::{integer, memory, scalable, simd};
use crate::emulate::fault::Fault;

/// Decodes the instruction at an address. One that is not known fails when it is executed.
pub(super) fn decode(at: u64, bits: u32) -> Instruction {
    let word = Word(bits);
    let known = match word.bits(25, 4) {
        0b0000 if bits >> 16 == 0 => Some(Instruction::new(word, "udf", HALTS)),
        0b0010 => scalable::decode(word),
        0b1000 | 0b1001 => integer::immediates::decode(at, word),
        0b1010 | 0b1011 => integer::control::decode(at, word),
        0b0101 | 0b1101 => integer::register_forms::decode(word),
        0b0100 | 0b0110 | 0b1100 | 0b1110 => memory::decode(at, word),
        0b0111 | 0b1111 => simd::decode(word),
        _ => None,
    };
    let unknown = || Instruction::new(word, "", |_, _, _| Err(Fault::Unknown));
    Instruction { at, ..known.unwrap_or_else(unknown) }
}

/// What executes an instruction that ends the program.
pub(super) const HALTS: Handler = |_, _, _| Err(Fault::Halted);
