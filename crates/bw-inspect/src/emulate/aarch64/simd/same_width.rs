//! Operations on the elements of two registers, with results as wide as they are.

use super::elements::{all, both, collect, element, float_bits, neighbours, signed};
use super::float_operations as float;
use super::integer_operations::{
    mask, number, polynomial_product, saturate_signed, saturate_unsigned, shift,
};
use crate::emulate::aarch64::instruction::{Handler, Instruction, Word};

pub(super) fn decode(word: Word, is_scalar: bool) -> Option<Instruction> {
    let opcode = word.bits(11, 5);
    if opcode >= 0b11000 {
        return floats(word, is_scalar);
    }
    if opcode == 0b00011 && !is_scalar {
        return Some(bitwise(word));
    }
    let (name, handler, sizes) = integers(word.bit(29), opcode)?;
    let size = word.bits(22, 2);
    let is_allowed = if is_scalar {
        // Only those that saturate have a scalar form for each size.
        let scalars: &[u32] = match opcode {
            0b00001 | 0b00101 | 0b01001 | 0b01011 => &[0, 1, 2, 3],
            0b00110 | 0b00111 | 0b01000 | 0b01010 | 0b10000 | 0b10001 => &[3],
            0b10110 => &[1, 2],
            _ => &[],
        };
        scalars.contains(&size)
    } else {
        sizes.contains(&size) && (size != 3 || word.bit(30))
    };
    is_allowed.then(|| Instruction::of_vectors(word, name, handler).with_shape(is_scalar, 8 << size))
}

/// Sizes of elements, as encoded.
type Sizes = &'static [u32];

fn integers(is_unsigned: bool, opcode: u32) -> Option<(&'static str, Handler, Sizes)> {
    macro_rules! each {
        ($operation:expr) => {
            |cpu, _, form| both(cpu, form, $operation)
        };
    }
    /// Computes with the numbers, signed or not.
    macro_rules! numbers {
        ($operation:expr) => {
            |cpu, _, form| {
                let is_unsigned = form.word.bit(29);
                both(cpu, form, |a, b, bits| {
                    let operation: fn(i128, i128) -> i128 = $operation;
                    operation(number(a, bits, is_unsigned), number(b, bits, is_unsigned)) as u64
                })
            }
        };
    }
    /// The same, and the result is the nearest that fits.
    macro_rules! saturating {
        ($operation:expr) => {
            |cpu, _, form| {
                let is_unsigned = form.word.bit(29);
                both(cpu, form, |a, b, bits| {
                    let operation: fn(i128, i128) -> i128 = $operation;
                    let result = operation(number(a, bits, is_unsigned), number(b, bits, is_unsigned));
                    if is_unsigned { saturate_unsigned(result, bits) } else { saturate_signed(result, bits) }
                })
            }
        };
    }
    /// Shifts by the lowest byte of the other element.
    macro_rules! shifts {
        ($saturates:literal, $rounds:literal) => {
            |cpu, _, form| {
                let is_unsigned = form.word.bit(29);
                both(cpu, form, |a, b, bits| {
                    let result = shift(number(a, bits, is_unsigned), signed(b, 8), bits, $rounds);
                    match ($saturates, is_unsigned) {
                        (false, _) => result as u64,
                        (true, true) => saturate_unsigned(result, bits),
                        (true, false) => saturate_signed(result, bits),
                    }
                })
            }
        };
    }
    macro_rules! pairwise {
        ($operation:expr) => {
            |cpu, _, form| {
                let is_unsigned = form.word.bit(29);
                neighbours(cpu, form, |a, b, bits| {
                    let operation: fn(i128, i128) -> i128 = $operation;
                    operation(number(a, bits, is_unsigned), number(b, bits, is_unsigned)) as u64
                })
            }
        };
    }
    const ALL: Sizes = &[0, 1, 2, 3];
    const NARROW: Sizes = &[0, 1, 2];
    let pick = |signed: &'static str, unsigned: &'static str| if is_unsigned { unsigned } else { signed };
    let (name, handler, sizes): (_, Handler, _) = match (opcode, is_unsigned) {
        (0b00000, _) => (pick("shadd", "uhadd"), numbers!(|a, b| (a + b) >> 1), NARROW),
        (0b00001, _) => (pick("sqadd", "uqadd"), saturating!(|a, b| a + b), ALL),
        (0b00010, _) => (pick("srhadd", "urhadd"), numbers!(|a, b| (a + b + 1) >> 1), NARROW),
        (0b00100, _) => (pick("shsub", "uhsub"), numbers!(|a, b| (a - b) >> 1), NARROW),
        (0b00101, _) => (pick("sqsub", "uqsub"), saturating!(|a, b| a - b), ALL),
        (0b00110, _) => (pick("cmgt", "cmhi"), numbers!(|a, b| -i128::from(a > b)), ALL),
        (0b00111, _) => (pick("cmge", "cmhs"), numbers!(|a, b| -i128::from(a >= b)), ALL),
        (0b01000, _) => (pick("sshl", "ushl"), shifts!(false, false), ALL),
        (0b01001, _) => (pick("sqshl", "uqshl"), shifts!(true, false), ALL),
        (0b01010, _) => (pick("srshl", "urshl"), shifts!(false, true), ALL),
        (0b01011, _) => (pick("sqrshl", "uqrshl"), shifts!(true, true), ALL),
        (0b01100, _) => (pick("smax", "umax"), numbers!(|a, b| a.max(b)), NARROW),
        (0b01101, _) => (pick("smin", "umin"), numbers!(|a, b| a.min(b)), NARROW),
        (0b01110, _) => (pick("sabd", "uabd"), numbers!(|a, b| (a - b).abs()), NARROW),
        (0b01111, _) => (
            pick("saba", "uaba"),
            |cpu, _, form| {
                let is_unsigned = form.word.bit(29);
                all(cpu, form, |sum, a, b, bits| {
                    let difference = number(a, bits, is_unsigned) - number(b, bits, is_unsigned);
                    sum.wrapping_add(difference.unsigned_abs() as u64)
                })
            },
            NARROW,
        ),
        (0b10000, false) => ("add (vector)", each!(|a, b, _| a.wrapping_add(b)), ALL),
        (0b10000, true) => ("sub (vector)", each!(|a, b, _| a.wrapping_sub(b)), ALL),
        (0b10001, false) => ("cmtst", each!(|a, b, _| mask(a & b != 0)), ALL),
        (0b10001, true) => ("cmeq", each!(|a, b, _| mask(a == b)), ALL),
        (0b10010, false) => {
            ("mla", |cpu, _, form| all(cpu, form, |sum, a, b, _| sum.wrapping_add(a.wrapping_mul(b))), NARROW)
        }
        (0b10010, true) => {
            ("mls", |cpu, _, form| all(cpu, form, |sum, a, b, _| sum.wrapping_sub(a.wrapping_mul(b))), NARROW)
        }
        (0b10011, false) => ("mul (vector)", each!(|a, b, _| a.wrapping_mul(b)), NARROW),
        (0b10011, true) => ("pmul", each!(|a, b, _| polynomial_product(a, b) as u64), &[0]),
        (0b10100, _) => (pick("smaxp", "umaxp"), pairwise!(|a, b| a.max(b)), NARROW),
        (0b10101, _) => (pick("sminp", "uminp"), pairwise!(|a, b| a.min(b)), NARROW),
        (0b10110, false) => ("sqdmulh", each!(|a, b, bits| high_of_double(a, b, bits, false)), &[1, 2]),
        (0b10110, true) => ("sqrdmulh", each!(|a, b, bits| high_of_double(a, b, bits, true)), &[1, 2]),
        (0b10111, false) => ("addp", pairwise!(|a, b| a + b), ALL),
        _ => return None,
    };
    Some((name, handler, sizes))
}

/// The high half of twice a product, the nearest that fits.
pub(super) fn high_of_double(a: u64, b: u64, bits: u32, rounds: bool) -> u64 {
    let double = 2 * number(a, bits, false) * number(b, bits, false);
    saturate_signed((double + if rounds { 1 << (bits - 1) } else { 0 }) >> bits, bits)
}

/// `and`, `bsl` and their like, on whole registers.
fn bitwise(word: Word) -> Instruction {
    let (name, handler): (_, Handler) = match (word.bit(29), word.bits(22, 2)) {
        (false, 0) => ("and (vector)", |cpu, _, form| all(cpu, form, |_, n, m, _| n & m)),
        (false, 1) => ("bic (vector)", |cpu, _, form| all(cpu, form, |_, n, m, _| n & !m)),
        (false, 2) => ("orr (vector)", |cpu, _, form| all(cpu, form, |_, n, m, _| n | m)),
        (false, _) => ("orn (vector)", |cpu, _, form| all(cpu, form, |_, n, m, _| n | !m)),
        (true, 0) => ("eor (vector)", |cpu, _, form| all(cpu, form, |_, n, m, _| n ^ m)),
        (true, 1) => ("bsl", |cpu, _, form| all(cpu, form, |d, n, m, _| n & d | m & !d)),
        (true, 2) => ("bit", |cpu, _, form| all(cpu, form, |d, n, m, _| n & m | d & !m)),
        (true, _) => ("bif", |cpu, _, form| all(cpu, form, |d, n, m, _| n & !m | d & m)),
    };
    Instruction::of_vectors(word, name, handler).with_shape(false, 64)
}

fn floats(word: Word, is_scalar: bool) -> Option<Instruction> {
    macro_rules! each {
        ($operation:expr) => {
            |cpu, _, form| both(cpu, form, $operation)
        };
    }
    macro_rules! pairwise {
        ($operation:expr) => {
            |cpu, _, form| neighbours(cpu, form, $operation)
        };
    }
    let (name, handler, has_scalar): (_, Handler, _) = match (word.bit(29), word.bit(23), word.bits(11, 5)) {
        (false, false, 0b11000) => ("fmaxnm (vector)", each!(float::max_number), false),
        (false, true, 0b11000) => ("fminnm (vector)", each!(float::min_number), false),
        (true, false, 0b11000) => ("fmaxnmp", pairwise!(float::max_number), false),
        (true, true, 0b11000) => ("fminnmp", pairwise!(float::min_number), false),
        (false, false, 0b11001) => ("fmla", |cpu, _, form| all(cpu, form, float::multiply_add), false),
        (false, true, 0b11001) => (
            "fmls",
            |cpu, _, form| {
                all(cpu, form, |d, n, m, bits| float::multiply_add(d, float::negative(n, bits), m, bits))
            },
            false,
        ),
        (false, false, 0b11010) => ("fadd (vector)", each!(float::add), false),
        (false, true, 0b11010) => ("fsub (vector)", each!(float::sub), false),
        (true, false, 0b11010) => ("faddp", pairwise!(float::add), false),
        (true, true, 0b11010) => ("fabd", each!(float::absolute_difference), true),
        (true, false, 0b11011) => ("fmul (vector)", each!(float::mul), false),
        (false, false, 0b11100) => ("fcmeq", each!(float::equal), true),
        (true, false, 0b11100) => ("fcmge", each!(float::greater_or_equal), true),
        (true, true, 0b11100) => ("fcmgt", each!(float::greater), true),
        (true, false, 0b11101) => (
            "facge",
            each!(|a, b, bits| {
                float::greater_or_equal(float::absolute(a, bits), float::absolute(b, bits), bits)
            }),
            true,
        ),
        (true, true, 0b11101) => (
            "facgt",
            each!(|a, b, bits| { float::greater(float::absolute(a, bits), float::absolute(b, bits), bits) }),
            true,
        ),
        (false, false, 0b11110) => ("fmax (vector)", each!(float::max), false),
        (false, true, 0b11110) => ("fmin (vector)", each!(float::min), false),
        (true, false, 0b11110) => ("fmaxp", pairwise!(float::max), false),
        (true, true, 0b11110) => ("fminp", pairwise!(float::min), false),
        (true, false, 0b11111) => ("fdiv (vector)", each!(float::div), false),
        _ => return None,
    };
    let bits = float_bits(word);
    let is_allowed = if is_scalar { has_scalar } else { bits == 32 || word.bit(30) };
    is_allowed.then(|| Instruction::of_vectors(word, name, handler).with_shape(is_scalar, bits))
}

/// `sdot` and `udot`: sums of four products of bytes.
pub(super) fn dot_product(word: Word) -> Option<Instruction> {
    if word.bits(11, 4) != 0b0010 || word.bits(22, 2) != 2 {
        return None;
    }
    let handler: Handler = |cpu, _, form| {
        let ([d, n, m], is_unsigned) = (form.vectors(cpu), form.word.bit(29));
        let product =
            |at| number(element(n, at, 8), 8, is_unsigned) * number(element(m, at, 8), 8, is_unsigned);
        let value = |at| {
            let sum: i128 = (4 * at..4 * at + 4).map(product).sum();
            element(d, at, 32).wrapping_add(sum as u64)
        };
        form.set_vector(cpu, collect(form.count(), 32, value))
    };
    let name = if word.bit(29) { "udot" } else { "sdot" };
    Some(Instruction::of_vectors(word, name, handler).with_shape(false, 32))
}
