//! Operations on floating-point elements, as bits.
//!
//! Which of several NaNs a result has is exact: Rust leaves that open, so it is decided here.

use super::integer_operations::mask;

pub(super) fn single(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

pub(super) fn is_nan(value: u64, bits: u32) -> bool {
    if bits == 32 { single(value).is_nan() } else { f64::from_bits(value).is_nan() }
}

/// The bit that makes a NaN quiet.
const fn quiet_bit(bits: u32) -> u64 {
    if bits == 32 { 1 << 22 } else { 1 << 51 }
}

/// The NaN that invalid operations give.
pub(super) const fn default_nan(bits: u32) -> u64 {
    if bits == 32 { 0x7fc0_0000 } else { 0x7ff8 << 48 }
}

/// The sign of a number.
const fn sign_bit(bits: u32) -> u64 {
    1 << (bits - 1)
}

/// The NaN that an operation on these operands gives, if one of them is a NaN: the first signalling one, or else the first.
pub(super) fn propagated(operands: &[u64], bits: u32) -> Option<u64> {
    let is_signalling = |value: &&u64| is_nan(**value, bits) && **value & quiet_bit(bits) == 0;
    let signalling = operands.iter().find(is_signalling);
    let nan = signalling.or_else(|| operands.iter().find(|value| is_nan(**value, bits)));
    nan.map(|nan| nan | quiet_bit(bits))
}

/// A result of numbers: a NaN of the operands, or of an invalid operation.
fn settle(operands: &[u64], bits: u32, compute: impl FnOnce() -> u64) -> u64 {
    propagated(operands, bits).unwrap_or_else(|| {
        let result = compute();
        if is_nan(result, bits) { default_nan(bits) } else { result }
    })
}

macro_rules! operation {
    ($name:ident, $a:ident, $b:ident, $result:expr) => {
        pub(super) fn $name(a: u64, b: u64, bits: u32) -> u64 {
            settle(&[a, b], bits, || {
                if bits == 32 {
                    let ($a, $b) = (single(a), single(b));
                    u64::from(($result).to_bits())
                } else {
                    let ($a, $b) = (f64::from_bits(a), f64::from_bits(b));
                    ($result).to_bits()
                }
            })
        }
    };
}

operation!(add, a, b, a + b);
operation!(sub, a, b, a - b);
operation!(mul, a, b, a * b);
operation!(div, a, b, a / b);
// Of two zeros, the positive one is greater.
operation!(max, a, b, if a > b || (a == b && b.is_sign_negative()) { a } else { b });
operation!(min, a, b, if a < b || (a == b && a.is_sign_negative()) { a } else { b });

/// `max`, but a number is greater than a quiet NaN.
pub(super) fn max_number(a: u64, b: u64, bits: u32) -> u64 {
    let (a, b) = numbers_first(a, b, bits, sign_bit(bits));
    max(a, b, bits)
}

/// `min`, but a number is less than a quiet NaN.
pub(super) fn min_number(a: u64, b: u64, bits: u32) -> u64 {
    let (a, b) = numbers_first(a, b, bits, 0);
    min(a, b, bits)
}

/// Replaces a quiet NaN beside a number by an infinity with this sign.
fn numbers_first(a: u64, b: u64, bits: u32, sign: u64) -> (u64, u64) {
    let infinity = sign | if bits == 32 { 0x7f80_0000 } else { 0x7ff0 << 48 };
    let is_quiet = |value: u64| is_nan(value, bits) && value & quiet_bit(bits) != 0;
    match (is_quiet(a), is_quiet(b)) {
        (true, false) => (infinity, b),
        (false, true) => (a, infinity),
        _ => (a, b),
    }
}

pub(super) fn absolute_difference(a: u64, b: u64, bits: u32) -> u64 {
    absolute(sub(a, b, bits), bits)
}

pub(super) fn negative_product(a: u64, b: u64, bits: u32) -> u64 {
    negative(mul(a, b, bits), bits)
}

pub(super) fn negative(a: u64, bits: u32) -> u64 {
    a ^ sign_bit(bits)
}

pub(super) fn absolute(a: u64, bits: u32) -> u64 {
    a & !sign_bit(bits)
}

pub(super) fn square_root(a: u64, bits: u32) -> u64 {
    settle(&[a], bits, || {
        if bits == 32 { u64::from(single(a).sqrt().to_bits()) } else { f64::from_bits(a).sqrt().to_bits() }
    })
}

/// `sum + a * b`, rounded once.
pub(super) fn multiply_add(sum: u64, a: u64, b: u64, bits: u32) -> u64 {
    let is_infinite =
        |value: u64| absolute(value, bits) == absolute(default_nan(bits) & !quiet_bit(bits), bits);
    let is_zero = |value: u64| absolute(value, bits) == 0;
    let is_invalid = (is_infinite(a) && is_zero(b)) || (is_zero(a) && is_infinite(b));
    // A quiet NaN is not handed on then.
    if is_invalid && is_nan(sum, bits) && sum & quiet_bit(bits) != 0 {
        return default_nan(bits);
    }
    settle(&[sum, a, b], bits, || {
        if bits == 32 {
            u64::from(single(a).mul_add(single(b), single(sum)).to_bits())
        } else {
            f64::from_bits(a).mul_add(f64::from_bits(b), f64::from_bits(sum)).to_bits()
        }
    })
}

/// The order of two numbers. `None` if one is a NaN.
pub(super) fn order(a: u64, b: u64, bits: u32) -> Option<core::cmp::Ordering> {
    if bits == 32 {
        single(a).partial_cmp(&single(b))
    } else {
        f64::from_bits(a).partial_cmp(&f64::from_bits(b))
    }
}

pub(super) fn equal(a: u64, b: u64, bits: u32) -> u64 {
    mask(order(a, b, bits).is_some_and(core::cmp::Ordering::is_eq))
}

pub(super) fn greater(a: u64, b: u64, bits: u32) -> u64 {
    mask(order(a, b, bits).is_some_and(core::cmp::Ordering::is_gt))
}

pub(super) fn greater_or_equal(a: u64, b: u64, bits: u32) -> u64 {
    mask(order(a, b, bits).is_some_and(core::cmp::Ordering::is_ge))
}

/// A number that an immediate of eight bits encodes.
pub(super) fn expand(immediate: u32, bits: u32) -> u64 {
    let (sign, exponent, fraction) =
        (u64::from(immediate >> 7), immediate >> 4 & 7, u64::from(immediate & 15));
    let low = u64::from(exponent & 3);
    let (width, fraction_bits) = if bits == 32 { (8, 23) } else { (11, 52) };
    let high = if exponent & 4 == 0 { 1 << (width - 1) } else { (1 << (width - 1)) - 4 };
    sign << (bits - 1) | (high | low) << fraction_bits | fraction << (fraction_bits - 4)
}
