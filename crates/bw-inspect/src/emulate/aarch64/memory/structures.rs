//! Loads and stores of vector registers that take elements in turn: `ld1` to `ld4`, and `st1` to `st4`.

use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::register_file::{Cpu, STACK};
use crate::emulate::aarch64::simd::{element, with_element};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;

pub(super) fn decode(word: Word) -> Option<Instruction> {
    if word.bit(31) || (!word.bit(23) && word.bits(16, 5) != 0) {
        return None;
    }
    let instruction = if word.bit(24) { single(word)? } else { multiple(word)? };
    Some(instruction.with_stack_n())
}

/// Whole registers. `option` is how many structures there are in a row, `immediate` how many registers a structure has.
fn multiple(word: Word) -> Option<Instruction> {
    let (repeats, registers) = match word.bits(12, 4) {
        0b0000 => (1, 4),
        0b0010 => (4, 1),
        0b0100 => (1, 3),
        0b0110 => (3, 1),
        0b0111 => (1, 1),
        0b1000 => (1, 2),
        0b1010 => (2, 1),
        _ => return None,
    };
    if word.bit(21) || (word.bits(10, 2) == 3 && !word.bit(30) && registers != 1) {
        return None;
    }
    let (name, handler): (_, Handler) =
        if word.bit(22) { ("ld1-4", load_multiple) } else { ("st1-4", store_multiple) };
    let instruction = Instruction::new(word, name, handler).with_immediate(registers);
    let bytes = if word.bit(30) { 16 } else { 8 };
    Some(instruction.with_option(repeats).with_bytes(bytes).with_element(8 << word.bits(10, 2)))
}

/// Each element in the order of memory: the number of its register, and its number there.
fn places(form: &Instruction) -> impl Iterator<Item = (usize, u32)> {
    let (registers, repeats) = (form.immediate as usize, usize::from(form.option));
    let elements = u32::from(form.bytes) * 8 / u32::from(form.element).max(8);
    let first = usize::from(form.word.d());
    (0..repeats).flat_map(move |repeat| {
        (0..elements).flat_map(move |number| {
            (0..registers).map(move |register| ((first + repeat + register) % 32, number))
        })
    })
}

fn load_multiple(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let count = usize::from(form.bytes) * form.immediate as usize * usize::from(form.option);
    let mut bytes = [0; 64];
    let bytes = &mut bytes[..count.min(64)];
    memory.read(cpu.get(form.n), bytes)?;
    let bits = u32::from(form.element);
    for (register, _) in places(form) {
        cpu.v[register] = 0;
    }
    for ((register, number), part) in places(form).zip(bytes.chunks_exact(bits as usize / 8)) {
        let value = part.iter().rev().fold(0, |value: u64, byte| value << 8 | u64::from(*byte));
        cpu.v[register] = with_element(cpu.v[register], number, bits, value);
    }
    advance(cpu, form, count as u64);
    Ok(())
}

fn store_multiple(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let count = usize::from(form.bytes) * form.immediate as usize * usize::from(form.option);
    let mut bytes = [0; 64];
    let bytes = &mut bytes[..count.min(64)];
    let bits = u32::from(form.element);
    for ((register, number), part) in places(form).zip(bytes.chunks_exact_mut(bits as usize / 8)) {
        let value = element(cpu.v[register], number, bits).to_le_bytes();
        part.copy_from_slice(&value[..part.len()]);
    }
    memory.write(cpu.get(form.n), bytes)?;
    advance(cpu, form, count as u64);
    Ok(())
}

/// Moves the address behind what was loaded or stored, or by a register.
fn advance(cpu: &mut Cpu, form: &Instruction, bytes: u64) {
    if form.word.bit(23) {
        let by = if form.word.m() == STACK { bytes } else { cpu.get(form.m) };
        cpu.set(form.n, cpu.get(form.n).wrapping_add(by));
    }
}

/// One element of each register, or with `ld1r` and its like all of them. `option` is the number of the element.
fn single(word: Word) -> Option<Instruction> {
    let (opcode, s, size) = (word.bits(13, 3), word.bits(12, 1), word.bits(10, 2));
    let registers = u64::from((opcode & 1) << 1 | word.bits(21, 1)) + 1;
    let q = word.bits(30, 1);
    let (name, handler, bits, number): (_, Handler, _, _) = match (opcode >> 1, word.bit(22)) {
        (3, true) if s == 0 => ("ld1r-4r", load_replicated, 8 << size, 0),
        (3, _) => return None,
        (scale, loads) => {
            let (bits, number) = match scale {
                0 => (8, q << 3 | s << 2 | size),
                1 if size & 1 == 0 => (16, q << 2 | s << 1 | size >> 1),
                2 if size == 0 => (32, q << 1 | s),
                2 if size == 1 && s == 0 => (64, q),
                _ => return None,
            };
            if loads {
                ("ld1-4 (one)", load_single, bits, number)
            } else {
                ("st1-4 (one)", store_single, bits, number)
            }
        }
    };
    let instruction = Instruction::new(word, name, handler).with_immediate(registers).with_option(number);
    Some(instruction.with_element(bits).with_bytes(if q == 1 { 16 } else { 8 }))
}

/// Reads one element for each register.
fn read_elements(cpu: &Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<[u64; 4], Fault> {
    let size = usize::from(form.element) / 8;
    let mut bytes = [0; 32];
    let bytes = &mut bytes[..size * form.immediate as usize];
    memory.read(cpu.get(form.n), bytes)?;
    let mut values = [0; 4];
    for (value, part) in values.iter_mut().zip(bytes.chunks_exact(size)) {
        *value = part.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
    }
    Ok(values)
}

fn load_single(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let values = read_elements(cpu, memory, form)?;
    let bits = u32::from(form.element);
    for (number, value) in values.into_iter().enumerate().take(form.immediate as usize) {
        let register = (usize::from(form.word.d()) + number) % 32;
        cpu.v[register] = with_element(cpu.v[register], u32::from(form.option), bits, value);
    }
    advance(cpu, form, form.immediate * u64::from(bits / 8));
    Ok(())
}

fn load_replicated(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let values = read_elements(cpu, memory, form)?;
    let bits = u32::from(form.element);
    for (number, value) in values.into_iter().enumerate().take(form.immediate as usize) {
        let register = (usize::from(form.word.d()) + number) % 32;
        let elements = u32::from(form.bytes) * 8 / bits;
        cpu.v[register] = (0..elements).fold(0, |all, place| with_element(all, place, bits, value));
    }
    advance(cpu, form, form.immediate * u64::from(bits / 8));
    Ok(())
}

fn store_single(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let (bits, count) = (u32::from(form.element), form.immediate as usize);
    let mut bytes = [0; 32];
    let bytes = &mut bytes[..bits as usize / 8 * count];
    for (number, part) in bytes.chunks_exact_mut(bits as usize / 8).enumerate() {
        let register = (usize::from(form.word.d()) + number) % 32;
        let value = element(cpu.v[register], u32::from(form.option), bits).to_le_bytes();
        part.copy_from_slice(&value[..part.len()]);
    }
    memory.write(cpu.get(form.n), bytes)?;
    advance(cpu, form, form.immediate * u64::from(bits / 8));
    Ok(())
}
