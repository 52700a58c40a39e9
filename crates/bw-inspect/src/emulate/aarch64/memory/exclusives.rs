//! Exclusive and ordered loads and stores, and comparisons with an exchange.

use super::addressing::{read_sized, write_sized};
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word, source};
use crate::emulate::aarch64::register_file::{Cpu, SINK, STACK};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;

pub(super) fn decode(word: Word) -> Option<Instruction> {
    let (size, loads, is_pair) = (word.bits(30, 2), word.bit(22), word.bit(21));
    let bytes = 1 << size;
    let (name, handler, bytes): (_, Handler, u32) = match (word.bit(23), is_pair) {
        (false, true) if size < 2 => return exchange_pair(word),
        (false, _) => {
            let bytes = if is_pair { 2 * bytes } else { bytes };
            match (loads, is_pair) {
                (true, false) => ("ldxr", load_exclusive, bytes),
                (true, true) => ("ldxp", load_exclusive, bytes),
                (false, false) => ("stxr", store_exclusive, bytes),
                (false, true) => ("stxp", store_exclusive, bytes),
            }
        }
        (true, false) if loads => ("ldar", load_ordered, bytes),
        (true, false) => ("stlr", store_ordered, bytes),
        (true, true) if word.a() == 31 => ("cas", exchange, bytes),
        (true, true) => return None,
    };
    let is_exclusive = !word.bit(23);
    // What processors need not allow: one register for two results, or for the status and an operand.
    let (status, second) = (word.m(), word.a());
    if is_exclusive && loads && is_pair && word.d() == second {
        return None;
    }
    let is_operand = status == word.d() || (is_pair && status == second);
    if is_exclusive && !loads && (is_operand || (status == word.n() && status != 31)) {
        return None;
    }
    let target = |number: u8| if number == STACK { SINK } else { number };
    let instruction = Instruction::new(word, name, handler).with_stack_n().with_bytes(bytes);
    Some(match (is_exclusive, loads) {
        (true, true) => Instruction { a: target(second), ..instruction },
        (true, false) => Instruction { m: target(status), a: source(second), ..instruction.reading_d() },
        (false, _) if is_pair => {
            Instruction { m: target(status), a: source(status), ..instruction.reading_d() }
        }
        (false, true) => instruction,
        (false, false) => instruction.reading_d(),
    })
}

fn load_exclusive(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let (address, bytes) = (cpu.get(form.n), usize::from(form.bytes));
    let value = read_sized(memory, address, bytes)?;
    cpu.exclusive = Some((address, bytes));
    if form.word.bit(21) {
        let half = 4 * u32::from(form.bytes);
        cpu.set(form.d, value as u64 & (u64::MAX >> (64 - half)));
        cpu.set(form.a, (value >> half) as u64);
    } else {
        cpu.set(form.d, value as u64);
    }
    Ok(())
}

/// Stores if the same bytes were loaded before. Nothing else writes in between.
fn store_exclusive(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let (address, bytes) = (cpu.get(form.n), usize::from(form.bytes));
    let is_owner = cpu.exclusive == Some((address, bytes));
    if is_owner {
        let mut value = u128::from(cpu.get(form.d));
        if form.word.bit(21) {
            let half = 4 * u32::from(form.bytes);
            value = value & (u128::MAX >> (128 - half)) | u128::from(cpu.get(form.a)) << half;
        }
        write_sized(memory, address, bytes, value)?;
    }
    cpu.exclusive = None;
    cpu.set(form.m, u64::from(!is_owner));
    Ok(())
}

fn load_ordered(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let value = read_sized(memory, cpu.get(form.n), usize::from(form.bytes))?;
    cpu.set(form.d, value as u64);
    Ok(())
}

fn store_ordered(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    write_sized(memory, cpu.get(form.n), usize::from(form.bytes), u128::from(cpu.get(form.d)))
}

/// `cas`: register `m` is what is expected, and becomes what was there.
fn exchange(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let (address, bytes) = (cpu.get(form.n), usize::from(form.bytes));
    let found = read_sized(memory, address, bytes)?;
    let expected = u128::from(cpu.get(form.a)) & (u128::MAX >> (128 - 8 * bytes as u32));
    if found == expected {
        write_sized(memory, address, bytes, u128::from(cpu.get(form.d)))?;
    }
    cpu.set(form.m, found as u64);
    Ok(())
}

/// `casp`: the same for two registers that follow each other.
fn exchange_pair(word: Word) -> Option<Instruction> {
    if word.a() != 31 || word.m() & 1 == 1 || word.d() & 1 == 1 {
        return None;
    }
    let handler: Handler = |cpu, memory, form| {
        let half = 8 * u32::from(form.bytes / 2);
        let whole = |cpu: &Cpu, first: u8| {
            let part = |number: u8| u128::from(cpu.get(source(number))) & (u128::MAX >> (128 - half));
            part(first) | part(first + 1) << half
        };
        let (address, bytes) = (cpu.get(form.n), usize::from(form.bytes));
        let found = read_sized(memory, address, bytes)?;
        if found == whole(cpu, form.word.m()) {
            write_sized(memory, address, bytes, whole(cpu, form.word.d()))?;
        }
        let (first, second) = (form.word.m(), form.word.m() + 1);
        cpu.set(first, found as u64 & (u64::MAX >> (64 - half)));
        cpu.set(if second == STACK { SINK } else { second }, (found >> half) as u64);
        Ok(())
    };
    let bytes = if word.bit(30) { 16 } else { 8 };
    Some(Instruction::new(word, "casp", handler).with_stack_n().with_bytes(bytes))
}
