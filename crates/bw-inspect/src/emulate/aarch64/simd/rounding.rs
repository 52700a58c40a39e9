//! Floating-point numbers rounded to integers.

use super::float_operations::{propagated, single};

/// To which of two integers a number between them is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rounding {
    /// The nearest; of two equally near the even one.
    Even,
    Up,
    Down,
    /// Toward zero.
    Zero,
    /// The nearest; of two equally near that farther from zero.
    Away,
}

impl Rounding {
    pub(super) fn of(self, value: f64) -> f64 {
        match self {
            Self::Even => value.round_ties_even(),
            Self::Up => value.ceil(),
            Self::Down => value.floor(),
            Self::Zero => value.trunc(),
            Self::Away => value.round(),
        }
    }

    /// Rounds a number that stays a floating-point number.
    pub(super) fn of_bits(self, value: u64, bits: u32) -> u64 {
        propagated(&[value], bits).unwrap_or_else(|| {
            if bits == 32 {
                // Exact: an integer near a single is a single.
                u64::from((self.of(f64::from(single(value))) as f32).to_bits())
            } else {
                self.of(f64::from_bits(value)).to_bits()
            }
        })
    }
}
