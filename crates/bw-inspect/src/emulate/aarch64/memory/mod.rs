//! Loads and stores, a file for each kind.

mod addressing;
mod atomics;
mod exclusives;
mod pairs;
mod singles;
mod structures;

use super::instruction::{Instruction, Word};

/// Decodes an instruction of this group.
pub(super) fn decode(at: u64, word: Word) -> Option<Instruction> {
    match word.bits(27, 3) {
        0b001 if word.bit(26) => structures::decode(word),
        0b001 => exclusives::decode(word),
        0b011 if word.bit(24) => singles::unscaled_ordered(word),
        0b011 => singles::literal(at, word),
        0b101 => pairs::decode(word),
        0b111 if word.bit(24) => singles::unsigned_offset(word),
        0b111 if !word.bit(21) => singles::signed_offset(word),
        0b111 if word.bits(10, 2) == 0 && !word.bit(26) => atomics::decode(word),
        0b111 if word.bits(10, 2) == 2 => singles::register_offset(word),
        _ => None,
    }
}
