//! What depends on the condition flags: conditional comparisons and selections.

use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::nzcv::{Nzcv, add_with_carry};

/// `ccmp` and `ccmn`, with a register or a small number.
pub(super) fn compare(word: Word) -> Option<Instruction> {
    if !word.bit(29) || word.bit(10) || word.bit(4) {
        return None;
    }
    let (name, handler): (_, Handler) = if word.bit(30) {
        ("ccmp", |cpu, _, form| {
            let b = if form.word.bit(11) { form.immediate } else { cpu.get(form.m) };
            cpu.flags = if cpu.flags.holds(form.option) {
                add_with_carry(cpu.get(form.n), !b, true, form.wide).1
            } else {
                Nzcv::from_bits(form.word.bits(0, 4) as u8)
            };
            Ok(())
        })
    } else {
        ("ccmn", |cpu, _, form| {
            let b = if form.word.bit(11) { form.immediate } else { cpu.get(form.m) };
            cpu.flags = if cpu.flags.holds(form.option) {
                add_with_carry(cpu.get(form.n), b, false, form.wide).1
            } else {
                Nzcv::from_bits(form.word.bits(0, 4) as u8)
            };
            Ok(())
        })
    };
    let instruction = Instruction::new(word, name, handler).with_option(word.bits(12, 4));
    Some(instruction.with_immediate(u64::from(word.bits(16, 5))))
}

/// `csel`, and its like that change the second value.
pub(super) fn select(word: Word) -> Option<Instruction> {
    if word.bit(29) || word.bit(11) {
        return None;
    }
    macro_rules! select {
        ($change:expr) => {
            |cpu, _, form| {
                let change: fn(u64) -> u64 = $change;
                let holds = cpu.flags.holds(form.option);
                let value = if holds { cpu.get(form.n) } else { change(cpu.get(form.m)) };
                cpu.set_as(form.d, value, form.wide);
                Ok(())
            }
        };
    }
    let (name, handler): (_, Handler) = match (word.bit(30), word.bit(10)) {
        (false, false) => ("csel", select!(|value| value)),
        (false, true) => ("csinc", select!(|value| value.wrapping_add(1))),
        (true, false) => ("csinv", select!(|value| !value)),
        (true, true) => ("csneg", select!(u64::wrapping_neg)),
    };
    Some(Instruction::new(word, name, handler).with_option(word.bits(12, 4)))
}
