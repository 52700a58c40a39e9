//! Operations on integer elements.

use super::elements::{ones, signed};

/// The nearest signed number of so many bits.
pub(super) fn saturate_signed(value: i128, bits: u32) -> u64 {
    let most = i128::from(ones(bits) >> 1);
    value.clamp(-most - 1, most) as u64
}

/// The nearest unsigned number of so many bits.
pub(super) fn saturate_unsigned(value: i128, bits: u32) -> u64 {
    value.clamp(0, i128::from(ones(bits))) as u64
}

/// An element as a number.
#[inline]
pub(super) fn number(value: u64, bits: u32, is_unsigned: bool) -> i128 {
    if is_unsigned { i128::from(value) } else { i128::from(signed(value, bits)) }
}

/// Shifts to the left, or by a negative number to the right. A result that is too large has zeros at its lowest 64 bits.
pub(super) fn shift(value: i128, by: i64, bits: u32, rounds: bool) -> i128 {
    /// Beyond every element, and without overflow.
    const FAR: i128 = 1 << 100;

    if by >= i64::from(bits) {
        return value.signum() * FAR;
    }
    if by >= 0 {
        return value << by;
    }
    let by = by.unsigned_abs().min(100);
    (value + if rounds { 1 << (by - 1) } else { 0 }) >> by
}

/// All ones, or zero.
pub(super) fn mask(holds: bool) -> u64 {
    if holds { u64::MAX } else { 0 }
}

/// A product of polynomials over bits.
pub(super) fn polynomial_product(a: u64, b: u64) -> u128 {
    (0..64).filter(|bit| b >> bit & 1 == 1).fold(0, |sum, bit| sum ^ u128::from(a) << bit)
}
