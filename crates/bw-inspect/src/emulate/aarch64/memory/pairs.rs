//! Loads and stores of two registers.

use super::addressing::{AFTER, BEFORE, Item, OFFSET};
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word, source};
use crate::emulate::aarch64::register_file::{Cpu, SINK, STACK};
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;

/// Loads two numbers of `BYTES` bytes.
fn load<T: Item, const BYTES: u64>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Instruction,
) -> Result<(), Fault> {
    let address = form.address(cpu);
    let first = T::read(memory, address)?;
    let second = T::read(memory, address.wrapping_add(BYTES))?;
    form.write_back(cpu);
    cpu.set(form.d, first);
    cpu.set(form.a, second);
    Ok(())
}

fn load_vectors<const BYTES: usize>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Instruction,
) -> Result<(), Fault> {
    let address = form.address(cpu);
    let mut loaded = [[0; 16]; 2];
    for (whole, at) in loaded.iter_mut().zip((0..).map(|n: u64| address.wrapping_add(n * BYTES as u64))) {
        whole[..BYTES].copy_from_slice(&memory.read_array::<BYTES>(at)?);
    }
    form.write_back(cpu);
    for (register, whole) in [form.word.d(), form.word.a()].into_iter().zip(loaded) {
        cpu.v[usize::from(register)] = u128::from_le_bytes(whole);
    }
    Ok(())
}

fn store_vectors<const BYTES: usize>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Instruction,
) -> Result<(), Fault> {
    let mut bytes = [0; 32];
    for (number, register) in [form.word.d(), form.word.a()].into_iter().enumerate() {
        let whole = cpu.v[usize::from(register)].to_le_bytes();
        bytes[number * BYTES..][..BYTES].copy_from_slice(&whole[..BYTES]);
    }
    memory.write(form.address(cpu), &bytes[..2 * BYTES])?;
    form.write_back(cpu);
    Ok(())
}

pub(super) fn decode(word: Word) -> Option<Instruction> {
    let (opc, loads, is_vector) = (word.bits(30, 2), word.bit(22), word.bit(26));
    let way = match word.bits(23, 2) {
        // Without a place in caches, which makes no difference.
        0 | 2 => OFFSET,
        1 => AFTER,
        _ => BEFORE,
    };
    let (name, handler, scale): (_, Handler, _) = match (is_vector, loads, opc) {
        (false, true, 0) => ("ldp", load::<u32, 4>, 2),
        (false, true, 1) if word.bits(23, 2) != 0 => ("ldpsw", load::<i32, 4>, 2),
        (false, true, 2) => ("ldp", load::<u64, 8>, 3),
        (false, false, 0) => ("stp", store_narrow, 2),
        (false, false, 2) => ("stp", store_wide, 3),
        (true, true, 0) => ("ldp (vector)", load_vectors::<4>, 2),
        (true, true, 1) => ("ldp (vector)", load_vectors::<8>, 3),
        (true, true, 2) => ("ldp (vector)", load_vectors::<16>, 4),
        (true, false, 0) => ("stp (vector)", store_vectors::<4>, 2),
        (true, false, 1) => ("stp (vector)", store_vectors::<8>, 3),
        (true, false, 2) => ("stp (vector)", store_vectors::<16>, 4),
        _ => return None,
    };
    if loads && word.d() == word.a() {
        return None;
    }
    let immediate = word.signed(15, 7) << scale;
    let instruction = Instruction::new(word, name, handler).with_stack_n();
    let instruction = instruction.with_option(way).with_immediate(immediate.cast_unsigned());
    if !is_vector && (instruction.overlaps(word.d()) || instruction.overlaps(word.a())) {
        return None;
    }
    let second = if word.a() == STACK { SINK } else { word.a() };
    Some(if loads {
        Instruction { a: second, ..instruction }
    } else {
        Instruction { a: source(word.a()), ..instruction.reading_d() }
    })
}

fn store_narrow(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let both = cpu.get(form.d) & 0xffff_ffff | cpu.get(form.a) << 32;
    memory.write_u64(form.address(cpu), both)?;
    form.write_back(cpu);
    Ok(())
}

fn store_wide(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let both = u128::from(cpu.get(form.d)) | u128::from(cpu.get(form.a)) << 64;
    memory.write_array(form.address(cpu), both.to_le_bytes())?;
    form.write_back(cpu);
    Ok(())
}
