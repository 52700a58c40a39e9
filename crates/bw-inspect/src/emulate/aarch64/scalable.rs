//! The few instructions of SVE with which the C library copies and fills memory on processors that have it.
//!
//! How long vectors are is the processor's choice, and code asks for it each time. Here they have 16 bytes, so the vector registers are
//! the same as those of all other instructions.

use super::instruction::{Handler, Instruction, Word};
use super::nzcv::Nzcv;

/// Bytes of a vector.
const BYTES: u64 = 16;
/// A predicate of which all elements are active.
const ALL: u16 = u16::MAX;

/// Decodes an instruction of SVE.
pub(super) fn decode(word: Word) -> Option<Instruction> {
    let (name, handler): (_, Handler) = match word.0 {
        bits if bits & 0xffff_ffe0 == 0x0420_e3e0 => ("cntb", |cpu, _, form| {
            cpu.set(form.d, BYTES);
            Ok(())
        }),
        bits if bits & 0xffff_fff0 == 0x2518_e3e0 => ("ptrue", |cpu, _, form| {
            cpu.p[form.word.bits(0, 4) as usize & 15] = ALL;
            Ok(())
        }),
        bits if bits & 0xffe0_fc10 == 0x2520_1c00 => ("whilelo", |cpu, _, form| {
            // How many elements there are before the first number reaches the second.
            let left = cpu.get(form.m).saturating_sub(cpu.get(form.n)).min(BYTES) as u32;
            let active = ((1_u32 << left) - 1) as u16;
            cpu.p[form.word.bits(0, 4) as usize & 15] = active;
            cpu.flags =
                Nzcv { negative: active & 1 == 1, zero: active == 0, carry: active != ALL, overflow: false };
            Ok(())
        }),
        bits if bits & 0xfff0_e000 == 0xa400_a000 => ("ld1b", |cpu, memory, form| {
            let (active, address) =
                (cpu.p[form.word.bits(10, 3) as usize & 15], address(cpu.get(form.n), form));
            let mut bytes = [0; BYTES as usize];
            if active == ALL {
                bytes = memory.read_array(address)?;
            } else {
                for (number, byte) in (0..).zip(&mut bytes).filter(|(number, _)| active >> number & 1 == 1) {
                    [*byte] = memory.read_array(address.wrapping_add(number))?;
                }
            }
            form.set_vector(cpu, u128::from_le_bytes(bytes))
        }),
        bits if bits & 0xfff0_e000 == 0xe400_e000 => ("st1b", |cpu, memory, form| {
            let (active, address) =
                (cpu.p[form.word.bits(10, 3) as usize & 15], address(cpu.get(form.n), form));
            let bytes = cpu.v[usize::from(form.word.d())].to_le_bytes();
            if active == ALL {
                return memory.write_array(address, bytes);
            }
            (0..)
                .zip(bytes)
                .filter(|(number, _)| active >> number & 1 == 1)
                .try_for_each(|(number, byte)| memory.write_array(address.wrapping_add(number), [byte]))
        }),
        bits if bits & 0xffff_fc00 == 0x0520_3800 => ("mov from register", |cpu, _, form| {
            let [byte, ..] = cpu.get(form.n).to_le_bytes();
            form.set_vector(cpu, u128::from_le_bytes([byte; BYTES as usize]))
        }),
        _ => return None,
    };
    let instruction = Instruction::new(word, name, handler);
    // The address, or the value, is register 31 only as the stack pointer.
    let has_stack = matches!(name, "ld1b" | "st1b" | "mov from register");
    Some(if has_stack { instruction.with_stack_n() } else { instruction })
}

/// The address of a vector, which the instruction says in vectors.
fn address(base: u64, form: &Instruction) -> u64 {
    base.wrapping_add_signed(form.word.signed(16, 4) * BYTES as i64)
}
