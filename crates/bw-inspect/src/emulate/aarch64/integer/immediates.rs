//! Data processing with an immediate.

use super::bit_mask::bit_mask;
use super::second_operand::Immediate;
use super::sums;
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::register_file::Cpu;

pub(in super::super) fn decode(at: u64, word: Word) -> Option<Instruction> {
    match word.bits(23, 3) {
        0b000 | 0b001 => Some(relative_address(at, word)),
        0b010 => Some(add_subtract(word)),
        0b100 => logical(word),
        0b101 => move_wide(word),
        0b110 => bitfield(word),
        0b111 => extract(word),
        _ => None,
    }
}

/// Sets `d` to the immediate.
const MOVES: Handler = |cpu, _, form| {
    cpu.set(form.d, form.immediate);
    Ok(())
};

/// `adr` and `adrp`.
fn relative_address(at: u64, word: Word) -> Instruction {
    let offset = word.signed(5, 19) << 2 | i64::from(word.bits(29, 2));
    let (name, base, offset) =
        if word.bit(31) { ("adrp", at & !0xfff, offset << 12) } else { ("adr", at, offset) };
    Instruction::new(word, name, MOVES).with_immediate(base.wrapping_add_signed(offset))
}

fn add_subtract(word: Word) -> Instruction {
    let immediate = u64::from(word.bits(10, 12)) << if word.bit(22) { 12 } else { 0 };
    let (name, handler) = sums::sum::<Immediate>(word.bits(29, 2));
    let instruction = Instruction::new(word, name, handler).with_immediate(immediate).with_stack_n();
    if word.bit(29) { instruction } else { instruction.with_stack_d() }
}

fn logical(word: Word) -> Option<Instruction> {
    if !word.bit(31) && word.bit(22) {
        return None;
    }
    let mask = bit_mask(word.bit(22), word.bits(10, 6), word.bits(16, 6))?;
    let operation = word.bits(29, 2);
    let name = ["and", "orr", "eor", "ands"][operation as usize & 3];
    let instruction =
        Instruction::new(word, name, sums::bitwise::<Immediate>(operation)).with_immediate(mask);
    Some(if operation == 3 { instruction } else { instruction.with_stack_d() })
}

/// `movn`, `movz` and `movk`.
fn move_wide(word: Word) -> Option<Instruction> {
    let (wide, shift) = (word.bit(31), word.bits(21, 2) * 16);
    if !wide && shift > 16 {
        return None;
    }
    let immediate = u64::from(word.bits(5, 16)) << shift;
    let whole = if wide { u64::MAX } else { 0xffff_ffff };
    Some(match word.bits(29, 2) {
        0b00 => Instruction::new(word, "movn", MOVES).with_immediate(!immediate & whole),
        0b10 => Instruction::new(word, "movz", MOVES).with_immediate(immediate),
        0b11 => {
            let handler: Handler = |cpu, _, form| {
                let kept = cpu.get(form.d) & !(0xffff << form.option);
                cpu.set_as(form.d, kept | form.immediate, form.wide);
                Ok(())
            };
            Instruction::new(word, "movk", handler).with_immediate(immediate).with_option(shift)
        }
        _ => return None,
    })
}

/// `sbfm`, `bfm` and `ubfm`, which are all shifts by an immediate and all extensions: a field of one register moves to another place.
fn bitfield(word: Word) -> Option<Instruction> {
    let (wide, immr, imms) = (word.bit(31), word.bits(16, 6), word.bits(10, 6));
    let size = if wide { 64 } else { 32 };
    if word.bit(22) != wide || immr >= size || imms >= size {
        return None;
    }
    let (from, to, len) = if imms >= immr { (immr, 0, imms - immr + 1) } else { (0, size - immr, imms + 1) };
    let (name, handler): (_, Handler) = match word.bits(29, 2) {
        0b00 => ("sbfm", |cpu, _, form| {
            let unused = form.bytes;
            let extended = ((field(cpu, form) << unused).cast_signed() >> unused).cast_unsigned();
            cpu.set_as(form.d, extended << form.element, form.wide);
            Ok(())
        }),
        0b01 => ("bfm", |cpu, _, form| {
            let kept = cpu.get(form.d) & !(form.immediate << form.element);
            cpu.set_as(form.d, kept | field(cpu, form) << form.element, form.wide);
            Ok(())
        }),
        0b10 => ("ubfm", |cpu, _, form| {
            cpu.set_as(form.d, field(cpu, form) << form.element, form.wide);
            Ok(())
        }),
        _ => return None,
    };
    let instruction = Instruction::new(word, name, handler).with_immediate(u64::MAX >> (64 - len));
    Some(instruction.with_option(from).with_element(to).with_bytes(64 - len))
}

/// The field, at the lowest bits.
#[inline]
fn field(cpu: &Cpu, form: &Instruction) -> u64 {
    cpu.get(form.n) >> form.option & form.immediate
}

/// `extr`: bits from the middle of two registers.
fn extract(word: Word) -> Option<Instruction> {
    let (wide, lowest) = (word.bit(31), word.bits(10, 6));
    if word.bit(22) != wide || word.bit(21) || word.bits(29, 2) != 0 || (!wide && lowest >= 32) {
        return None;
    }
    let handler: Handler = |cpu, _, form| {
        let bits = if form.wide { 64 } else { 32 };
        let (high, low) = (cpu.get_as(form.n, form.wide), cpu.get_as(form.m, form.wide));
        let both = u128::from(high) << bits | u128::from(low);
        cpu.set_as(form.d, (both >> form.option) as u64, form.wide);
        Ok(())
    };
    Some(Instruction::new(word, "extr", handler).with_option(lowest))
}
