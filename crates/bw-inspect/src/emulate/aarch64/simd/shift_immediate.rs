//! Shifts of elements by an immediate.

use super::elements::{all, collect, element, ones};
use super::float_conversion::{from_integer, to_integer};
use super::integer_operations::{number, saturate_signed, saturate_unsigned, shift};
use super::rounding::Rounding;
use super::two_registers::narrow;
use super::widening::first_of_half;
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::register_file::Cpu;
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;

/// The number of bits by which an instruction shifts is in `option`: to the right where the operation does.
pub(super) fn decode(word: Word, is_scalar: bool) -> Option<Instruction> {
    let (places, opcode, u) = (word.bits(16, 7), word.bits(11, 5), word.bit(29));
    let bits = 8 << (places >> 3).checked_ilog2()?;
    let is_left = matches!(opcode, 0b01010 | 0b01100 | 0b01110 | 0b10100);
    // The immediate is `2 * bits - shift` to the right, and `bits + shift` to the left; `sri` is to the right in spite of its opcode.
    let by = if is_left { places - bits } else { 2 * bits - places };
    let narrows = (0b10000..=0b10011).contains(&opcode);
    let widens = opcode == 0b10100;
    let is_float = matches!(opcode, 0b11100 | 0b11111);
    let is_allowed = match (is_scalar, narrows || widens) {
        (_, true) if bits == 64 => false,
        (true, true) => !widens && (u || opcode >= 0b10010),
        (false, true) => true,
        // As scalars, those that saturate are of each size, the others of 64 bits.
        (true, false) => bits == 64 || matches!(opcode, 0b01100 | 0b01110) || (is_float && bits == 32),
        (false, false) => bits < 64 || word.bit(30),
    };
    if !is_allowed || (is_float && bits < 32) {
        return None;
    }
    let (name, handler) = handler(opcode, u)?;
    Some(Instruction::of_vectors(word, name, handler).with_option(by).with_shape(is_scalar, bits))
}

fn handler(opcode: u32, u: bool) -> Option<(&'static str, Handler)> {
    /// Shifts to the right, perhaps with rounding, perhaps added to what is there.
    macro_rules! right {
        ($rounds:literal, $accumulates:literal) => {
            |cpu, _, form| {
                let (by, is_unsigned) = (-i64::from(form.option), form.word.bit(29));
                all(cpu, form, |d, n, _, bits| {
                    let shifted = shift(number(n, bits, is_unsigned), by, bits, $rounds) as u64;
                    if $accumulates { d.wrapping_add(shifted) } else { shifted }
                })
            }
        };
    }
    /// Shifts to the right into elements half as wide.
    macro_rules! narrows {
        ($rounds:literal, $from_unsigned:literal, $saturate:expr) => {
            |cpu, _, form| {
                let by = -i64::from(form.option);
                narrow(cpu, form, |a, bits| {
                    let saturate: fn(i128, u32) -> u64 = $saturate;
                    saturate(shift(number(a, 2 * bits, $from_unsigned), by, 2 * bits, $rounds), bits)
                })
            }
        };
    }
    let pick = |signed: &'static str, unsigned: &'static str| if u { unsigned } else { signed };
    let (name, handler): (_, Handler) = match (opcode, u) {
        (0b00000, _) => (pick("sshr", "ushr"), right!(false, false)),
        (0b00010, _) => (pick("ssra", "usra"), right!(false, true)),
        (0b00100, _) => (pick("srshr", "urshr"), right!(true, false)),
        (0b00110, _) => (pick("srsra", "ursra"), right!(true, true)),
        (0b01000, true) => ("sri", |cpu, _, form| {
            let by = u32::from(form.option);
            all(cpu, form, |d, n, _, bits| {
                let kept = ones(bits) & !(ones(bits).checked_shr(by).unwrap_or(0));
                d & kept | n.checked_shr(by).unwrap_or(0)
            })
        }),
        (0b01010, false) => ("shl", |cpu, _, form| all(cpu, form, |_, n, _, _| n << form.option)),
        (0b01010, true) => ("sli", |cpu, _, form| {
            all(cpu, form, |d, n, _, _| d & ((1 << form.option) - 1) | n << form.option)
        }),
        (0b01100, true) => ("sqshlu", |cpu, _, form| {
            all(cpu, form, |_, n, _, bits| saturate_unsigned(number(n, bits, false) << form.option, bits))
        }),
        (0b01110, false) => ("sqshl", |cpu, _, form| {
            all(cpu, form, |_, n, _, bits| saturate_signed(number(n, bits, false) << form.option, bits))
        }),
        (0b01110, true) => ("uqshl", |cpu, _, form| {
            all(cpu, form, |_, n, _, bits| saturate_unsigned(number(n, bits, true) << form.option, bits))
        }),
        (0b10000, false) => ("shrn", narrows!(false, true, |a, _| a as u64)),
        (0b10000, true) => ("sqshrun", narrows!(false, false, saturate_unsigned)),
        (0b10001, false) => ("rshrn", narrows!(true, true, |a, _| a as u64)),
        (0b10001, true) => ("sqrshrun", narrows!(true, false, saturate_unsigned)),
        (0b10010, false) => ("sqshrn", narrows!(false, false, saturate_signed)),
        (0b10010, true) => ("uqshrn", narrows!(false, true, saturate_unsigned)),
        (0b10011, false) => ("sqrshrn", narrows!(true, false, saturate_signed)),
        (0b10011, true) => ("uqrshrn", narrows!(true, true, saturate_unsigned)),
        (0b10100, _) => (pick("sshll", "ushll"), shift_long),
        (0b11100, _) => ("cvtf (fixed)", |cpu, _, form| {
            let is_unsigned = form.word.bit(29);
            all(cpu, form, |_, n, _, bits| from_integer(n, bits, is_unsigned, bits, form.option.into()))
        }),
        (0b11111, _) => ("fcvtz (fixed, vector)", |cpu, _, form| {
            let is_unsigned = form.word.bit(29);
            all(cpu, form, |_, n, _, bits| {
                to_integer(n, bits, bits, is_unsigned, Rounding::Zero, form.option.into())
            })
        }),
        _ => return None,
    };
    Some((name, handler))
}

/// `sshll` and `ushll`: elements of half a register, shifted left into elements twice as wide.
fn shift_long(cpu: &mut Cpu, _: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let ([_, n, _], bits, is_unsigned) = (form.vectors(cpu), form.bits(), form.word.bit(29));
    let first = first_of_half(form);
    let value = |at| (number(element(n, first + at, bits), bits, is_unsigned) << form.option) as u64;
    form.set_vector(cpu, collect(64 / bits, 2 * bits, value))
}
