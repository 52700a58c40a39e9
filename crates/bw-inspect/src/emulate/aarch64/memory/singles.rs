//! Loads and stores of one register.

use super::addressing::{AFTER, BEFORE, Item, LITERAL, OFFSET, REGISTER};
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::register_file::Cpu;
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;

/// A load or store, without its address.
#[derive(Clone, Copy)]
struct Transfer {
    name: &'static str,
    handler: Handler,
    /// Register `d` is read.
    stores: bool,
    /// What is loaded fills 64 bits.
    wide: bool,
    /// The binary logarithm of the number of its bytes.
    scale: u32,
}

fn load<T: Item>(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let value = T::read(memory, form.address(cpu))?;
    form.write_back(cpu);
    cpu.set_as(form.d, value, form.wide);
    Ok(())
}

fn store<T: Item>(cpu: &mut Cpu, memory: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    T::write(memory, form.address(cpu), cpu.get(form.d))?;
    form.write_back(cpu);
    Ok(())
}

fn load_vector<const BYTES: usize>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Instruction,
) -> Result<(), Fault> {
    let mut whole = [0; 16];
    whole[..BYTES].copy_from_slice(&memory.read_array::<BYTES>(form.address(cpu))?);
    form.write_back(cpu);
    cpu.v[usize::from(form.word.d())] = u128::from_le_bytes(whole);
    Ok(())
}

fn store_vector<const BYTES: usize>(
    cpu: &mut Cpu,
    memory: &mut Overlay<'_>,
    form: &Instruction,
) -> Result<(), Fault> {
    let whole = cpu.v[usize::from(form.word.d())].to_le_bytes();
    let mut bytes = [0; BYTES];
    bytes.copy_from_slice(&whole[..BYTES]);
    memory.write_array(form.address(cpu), bytes)?;
    form.write_back(cpu);
    Ok(())
}

/// What an instruction loads or stores, by its fields `size`, `V` and `opc`.
fn transfer(size: u32, is_vector: bool, opc: u32) -> Option<Transfer> {
    if is_vector {
        let scale = if opc & 2 != 0 { if size == 0 { 4 } else { return None } } else { size };
        let loads: [Handler; 5] =
            [load_vector::<1>, load_vector::<2>, load_vector::<4>, load_vector::<8>, load_vector::<16>];
        let stores: [Handler; 5] =
            [store_vector::<1>, store_vector::<2>, store_vector::<4>, store_vector::<8>, store_vector::<16>];
        let stores_it = opc & 1 == 0;
        let handler = *if stores_it { stores } else { loads }.get(scale as usize)?;
        let name = if stores_it { "str (vector)" } else { "ldr (vector)" };
        return Some(Transfer { name, handler, stores: stores_it, wide: true, scale });
    }
    let (name, handler, wide): (_, Handler, _) = match (opc, size) {
        (0, 0) => ("strb", store::<u8>, true),
        (0, 1) => ("strh", store::<u16>, true),
        (0, 2) => ("str", store::<u32>, true),
        (0, _) => ("str", store::<u64>, true),
        (1, 0) => ("ldrb", load::<u8>, true),
        (1, 1) => ("ldrh", load::<u16>, true),
        (1, 2) => ("ldr", load::<u32>, true),
        (1, _) => ("ldr", load::<u64>, true),
        (_, 0) => ("ldrsb", load::<i8>, opc == 2),
        (_, 1) => ("ldrsh", load::<i16>, opc == 2),
        (2, 2) => ("ldrsw", load::<i32>, true),
        _ => return None,
    };
    Some(Transfer { name, handler, stores: opc == 0, wide, scale: size })
}

/// An instruction with this address. `None` if it changes the register that it loads or stores.
fn with_address(word: Word, transfer: Transfer, way: u32, immediate: i64) -> Option<Instruction> {
    let instruction = Instruction::new(word, transfer.name, transfer.handler).with_stack_n();
    let instruction = if transfer.stores { instruction.reading_d() } else { instruction };
    let instruction = Instruction { wide: transfer.wide, ..instruction };
    let instruction = instruction.with_option(way).with_immediate(immediate.cast_unsigned());
    let is_allowed = word.bit(26) || !instruction.overlaps(word.d());
    is_allowed.then_some(instruction)
}

fn prefetch(word: Word) -> Instruction {
    Instruction::new(word, "prfm", |_, _, _| Ok(()))
}

fn of_word(word: Word) -> Option<Transfer> {
    transfer(word.bits(30, 2), word.bit(26), word.bits(22, 2))
}

fn is_prefetch(word: Word) -> bool {
    word.bits(30, 2) == 3 && !word.bit(26) && word.bits(22, 2) == 2
}

pub(super) fn unsigned_offset(word: Word) -> Option<Instruction> {
    if is_prefetch(word) {
        return Some(prefetch(word));
    }
    let transfer = of_word(word)?;
    with_address(word, transfer, OFFSET, i64::from(word.bits(10, 12)) << transfer.scale)
}

/// Unscaled offsets, and those that change the register.
pub(super) fn signed_offset(word: Word) -> Option<Instruction> {
    let way = match word.bits(10, 2) {
        0 if is_prefetch(word) => return Some(prefetch(word)),
        0 => OFFSET,
        1 => AFTER,
        3 => BEFORE,
        _ => return None,
    };
    with_address(word, of_word(word)?, way, word.signed(12, 9))
}

pub(super) fn register_offset(word: Word) -> Option<Instruction> {
    // Bytes and halfwords are no offsets.
    if !word.bit(14) {
        return None;
    }
    if is_prefetch(word) {
        return Some(prefetch(word));
    }
    let transfer = of_word(word)?;
    let shift = if word.bit(12) { transfer.scale } else { 0 };
    with_address(word, transfer, REGISTER, 0).map(|instruction| instruction.with_element(shift))
}

/// A load from an address near the instruction.
pub(super) fn literal(at: u64, word: Word) -> Option<Instruction> {
    let transfer = match (word.bits(30, 2), word.bit(26)) {
        (0, false) => transfer(2, false, 1),
        (1, false) => transfer(3, false, 1),
        (2, false) => transfer(2, false, 2),
        (_, false) => return Some(prefetch(word)),
        (0, true) => transfer(2, true, 1),
        (1, true) => transfer(3, true, 1),
        (2, true) => transfer(0, true, 3),
        _ => None,
    };
    with_address(word, transfer?, LITERAL, at.wrapping_add_signed(word.signed(5, 19) << 2).cast_signed())
}

/// `ldapur` and `stlur`: ordered, with an unscaled offset.
pub(super) fn unscaled_ordered(word: Word) -> Option<Instruction> {
    if word.bit(26) || word.bit(21) || word.bits(10, 2) != 0 {
        return None;
    }
    with_address(word, of_word(word)?, OFFSET, word.signed(12, 9))
}
