//! Operations of all elements of one register with one element of another.

use super::elements::{collect, element, float_bits};
use super::float_operations as float;
use super::integer_operations::number;
use super::same_width::high_of_double;
use super::widening::first_of_half;
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::register_file::Cpu;
use crate::emulate::fault::Fault;

/// The number of the element is in `option`, the register that has it in `a`.
pub(super) fn decode(word: Word, is_scalar: bool) -> Option<Instruction> {
    let (u, opcode) = (word.bit(29), word.bits(12, 4));
    let (high, low, middle) = (word.bits(11, 1), word.bits(21, 1), word.bits(20, 1));
    let is_float = matches!(opcode, 0b0001 | 0b0101 | 0b1001);
    let (bits, number, register) = match (is_float, word.bits(22, 2)) {
        (true, 2) | (false, 2) => (32, high << 1 | low, middle << 4 | word.bits(16, 4)),
        (true, 3) if low == 0 => (64, high, middle << 4 | word.bits(16, 4)),
        (false, 1) => (16, high << 2 | low << 1 | middle, word.bits(16, 4)),
        _ => return None,
    };
    let pick = |signed: &'static str, unsigned: &'static str| if u { unsigned } else { signed };
    let (name, handler, has_scalar): (_, Handler, _) = match (opcode, u) {
        (0b0001, false) => ("fmla (element)", |cpu, _, form| same(cpu, form, float::multiply_add), true),
        (0b0101, false) => (
            "fmls (element)",
            |cpu, _, form| {
                same(cpu, form, |d, n, m, bits| float::multiply_add(d, float::negative(n, bits), m, bits))
            },
            true,
        ),
        (0b1001, false) => {
            ("fmul (element)", |cpu, _, form| same(cpu, form, |_, n, m, bits| float::mul(n, m, bits)), true)
        }
        (0b0000, true) => (
            "mla (element)",
            |cpu, _, form| same(cpu, form, |d, n, m, _| d.wrapping_add(n.wrapping_mul(m))),
            false,
        ),
        (0b0100, true) => (
            "mls (element)",
            |cpu, _, form| same(cpu, form, |d, n, m, _| d.wrapping_sub(n.wrapping_mul(m))),
            false,
        ),
        (0b1000, false) => {
            ("mul (element)", |cpu, _, form| same(cpu, form, |_, n, m, _| n.wrapping_mul(m)), false)
        }
        (0b0010, _) => (
            pick("smlal (element)", "umlal (element)"),
            |cpu, _, form| long(cpu, form, |d, n, m| d + n * m),
            false,
        ),
        (0b0110, _) => (
            pick("smlsl (element)", "umlsl (element)"),
            |cpu, _, form| long(cpu, form, |d, n, m| d - n * m),
            false,
        ),
        (0b1010, _) => (
            pick("smull (element)", "umull (element)"),
            |cpu, _, form| long(cpu, form, |_, n, m| n * m),
            false,
        ),
        (0b1100, false) => (
            "sqdmulh (element)",
            |cpu, _, form| same(cpu, form, |_, n, m, bits| high_of_double(n, m, bits, false)),
            true,
        ),
        (0b1101, false) => (
            "sqrdmulh (element)",
            |cpu, _, form| same(cpu, form, |_, n, m, bits| high_of_double(n, m, bits, true)),
            true,
        ),
        _ => return None,
    };
    if (is_scalar && !has_scalar) || (!is_scalar && is_float && float_bits(word) == 64 && !word.bit(30)) {
        return None;
    }
    let instruction = Instruction::of_vectors(word, name, handler).with_shape(is_scalar, bits);
    Some(Instruction { a: register as u8, ..instruction }.with_option(number))
}

/// The element.
fn factor(cpu: &Cpu, form: &Instruction) -> u64 {
    element(cpu.v[usize::from(form.a & 31)], form.option.into(), form.bits())
}

fn same(
    cpu: &mut Cpu,
    form: &Instruction,
    operation: impl Fn(u64, u64, u64, u32) -> u64,
) -> Result<(), Fault> {
    let ([d, n, _], bits, m) = (form.vectors(cpu), form.bits(), factor(cpu, form));
    let value = |at| operation(element(d, at, bits), element(n, at, bits), m, bits);
    form.set_vector(cpu, collect(form.count(), bits, value))
}

fn long(
    cpu: &mut Cpu,
    form: &Instruction,
    operation: impl Fn(i128, i128, i128) -> i128,
) -> Result<(), Fault> {
    let ([d, n, _], bits, is_unsigned) = (form.vectors(cpu), form.bits(), form.word.bit(29));
    let (first, m) = (first_of_half(form), number(factor(cpu, form), bits, is_unsigned));
    let value = |at| {
        let n = number(element(n, first + at, bits), bits, is_unsigned);
        operation(element(d, at, 2 * bits).into(), n, m) as u64
    };
    form.set_vector(cpu, collect(64 / bits, 2 * bits, value))
}
