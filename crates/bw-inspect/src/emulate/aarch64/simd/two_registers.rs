//! Operations on the elements of one register.

use super::elements::{collect, each, element, float_bits, signed};
use super::float_conversion::{from_integer, precision, to_integer};
use super::float_operations as float;
use super::integer_operations::{mask, number, saturate_signed, saturate_unsigned};
use super::rounding::Rounding;
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};
use crate::emulate::aarch64::register_file::Cpu;
use crate::emulate::fault::Fault;
use crate::emulate::overlay::Overlay;

pub(super) fn decode(word: Word, is_scalar: bool) -> Option<Instruction> {
    integers(word, is_scalar).or_else(|| floats(word, is_scalar))
}

macro_rules! unary {
    ($operation:expr) => {
        |cpu, _, form| {
            let operation: fn(u64, u32) -> u64 = $operation;
            each(cpu, form, operation)
        }
    };
}

fn integers(word: Word, is_scalar: bool) -> Option<Instruction> {
    let (size, u) = (word.bits(22, 2), word.bit(29));
    /// Which sizes of elements there are, of vectors and as a scalar.
    type Sizes = (&'static [u32], &'static [u32]);
    const ALL: &[u32] = &[0, 1, 2, 3];
    const NARROW: &[u32] = &[0, 1, 2];
    const VECTORS: Sizes = (NARROW, &[]);
    let (name, handler, (vectors, scalars)): (_, Handler, Sizes) = match (word.bits(12, 5), u) {
        (0b00000, false) => ("rev64", |cpu, _, form| reverse(cpu, form, 64), VECTORS),
        (0b00000, true) => ("rev32", |cpu, _, form| reverse(cpu, form, 32), (&[0, 1], &[])),
        (0b00001, false) => ("rev16", |cpu, _, form| reverse(cpu, form, 16), (&[0], &[])),
        (0b00010, _) => ("addlp", |cpu, _, form| add_neighbours(cpu, form, false), VECTORS),
        (0b00110, _) => ("adalp", |cpu, _, form| add_neighbours(cpu, form, true), VECTORS),
        (0b00100, false) => (
            "cls (vector)",
            unary!(|a, bits| {
                let number = signed(a, bits);
                u64::from((number ^ number << 1 | 1).leading_zeros()).min(u64::from(bits) - 1 + 64)
                    - u64::from(64 - bits)
            }),
            VECTORS,
        ),
        (0b00100, true) => {
            ("clz (vector)", unary!(|a, bits| u64::from(a.leading_zeros() + bits - 64)), VECTORS)
        }
        (0b00101, false) => ("cnt", unary!(|a, _| a.count_ones().into()), (&[0], &[])),
        (0b00101, true) if size == 0 => ("not", unary!(|a, _| !a), (&[0], &[])),
        (0b00101, true) => ("rbit (vector)", unary!(|a, bits| a.reverse_bits() >> (64 - bits)), (&[1], &[])),
        (0b00111, false) => {
            ("sqabs", unary!(|a, bits| saturate_signed(number(a, bits, false).abs(), bits)), (ALL, ALL))
        }
        (0b00111, true) => {
            ("sqneg", unary!(|a, bits| saturate_signed(-number(a, bits, false), bits)), (ALL, ALL))
        }
        (0b01000, false) => ("cmgt zero", unary!(|a, bits| mask(signed(a, bits) > 0)), (ALL, &[3])),
        (0b01000, true) => ("cmge zero", unary!(|a, bits| mask(signed(a, bits) >= 0)), (ALL, &[3])),
        (0b01001, false) => ("cmeq zero", unary!(|a, _| mask(a == 0)), (ALL, &[3])),
        (0b01001, true) => ("cmle zero", unary!(|a, bits| mask(signed(a, bits) <= 0)), (ALL, &[3])),
        (0b01010, false) => ("cmlt zero", unary!(|a, bits| mask(signed(a, bits) < 0)), (ALL, &[3])),
        (0b01011, false) => ("abs", unary!(|a, bits| signed(a, bits).unsigned_abs()), (ALL, &[3])),
        (0b01011, true) => ("neg", unary!(|a, _| a.wrapping_neg()), (ALL, &[3])),
        (0b10010, false) => ("xtn", |cpu, _, form| narrow(cpu, form, |a, _| a), VECTORS),
        (0b10010, true) => (
            "sqxtun",
            |cpu, _, form| narrow(cpu, form, |a, bits| saturate_unsigned(number(a, 2 * bits, false), bits)),
            (NARROW, NARROW),
        ),
        (0b10011, true) => ("shll", shift_left_long, VECTORS),
        (0b10100, false) => (
            "sqxtn",
            |cpu, _, form| narrow(cpu, form, |a, bits| saturate_signed(number(a, 2 * bits, false), bits)),
            (NARROW, NARROW),
        ),
        (0b10100, true) => (
            "uqxtn",
            |cpu, _, form| narrow(cpu, form, |a, bits| saturate_unsigned(number(a, 2 * bits, true), bits)),
            (NARROW, NARROW),
        ),
        _ => return None,
    };
    let is_allowed = if is_scalar {
        scalars.contains(&size)
    } else {
        vectors.contains(&size) && (size != 3 || word.bit(30))
    };
    let bits = if word.bits(12, 5) == 0b00101 { 8 } else { 8 << size };
    is_allowed.then(|| Instruction::of_vectors(word, name, handler).with_shape(is_scalar, bits))
}

/// Reverses the elements in each group of so many bits.
fn reverse(cpu: &mut Cpu, form: &Instruction, group: u32) -> Result<(), Fault> {
    let ([_, n, _], bits) = (form.vectors(cpu), form.bits());
    let last = group / bits - 1;
    form.set_vector(cpu, collect(form.count(), bits, |at| element(n, at ^ last, bits)))
}

/// Adds each two neighbours, into elements twice as wide.
fn add_neighbours(cpu: &mut Cpu, form: &Instruction, accumulates: bool) -> Result<(), Fault> {
    let ([d, n, _], bits, is_unsigned) = (form.vectors(cpu), form.bits(), form.word.bit(29));
    let value = |at| {
        let part = |at| number(element(n, at, bits), bits, is_unsigned);
        let sum = (part(2 * at) + part(2 * at + 1)) as u64;
        sum.wrapping_add(if accumulates { element(d, at, 2 * bits) } else { 0 })
    };
    form.set_vector(cpu, collect(form.count() / 2, 2 * bits, value))
}

/// Makes elements half as wide. They fill the lower half of the register, or else the upper one.
pub(super) fn narrow(
    cpu: &mut Cpu,
    form: &Instruction,
    operation: impl Fn(u64, u32) -> u64,
) -> Result<(), Fault> {
    let ([d, n, _], bits) = (form.vectors(cpu), form.bits());
    let count = if form.bytes < 8 { 1 } else { 64 / bits };
    let narrowed = collect(count, bits, |at| operation(element(n, at, 2 * bits), bits));
    form.set_vector(cpu, in_half(form, d, narrowed))
}

/// A result of 64 bits, in the half of the register that the instruction says.
pub(super) fn in_half(form: &Instruction, before: u128, half: u128) -> u128 {
    if form.bytes == 16 { before & u128::from(u64::MAX) | half << 64 } else { half }
}

/// `shll`: elements of half a register, shifted left into elements twice as wide.
fn shift_left_long(cpu: &mut Cpu, _: &mut Overlay<'_>, form: &Instruction) -> Result<(), Fault> {
    let ([_, n, _], bits) = (form.vectors(cpu), form.bits());
    let first = if form.bytes == 16 { 64 / bits } else { 0 };
    form.set_vector(cpu, collect(64 / bits, 2 * bits, |at| element(n, first + at, bits) << bits))
}

fn floats(word: Word, is_scalar: bool) -> Option<Instruction> {
    macro_rules! rounds {
        ($rounding:ident) => {
            unary!(|a, bits| Rounding::$rounding.of_bits(a, bits))
        };
    }
    macro_rules! integer {
        ($rounding:ident) => {
            |cpu, _, form| {
                let is_unsigned = form.word.bit(29);
                each(cpu, form, |a, bits| to_integer(a, bits, bits, is_unsigned, Rounding::$rounding, 0))
            }
        };
    }
    const BOTH: bool = true;
    const VECTOR: bool = false;
    let (name, handler, has_scalar): (_, Handler, _) = match (word.bits(12, 5), word.bit(23), word.bit(29)) {
        (0b01100, true, false) => ("fcmgt zero", unary!(|a, bits| float::greater(a, 0, bits)), BOTH),
        (0b01100, true, true) => ("fcmge zero", unary!(|a, bits| float::greater_or_equal(a, 0, bits)), BOTH),
        (0b01101, true, false) => ("fcmeq zero", unary!(|a, bits| float::equal(a, 0, bits)), BOTH),
        (0b01101, true, true) => ("fcmle zero", unary!(|a, bits| float::greater_or_equal(0, a, bits)), BOTH),
        (0b01110, true, false) => ("fcmlt zero", unary!(|a, bits| float::greater(0, a, bits)), BOTH),
        (0b01111, true, false) => ("fabs (vector)", unary!(float::absolute), VECTOR),
        (0b01111, true, true) => ("fneg (vector)", unary!(float::negative), VECTOR),
        (0b11111, true, true) => ("fsqrt (vector)", unary!(float::square_root), VECTOR),
        (0b11000, false, false) => ("frintn (vector)", rounds!(Even), VECTOR),
        (0b11000, false, true) => ("frinta (vector)", rounds!(Away), VECTOR),
        (0b11000, true, false) => ("frintp (vector)", rounds!(Up), VECTOR),
        (0b11001, false, false) => ("frintm (vector)", rounds!(Down), VECTOR),
        (0b11001, false, true) => ("frintx (vector)", rounds!(Even), VECTOR),
        (0b11001, true, false) => ("frintz (vector)", rounds!(Zero), VECTOR),
        (0b11001, true, true) => ("frinti (vector)", rounds!(Even), VECTOR),
        (0b11010, false, _) => ("fcvtn to integer (vector)", integer!(Even), BOTH),
        (0b11010, true, _) => ("fcvtp (vector)", integer!(Up), BOTH),
        (0b11011, false, _) => ("fcvtm (vector)", integer!(Down), BOTH),
        (0b11011, true, _) => ("fcvtz (vector)", integer!(Zero), BOTH),
        (0b11100, false, _) => ("fcvta (vector)", integer!(Away), BOTH),
        (0b11101, false, _) => (
            "cvtf (vector)",
            |cpu, _, form| {
                let is_unsigned = form.word.bit(29);
                each(cpu, form, |a, bits| from_integer(a, bits, is_unsigned, bits, 0))
            },
            BOTH,
        ),
        (0b10110, false, false) if !is_scalar => return Some(precision_narrow(word)),
        (0b10111, false, false) if !is_scalar => return Some(precision_long(word)),
        _ => return None,
    };
    let bits = float_bits(word);
    let is_allowed = if is_scalar { has_scalar } else { bits == 32 || word.bit(30) };
    is_allowed.then(|| Instruction::of_vectors(word, name, handler).with_shape(is_scalar, bits))
}

/// `fcvtn`: to half or single precision.
fn precision_narrow(word: Word) -> Instruction {
    let handler: Handler = |cpu, _, form| narrow(cpu, form, |a, bits| precision(a, 2 * bits, bits));
    Instruction::of_vectors(word, "fcvtn", handler).with_shape(false, float_bits(word) / 2)
}

/// `fcvtl`: from half or single precision.
fn precision_long(word: Word) -> Instruction {
    let handler: Handler = |cpu, _, form| {
        let ([_, n, _], bits) = (form.vectors(cpu), form.bits());
        let first = if form.bytes == 16 { 64 / bits } else { 0 };
        let value = |at| precision(element(n, first + at, bits), bits, 2 * bits);
        form.set_vector(cpu, collect(64 / bits, 2 * bits, value))
    };
    Instruction::of_vectors(word, "fcvtl", handler).with_shape(false, float_bits(word) / 2)
}
