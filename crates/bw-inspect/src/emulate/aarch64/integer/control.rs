//! Jumps, exceptions and system instructions.

use super::system_registers;
use crate::emulate::aarch64::groups::HALTS;
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::register_file::{Cpu, LINK};
use crate::emulate::fault::Fault;

pub(in super::super) fn decode(at: u64, word: Word) -> Option<Instruction> {
    match word.bits(29, 3) {
        0b000 | 0b100 => Some(branch(at, word)),
        0b001 | 0b101 if word.bit(25) => Some(test_and_branch(at, word)),
        0b001 | 0b101 => Some(compare_and_branch(at, word)),
        0b010 if word.bits(24, 2) == 0 && !word.bit(4) => Some(conditional_branch(at, word)),
        0b110 if word.bit(25) => branch_to_register(word),
        0b110 if word.bit(24) => system_registers::decode(word),
        0b110 => exception(word),
        _ => None,
    }
}

fn jump(at: u64, word: Word, name: &'static str, handler: Handler, offset: i64) -> Instruction {
    Instruction::new(word, name, handler).with_immediate(at.wrapping_add_signed(offset << 2)).jumping()
}

/// `b` and `bl`.
fn branch(at: u64, word: Word) -> Instruction {
    let (name, handler): (_, Handler) = if word.bit(31) {
        ("bl", |cpu, _, form| {
            cpu.set(LINK, cpu.pc);
            cpu.pc = form.immediate;
            Ok(())
        })
    } else {
        ("b", |cpu, _, form| {
            cpu.pc = form.immediate;
            Ok(())
        })
    };
    jump(at, word, name, handler, word.signed(0, 26))
}

fn conditional_branch(at: u64, word: Word) -> Instruction {
    let handler: Handler = |cpu, _, form| {
        if cpu.flags.holds(form.option) {
            cpu.pc = form.immediate;
        }
        Ok(())
    };
    jump(at, word, "b.cond", handler, word.signed(5, 19)).with_option(word.bits(0, 4))
}

/// `cbz` and `cbnz`.
fn compare_and_branch(at: u64, word: Word) -> Instruction {
    let (name, handler): (_, Handler) = if word.bit(24) {
        ("cbnz", |cpu, _, form| {
            if cpu.get_as(form.d, form.wide) != 0 {
                cpu.pc = form.immediate;
            }
            Ok(())
        })
    } else {
        ("cbz", |cpu, _, form| {
            if cpu.get_as(form.d, form.wide) == 0 {
                cpu.pc = form.immediate;
            }
            Ok(())
        })
    };
    jump(at, word, name, handler, word.signed(5, 19)).reading_d()
}

/// `tbz` and `tbnz`.
fn test_and_branch(at: u64, word: Word) -> Instruction {
    let (name, handler): (_, Handler) = if word.bit(24) {
        ("tbnz", |cpu, _, form| {
            if cpu.get(form.d) >> form.option & 1 == 1 {
                cpu.pc = form.immediate;
            }
            Ok(())
        })
    } else {
        ("tbz", |cpu, _, form| {
            if cpu.get(form.d) >> form.option & 1 == 0 {
                cpu.pc = form.immediate;
            }
            Ok(())
        })
    };
    let number = word.bits(31, 1) << 5 | word.bits(19, 5);
    jump(at, word, name, handler, word.signed(5, 14)).reading_d().with_option(number)
}

/// `br`, `blr` and `ret`, also those that authenticate the address.
fn branch_to_register(word: Word) -> Option<Instruction> {
    if word.bits(16, 5) != 31 {
        return None;
    }
    let is_authenticated = match (word.bits(10, 6), word.bits(0, 5)) {
        (0, 0) => false,
        (2 | 3, _) => true,
        _ => return None,
    };
    let (name, handler): (_, Handler) = match (word.bits(21, 4), is_authenticated) {
        (0, false) => ("br", |cpu, _, form| {
            cpu.pc = cpu.get(form.n);
            Ok(())
        }),
        (0 | 8, true) => ("braa", |cpu, _, form| {
            cpu.pc = without_signature(cpu.get(form.n));
            Ok(())
        }),
        (1, false) => ("blr", |cpu, _, form| {
            let to = cpu.get(form.n);
            cpu.set(LINK, cpu.pc);
            cpu.pc = to;
            Ok(())
        }),
        (1 | 9, true) => ("blraa", |cpu, _, form| {
            let to = without_signature(cpu.get(form.n));
            cpu.set(LINK, cpu.pc);
            cpu.pc = to;
            Ok(())
        }),
        (2, false) => ("ret", |cpu, _, form| {
            cpu.pc = cpu.get(form.n);
            Ok(())
        }),
        (2, true) => ("retaa", |cpu, _, _| {
            cpu.pc = without_signature(cpu.get(LINK));
            Ok(())
        }),
        _ => return None,
    };
    Some(Instruction::new(word, name, handler).jumping())
}

/// An address of a program without the signature that pointer authentication puts into its high bits.
pub(super) const fn without_signature(address: u64) -> u64 {
    /// The bits of addresses of programs on Linux, but with addresses of 52 bits.
    const ADDRESS: u64 = (1 << 48) - 1;
    address & ADDRESS
}

/// Removes the signature from a register.
pub(super) fn authenticate(cpu: &mut Cpu, place: u8) {
    cpu.set(place, without_signature(cpu.get(place)));
}

/// `svc`, `brk` and `hlt`.
fn exception(word: Word) -> Option<Instruction> {
    let (name, handler): (_, Handler) = match (word.bits(21, 3), word.bits(0, 5)) {
        (0, 1) => ("svc", |_, _, _| Err(Fault::SystemCall)),
        (1, 0) => ("brk", HALTS),
        (2, 0) => ("hlt", HALTS),
        _ => return None,
    };
    Some(Instruction::new(word, name, handler).jumping())
}
