//! Data processing with registers.

use super::second_operand::{Extended, Inverted, Shifted};
use super::{conditional, one_source, sums, two_sources};
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::nzcv::{Nzcv, add_with_carry};
use crate::emulate::aarch64::register_file::Cpu;
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;

pub(in super::super) fn decode(word: Word) -> Option<Instruction> {
    match (word.bit(28), word.bits(21, 4)) {
        (false, 0b0000..=0b0111) => logical(word),
        (false, operation) if operation & 1 == 0 => add_subtract_shifted(word),
        (false, 0b1001) => add_subtract_extended(word),
        (true, 0b0000) if word.bits(10, 6) == 0 => Some(with_carry(word)),
        (true, 0b0010) => conditional::compare(word),
        (true, 0b0100) => conditional::select(word),
        (true, 0b0110) if word.bit(29) => None,
        (true, 0b0110) if word.bit(30) => one_source::decode(word),
        (true, 0b0110) => two_sources::decode(word),
        (true, 0b1000..=0b1111) => three_sources(word),
        _ => None,
    }
}

fn logical(word: Word) -> Option<Instruction> {
    if !word.bit(31) && word.bit(15) {
        return None;
    }
    let operation = word.bits(29, 2);
    let (names, handler) = if word.bit(21) {
        (["bic", "orn", "eon", "bics"], sums::bitwise::<Inverted>(operation))
    } else {
        (["and", "orr", "eor", "ands"], sums::bitwise::<Shifted>(operation))
    };
    let instruction = Instruction::new(word, names[operation as usize & 3], handler);
    Some(instruction.with_immediate(u64::from(word.bits(10, 6))).with_option(word.bits(22, 2)))
}

fn add_subtract_shifted(word: Word) -> Option<Instruction> {
    if word.bits(22, 2) == 3 || (!word.bit(31) && word.bit(15)) {
        return None;
    }
    let (name, handler) = sums::sum::<Shifted>(word.bits(29, 2));
    let instruction = Instruction::new(word, name, handler);
    Some(instruction.with_immediate(u64::from(word.bits(10, 6))).with_option(word.bits(22, 2)))
}

fn add_subtract_extended(word: Word) -> Option<Instruction> {
    if word.bits(10, 3) > 4 {
        return None;
    }
    let (name, handler) = sums::sum::<Extended>(word.bits(29, 2));
    let instruction = Instruction::new(word, name, handler).with_immediate(u64::from(word.bits(10, 3)));
    let instruction = instruction.with_option(word.bits(13, 3)).with_stack_n();
    Some(if word.bit(29) { instruction } else { instruction.with_stack_d() })
}

fn with_carry(word: Word) -> Instruction {
    let (name, handler): (_, Handler) = match word.bits(29, 2) {
        0b00 => ("adc", |cpu, _, form| {
            cpu.set(form.d, sum(cpu, form).0);
            Ok(())
        }),
        0b01 => ("adcs", |cpu, _, form| {
            let (result, flags) = sum(cpu, form);
            cpu.flags = flags;
            cpu.set(form.d, result);
            Ok(())
        }),
        0b10 => ("sbc", |cpu, _, form| {
            cpu.set(form.d, difference(cpu, form).0);
            Ok(())
        }),
        _ => ("sbcs", |cpu, _, form| {
            let (result, flags) = difference(cpu, form);
            cpu.flags = flags;
            cpu.set(form.d, result);
            Ok(())
        }),
    };
    Instruction::new(word, name, handler)
}

/// `n + m + carry`.
#[inline]
fn sum(cpu: &Cpu, form: &Instruction) -> (u64, Nzcv) {
    add_with_carry(cpu.get(form.n), cpu.get(form.m), cpu.flags.carry, form.wide)
}

/// `n - m - borrow`, of which the carry is the opposite.
#[inline]
fn difference(cpu: &Cpu, form: &Instruction) -> (u64, Nzcv) {
    add_with_carry(cpu.get(form.n), !cpu.get(form.m), cpu.flags.carry, form.wide)
}

/// Multiplications, with an addition.
fn three_sources(word: Word) -> Option<Instruction> {
    if word.bits(29, 2) != 0 {
        return None;
    }
    let (name, handler): (_, Handler) = match (word.bit(31), word.bits(21, 3), word.bit(15)) {
        (_, 0b000, false) => ("madd", |cpu, _, form| {
            let product = cpu.get(form.n).wrapping_mul(cpu.get(form.m));
            cpu.set_as(form.d, cpu.get(form.a).wrapping_add(product), form.wide);
            Ok(())
        }),
        (_, 0b000, true) => ("msub", |cpu, _, form| {
            let product = cpu.get(form.n).wrapping_mul(cpu.get(form.m));
            cpu.set_as(form.d, cpu.get(form.a).wrapping_sub(product), form.wide);
            Ok(())
        }),
        (true, 0b001, false) => {
            ("smaddl", |cpu, memory, form| long(cpu, memory, form, signed, u64::wrapping_add))
        }
        (true, 0b001, true) => {
            ("smsubl", |cpu, memory, form| long(cpu, memory, form, signed, u64::wrapping_sub))
        }
        (true, 0b101, false) => {
            ("umaddl", |cpu, memory, form| long(cpu, memory, form, unsigned, u64::wrapping_add))
        }
        (true, 0b101, true) => {
            ("umsubl", |cpu, memory, form| long(cpu, memory, form, unsigned, u64::wrapping_sub))
        }
        (true, 0b010, false) => ("smulh", |cpu, _, form| {
            let (a, b) = (cpu.get(form.n).cast_signed(), cpu.get(form.m).cast_signed());
            cpu.set(form.d, ((i128::from(a) * i128::from(b)) >> 64) as u64);
            Ok(())
        }),
        (true, 0b110, false) => ("umulh", |cpu, _, form| {
            let (a, b) = (cpu.get(form.n), cpu.get(form.m));
            cpu.set(form.d, ((u128::from(a) * u128::from(b)) >> 64) as u64);
            Ok(())
        }),
        _ => return None,
    };
    Some(Instruction::new(word, name, handler))
}

/// A product of 32-bit numbers, added or subtracted.
#[inline]
fn long(
    cpu: &mut Cpu,
    _: &mut Overlay<'_>,
    form: &Instruction,
    extend: impl Fn(u64) -> u64,
    join: impl Fn(u64, u64) -> u64,
) -> Result<(), Fault> {
    let product = extend(cpu.get(form.n)).wrapping_mul(extend(cpu.get(form.m)));
    cpu.set(form.d, join(cpu.get(form.a), product));
    Ok(())
}

/// The lower half as a signed number.
const fn signed(value: u64) -> u64 {
    ((value as u32).cast_signed() as i64).cast_unsigned()
}

/// The lower half.
const fn unsigned(value: u64) -> u64 {
    value & 0xffff_ffff
}
