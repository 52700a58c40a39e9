//! Floating-point and vector instructions, a file for each group of the encoding.
//!
//! A register is a number of 128 bits. An operation is a function of elements, and of how many bits they have; an instruction applies
//! it to all elements of its registers, or to one where the instruction is scalar. So each operation exists once for all widths.

mod across;
mod by_element;
mod copies;
mod elements;
mod float_conversion;
mod float_operations;
mod integer_operations;
mod modified_immediate;
mod permutations;
mod rounding;
mod same_width;
mod scalar_float;
mod shift_immediate;
mod two_registers;
mod widening;

pub(super) use elements::{element, with_element};

use super::instruction::{Instruction, Word};

/// Decodes an instruction of this group.
pub(super) fn decode(word: Word) -> Option<Instruction> {
    let is_scalar = word.bit(30);
    match (word.bit(31), word.bit(28), word.bit(24)) {
        (_, true, _) if !is_scalar => scalar_float::decode(word),
        (false, _, false) => elementwise(word, word.bit(28)),
        (false, _, true) => with_constant(word, word.bit(28)),
        _ => None,
    }
}

/// Instructions whose operands are registers.
fn elementwise(word: Word, is_scalar: bool) -> Option<Instruction> {
    let (bit21, bit15, bits10) = (word.bit(21), word.bit(15), word.bits(10, 2));
    match (bit21, bits10) {
        (true, 0b01 | 0b11) => same_width::decode(word, is_scalar),
        (true, 0b00) if !is_scalar => widening::decode(word),
        (true, 0b10) => match word.bits(17, 4) {
            0b0000 => two_registers::decode(word, is_scalar),
            0b1000 if is_scalar => across::pair(word),
            0b1000 => across::decode(word),
            _ => None,
        },
        (false, 0b01 | 0b11) if !bit15 && word.bits(22, 2) == 0 => copies::decode(word, is_scalar),
        (false, 0b01) if bit15 && !is_scalar => same_width::dot_product(word),
        (false, _) if !is_scalar && !bit15 => permutations::decode(word),
        _ => None,
    }
}

/// Instructions with an immediate, or with one element of a register for all elements of another.
fn with_constant(word: Word, is_scalar: bool) -> Option<Instruction> {
    match (word.bit(10), word.bits(19, 4)) {
        (false, _) => by_element::decode(word, is_scalar),
        (true, _) if word.bit(23) => None,
        (true, 0) if is_scalar => None,
        (true, 0) => modified_immediate::decode(word),
        (true, _) => shift_immediate::decode(word, is_scalar),
    }
}
