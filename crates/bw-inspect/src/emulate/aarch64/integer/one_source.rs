//! Operations on one register: counts of bits, and reversals.

use super::control::authenticate;
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};

pub(super) fn decode(word: Word) -> Option<Instruction> {
    if word.bits(16, 5) == 1 {
        return authentication(word);
    }
    if word.bits(16, 5) != 0 {
        return None;
    }
    macro_rules! each {
        ($wide:expr, $narrow:expr) => {
            |cpu, _, form| {
                let (wide, narrow): (fn(u64) -> u64, fn(u32) -> u32) = ($wide, $narrow);
                let value = cpu.get(form.n);
                cpu.set(form.d, if form.wide { wide(value) } else { u64::from(narrow(value as u32)) });
                Ok(())
            }
        };
    }
    let (name, handler): (_, Handler) = match (word.bits(10, 6), word.bit(31)) {
        (0b00_0000, _) => ("rbit", each!(u64::reverse_bits, u32::reverse_bits)),
        (0b00_0001, _) => (
            "rev16",
            each!(
                |value| value >> 8 & 0x00ff_00ff_00ff_00ff | (value & 0x00ff_00ff_00ff_00ff) << 8,
                |value| value >> 8 & 0x00ff_00ff | (value & 0x00ff_00ff) << 8
            ),
        ),
        (0b00_0010, _) => ("rev32", each!(|value| value.swap_bytes().rotate_left(32), u32::swap_bytes)),
        (0b00_0011, true) => ("rev", each!(u64::swap_bytes, u32::swap_bytes)),
        (0b00_0100, _) => ("clz", each!(|value| value.leading_zeros().into(), u32::leading_zeros)),
        (0b00_0101, _) => (
            "cls",
            each!(|value| (((value ^ value << 1) | 1).leading_zeros()).into(), |value| ((value
                ^ value << 1)
                | 1)
            .leading_zeros()),
        ),
        _ => return None,
    };
    Some(Instruction::new(word, name, handler))
}

/// Pointer authentication: addresses are not signed, and signatures are removed.
fn authentication(word: Word) -> Option<Instruction> {
    let (name, handler): (_, Handler) = match (word.bit(31), word.bits(10, 6)) {
        (true, 0b00_0000..=0b00_0011 | 0b00_1000..=0b00_1011) => ("pacia", |_, _, _| Ok(())),
        (true, 0b00_0100..=0b00_0111 | 0b00_1100..=0b00_1111 | 0b01_0000 | 0b01_0001) => {
            ("autia", |cpu, _, form| {
                authenticate(cpu, form.d);
                Ok(())
            })
        }
        _ => return None,
    };
    Some(Instruction::new(word, name, handler))
}
