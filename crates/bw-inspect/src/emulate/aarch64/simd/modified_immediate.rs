//! Vectors made of an immediate of eight bits.

use super::elements::all;
use super::float_operations as float;
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};

pub(super) fn decode(word: Word) -> Option<Instruction> {
    // The bit of half precision.
    if word.bit(11) {
        return None;
    }
    let (mode, inverted) = (word.bits(12, 4), word.bit(29));
    let byte = word.bits(16, 3) << 5 | word.bits(5, 5);
    let immediate = expand(mode, inverted, byte, word.bit(30))?;
    let (name, handler): (_, Handler) = match (mode & 1 == 1 && mode < 12, inverted) {
        (true, false) => ("orr immediate", |cpu, _, form| all(cpu, form, |d, _, _, _| d | form.immediate)),
        (true, true) => ("bic immediate", |cpu, _, form| all(cpu, form, |d, _, _, _| d & !form.immediate)),
        (false, _) => ("movi", |cpu, _, form| all(cpu, form, |_, _, _, _| form.immediate)),
    };
    // The modes above move other patterns instead of the inverted ones.
    let immediate =
        if inverted && mode < 14 && !(mode & 1 == 1 && mode < 12) { !immediate } else { immediate };
    Some(Instruction::of_vectors(word, name, handler).with_immediate(immediate).with_shape(false, 64))
}

/// The pattern of 64 bits; `AdvSIMDExpandImm` in the Arm manual.
fn expand(mode: u32, inverted: bool, byte: u32, is_whole: bool) -> Option<u64> {
    let twice = |word: u32| u64::from(word) << 32 | u64::from(word);
    let four_times = |half: u32| twice(half << 16 | half);
    Some(match mode {
        0..=7 => twice(byte << (mode / 2 * 8)),
        8..=11 => four_times(byte << ((mode / 2 - 4) * 8)),
        12 => twice(byte << 8 | 0xff),
        13 => twice(byte << 16 | 0xffff),
        14 if !inverted => four_times(byte << 8 | byte),
        14 => (0..8).filter(|bit| byte >> bit & 1 == 1).fold(0, |all, bit| all | 0xff << (8 * bit)),
        _ if !inverted => twice(float::expand(byte, 32) as u32),
        _ if is_whole => float::expand(byte, 64),
        _ => return None,
    })
}
