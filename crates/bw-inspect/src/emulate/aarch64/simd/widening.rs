//! Operations whose results, or first operands, are twice as wide as the elements of the other registers.

use super::elements::{collect, element};
use super::integer_operations::{number, polynomial_product};
use super::two_registers::in_half;
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::register_file::Cpu;
use crate::emulate::fault::Fault;

pub(super) fn decode(word: Word) -> Option<Instruction> {
    let (size, u, opcode) = (word.bits(22, 2), word.bit(29), word.bits(12, 4));
    let pick = |signed: &'static str, unsigned: &'static str| if u { unsigned } else { signed };
    let (name, handler): (_, Handler) = match opcode {
        0b1110 if !u && size == 0 => ("pmull", |cpu, _, form| {
            long(cpu, form, |_, a, b| polynomial_product(a as u64 & 0xff, b as u64 & 0xff) as i128)
        }),
        0b1110 if !u && size == 3 => ("pmull", |cpu, _, form| {
            let ([_, n, m], half) = (form.vectors(cpu), u32::from(form.bytes == 16));
            form.set_vector(cpu, polynomial_product(element(n, half, 64), element(m, half, 64)))
        }),
        _ if size == 3 => return None,
        0b0000 => (pick("saddl", "uaddl"), |cpu, _, form| long(cpu, form, |_, a, b| a + b)),
        0b0001 => (pick("saddw", "uaddw"), |cpu, _, form| wide(cpu, form, |a, b| a + b)),
        0b0010 => (pick("ssubl", "usubl"), |cpu, _, form| long(cpu, form, |_, a, b| a - b)),
        0b0011 => (pick("ssubw", "usubw"), |cpu, _, form| wide(cpu, form, |a, b| a - b)),
        0b0100 => (pick("addhn", "raddhn"), |cpu, _, form| high_half(cpu, form, u64::wrapping_add)),
        0b0101 => (pick("sabal", "uabal"), |cpu, _, form| long(cpu, form, |d, a, b| d + (a - b).abs())),
        0b0110 => (pick("subhn", "rsubhn"), |cpu, _, form| high_half(cpu, form, u64::wrapping_sub)),
        0b0111 => (pick("sabdl", "uabdl"), |cpu, _, form| long(cpu, form, |_, a, b| (a - b).abs())),
        0b1000 => (pick("smlal", "umlal"), |cpu, _, form| long(cpu, form, |d, a, b| d + a * b)),
        0b1010 => (pick("smlsl", "umlsl"), |cpu, _, form| long(cpu, form, |d, a, b| d - a * b)),
        0b1100 => (pick("smull", "umull"), |cpu, _, form| long(cpu, form, |_, a, b| a * b)),
        _ => return None,
    };
    Some(Instruction::of_vectors(word, name, handler).with_shape(false, 8 << size))
}

/// The number of the first element of the half of a register that the instruction reads.
pub(super) fn first_of_half(form: &Instruction) -> u32 {
    if form.bytes == 16 { 64 / form.bits() } else { 0 }
}

/// Elements of half of `n` and `m`, to elements of `d` twice as wide, which are the first operand.
fn long(
    cpu: &mut Cpu,
    form: &Instruction,
    operation: impl Fn(i128, i128, i128) -> i128,
) -> Result<(), Fault> {
    let ([d, n, m], bits, is_unsigned) = (form.vectors(cpu), form.bits(), form.word.bit(29));
    let first = first_of_half(form);
    let part = |register, at| number(element(register, first + at, bits), bits, is_unsigned);
    let value = |at| operation(element(d, at, 2 * bits).into(), part(n, at), part(m, at)) as u64;
    form.set_vector(cpu, collect(64 / bits, 2 * bits, value))
}

/// The same where `n` has wide elements, too.
fn wide(cpu: &mut Cpu, form: &Instruction, operation: impl Fn(i128, i128) -> i128) -> Result<(), Fault> {
    let ([_, n, m], bits, is_unsigned) = (form.vectors(cpu), form.bits(), form.word.bit(29));
    let first = first_of_half(form);
    let value = |at| {
        let b = number(element(m, first + at, bits), bits, is_unsigned);
        operation(number(element(n, at, 2 * bits), 2 * bits, is_unsigned), b) as u64
    };
    form.set_vector(cpu, collect(64 / bits, 2 * bits, value))
}

/// The high halves of results of wide elements.
fn high_half(cpu: &mut Cpu, form: &Instruction, operation: impl Fn(u64, u64) -> u64) -> Result<(), Fault> {
    let ([d, n, m], bits) = (form.vectors(cpu), form.bits());
    let rounding = if form.word.bit(29) { 1 << (bits - 1) } else { 0 };
    let value = |at| {
        let whole = operation(element(n, at, 2 * bits), element(m, at, 2 * bits));
        whole.wrapping_add(rounding) >> bits
    };
    let half = collect(64 / bits, bits, value);
    form.set_vector(cpu, in_half(form, d, half))
}
