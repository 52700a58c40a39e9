//! The flags register.

use super::form::Width;

/// The flags register: carry, parity, auxiliary carry, zero, sign, direction and overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    bits: u64,
}

impl Flags {
    /// The carry flag.
    pub const CARRY: u64 = 1 << 0;
    /// The parity flag.
    pub const PARITY: u64 = 1 << 2;
    /// The auxiliary carry flag.
    pub const AUXILIARY: u64 = 1 << 4;
    /// The zero flag.
    pub const ZERO: u64 = 1 << 6;
    /// The sign flag.
    pub const SIGN: u64 = 1 << 7;
    /// The direction flag.
    pub const DIRECTION: u64 = 1 << 10;
    /// The overflow flag.
    pub const OVERFLOW: u64 = 1 << 11;
    /// All flags that are kept.
    pub const ALL: u64 = Self::ARITHMETIC | Self::DIRECTION;
    /// The six flags that arithmetic sets.
    pub const ARITHMETIC: u64 =
        Self::CARRY | Self::PARITY | Self::AUXILIARY | Self::ZERO | Self::SIGN | Self::OVERFLOW;

    /// Makes flags from the bits of `rflags`. Other bits are dropped.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self { bits: bits & Self::ALL }
    }

    /// Returns the flags at their places in `rflags`. Other bits are zero.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.bits
    }

    /// Returns whether a flag is set.
    #[must_use]
    #[inline]
    pub const fn has(self, flag: u64) -> bool {
        self.bits & flag != 0
    }

    /// Sets or clears a flag.
    #[inline]
    pub const fn set(&mut self, flag: u64, on: bool) {
        self.bits = self.bits & !flag | if on { flag } else { 0 };
    }

    /// Sets zero, sign and parity as a result says, which must have no bits beyond its width.
    #[inline]
    pub(super) const fn set_result(&mut self, result: u64, width: Width) {
        self.set(Self::ZERO, result == 0);
        self.set(Self::SIGN, result & width.sign_bit() != 0);
        self.set(Self::PARITY, (result & 0xff).count_ones().is_multiple_of(2));
    }

    /// Sets the flags of `a + b + carry = result`.
    #[inline]
    pub(super) const fn set_add(&mut self, a: u64, b: u64, result: u64, width: Width) {
        // The carry out of each bit.
        self.set_carries(a & b | (a | b) & !result, width);
        self.set_result(result, width);
    }

    /// Sets the flags of `a - b - carry = result`.
    #[inline]
    pub(super) const fn set_sub(&mut self, a: u64, b: u64, result: u64, width: Width) {
        // The borrow of each bit.
        self.set_carries(!a & b | (!a | b) & result, width);
        self.set_result(result, width);
    }

    /// Sets the flags of a bitwise operation. Auxiliary carry, which is undefined, is cleared, as processors do.
    #[inline]
    pub(super) const fn set_logic(&mut self, result: u64, width: Width) {
        self.set(Self::CARRY | Self::OVERFLOW | Self::AUXILIARY, false);
        self.set_result(result, width);
    }

    #[inline]
    const fn set_carries(&mut self, carries: u64, width: Width) {
        let top = width.bits() - 1;
        self.set(Self::CARRY, carries >> top & 1 == 1);
        self.set(Self::AUXILIARY, carries >> 3 & 1 == 1);
        self.set(Self::OVERFLOW, (carries >> top ^ carries >> (top - 1)) & 1 == 1);
    }

    /// Whether a condition holds, by the number that encodes it in `jcc`, `setcc` and `cmovcc`.
    #[inline]
    pub(super) const fn holds(self, condition: u8) -> bool {
        let holds = match condition >> 1 {
            0 => self.has(Self::OVERFLOW),
            1 => self.has(Self::CARRY),
            2 => self.has(Self::ZERO),
            3 => self.has(Self::CARRY | Self::ZERO),
            4 => self.has(Self::SIGN),
            5 => self.has(Self::PARITY),
            6 => self.has(Self::SIGN) != self.has(Self::OVERFLOW),
            _ => self.has(Self::ZERO) || self.has(Self::SIGN) != self.has(Self::OVERFLOW),
        };
        holds != (condition & 1 == 1)
    }
}
