//! The last operand of sums and of logical instructions: an immediate, or a register that is shifted or extended.

use crate::emulate::aarch64::instruction::Instruction;
use crate::emulate::aarch64::register_file::Cpu;

/// A kind of operand. A type for each, so that each handler has its own code.
pub(super) trait SecondOperand {
    fn of(cpu: &Cpu, form: &Instruction) -> u64;
}

/// The immediate.
pub(super) struct Immediate;

/// Register `m`, shifted by the immediate. The option says how.
pub(super) struct Shifted;

/// The same, and then all its bits turned.
pub(super) struct Inverted;

/// Register `m`, of which a part is extended to 64 bits as the option says, and then shifted left by the immediate.
pub(super) struct Extended;

impl SecondOperand for Immediate {
    #[inline]
    fn of(_: &Cpu, form: &Instruction) -> u64 {
        form.immediate
    }
}

impl SecondOperand for Shifted {
    #[inline]
    fn of(cpu: &Cpu, form: &Instruction) -> u64 {
        shifted(cpu.get_as(form.m, form.wide), form.option, form.immediate as u32, form.wide)
    }
}

impl SecondOperand for Inverted {
    #[inline]
    fn of(cpu: &Cpu, form: &Instruction) -> u64 {
        !Shifted::of(cpu, form)
    }
}

impl SecondOperand for Extended {
    #[inline]
    fn of(cpu: &Cpu, form: &Instruction) -> u64 {
        extended(cpu.get(form.m), form.option) << form.immediate
    }
}

/// A shift by less than the width: left, right, right with the sign, or around.
#[inline]
pub(super) const fn shifted(value: u64, kind: u8, by: u32, wide: bool) -> u64 {
    match (kind & 3, wide) {
        (0, _) => value << by,
        (1, _) => value >> by,
        (2, true) => (value.cast_signed() >> by).cast_unsigned(),
        (2, false) => ((value as u32).cast_signed() >> by).cast_unsigned() as u64,
        (_, true) => value.rotate_right(by),
        (_, false) => (value as u32).rotate_right(by) as u64,
    }
}

/// A part of a register, extended: 0 to 3 are an unsigned byte, halfword, word and doubleword, 4 to 7 the signed ones.
#[inline]
pub(in super::super) const fn extended(value: u64, option: u8) -> u64 {
    let unused = 64 - (8 << (option & 3));
    let top = value << unused;
    if option & 4 == 0 { top >> unused } else { (top.cast_signed() >> unused).cast_unsigned() }
}
