//! Conversions between floating-point numbers of different precision, and between them and integers.

use super::elements::signed;
use super::float_operations::single;
use super::rounding::Rounding;

/// The number as a double, which has room for each single.
fn widened(value: u64, bits: u32) -> f64 {
    if bits == 32 { f64::from(single(value)) } else { f64::from_bits(value) }
}

/// Two to this power.
fn power(exponent: i32) -> f64 {
    2.0_f64.powi(exponent)
}

/// Converts to an integer of `into` bits, the nearest if it does not fit. The number is first multiplied by 2 to the power of `fraction`.
pub(super) fn to_integer(
    value: u64,
    bits: u32,
    into: u32,
    is_unsigned: bool,
    rounding: Rounding,
    fraction: u32,
) -> u64 {
    let rounded = rounding.of(widened(value, bits) * power(fraction.cast_signed()));
    match (into, is_unsigned) {
        (32, false) => u64::from((rounded as i32).cast_unsigned()),
        (32, true) => u64::from(rounded as u32),
        (_, false) => (rounded as i64).cast_unsigned(),
        (_, true) => rounded as u64,
    }
}

/// Converts an integer of `from` bits, divided by 2 to the power of `fraction`.
#[expect(clippy::cast_precision_loss, reason = "the conversion rounds as the instruction does")]
pub(super) fn from_integer(value: u64, from: u32, is_unsigned: bool, bits: u32, fraction: u32) -> u64 {
    let scale = power(-fraction.cast_signed());
    let number = signed(value, from);
    if bits == 32 {
        let converted = if is_unsigned { value as f32 } else { number as f32 };
        u64::from((converted * scale as f32).to_bits())
    } else {
        let converted = if is_unsigned { value as f64 } else { number as f64 };
        (converted * scale).to_bits()
    }
}

/// Converts between half, single and double precision.
pub(super) fn precision(value: u64, from: u32, to: u32) -> u64 {
    let (sign, number, payload) = match from {
        16 => half(value),
        _ => {
            let number = widened(value, from);
            // The highest bits of what a NaN carries, as in a double.
            let payload = if from == 32 { value << 29 } else { value } & ((1 << 51) - 1);
            (value >> (from - 1), number, payload)
        }
    };
    if number.is_nan() {
        return match to {
            16 => sign << 15 | 0x7e00 | payload >> 42,
            32 => sign << 31 | 0x7fc0_0000 | payload >> 29,
            _ => sign << 63 | 0x7ff8 << 48 | payload,
        };
    }
    match to {
        16 => sign << 15 | magnitude_of_half(number.abs()),
        32 => u64::from((number as f32).to_bits()),
        _ => number.to_bits(),
    }
}

/// The sign, the number and the payload of a number of half precision.
fn half(value: u64) -> (u64, f64, u64) {
    let (sign, exponent, fraction) = (value >> 15 & 1, value >> 10 & 31, value & 0x3ff);
    let magnitude = match exponent {
        0 => f64::from(fraction as u32) * power(-24),
        31 if fraction == 0 => f64::INFINITY,
        31 => f64::NAN,
        _ => f64::from(fraction as u32 | 1 << 10) * power(exponent as i32 - 25),
    };
    (sign, if sign == 1 { -magnitude } else { magnitude }, (fraction << 42) & ((1 << 51) - 1))
}

/// The bits of a positive number in half precision, without the sign.
fn magnitude_of_half(number: f64) -> u64 {
    /// From here on, the nearest number is infinity.
    const TOO_LARGE: f64 = 65520.0;
    /// The exponent of the smallest number of full precision.
    const LEAST_EXPONENT: i32 = -14;

    if number >= TOO_LARGE {
        return 31 << 10;
    }
    let exponent = ((number.to_bits() >> 52 & 0x7ff) as i32 - 1023).max(LEAST_EXPONENT);
    let steps = (number / power(exponent - 10)).round_ties_even() as u64;
    // The hidden bit of the fraction counts as one of the exponent; a carry is one more.
    (((exponent - LEAST_EXPONENT) as u64) << 10) + steps
}
