//! The condition flags.

/// The condition flags: negative, zero, carry, overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nzcv {
    /// The result is negative.
    pub negative: bool,
    /// The result is zero.
    pub zero: bool,
    /// An addition carried, or a subtraction did not borrow.
    pub carry: bool,
    /// The signed result does not fit.
    pub overflow: bool,
}

impl Nzcv {
    /// Makes flags of four bits, of which negative is the highest. Other bits are ignored.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self { negative: bits & 8 != 0, zero: bits & 4 != 0, carry: bits & 2 != 0, overflow: bits & 1 != 0 }
    }

    /// Returns the flags as four bits, of which negative is the highest.
    #[must_use]
    pub const fn bits(self) -> u8 {
        (self.negative as u8) << 3 | (self.zero as u8) << 2 | (self.carry as u8) << 1 | self.overflow as u8
    }

    /// The flags of a bitwise operation.
    #[inline]
    pub(super) const fn of_logic(result: u64, wide: bool) -> Self {
        let top = if wide { 63 } else { 31 };
        Self { negative: result >> top & 1 == 1, zero: result == 0, carry: false, overflow: false }
    }

    /// Whether a condition holds, by the number that encodes it.
    #[inline]
    pub(super) const fn holds(self, condition: u8) -> bool {
        let holds = match condition >> 1 & 7 {
            0 => self.zero,
            1 => self.carry,
            2 => self.negative,
            3 => self.overflow,
            4 => self.carry && !self.zero,
            5 => self.negative == self.overflow,
            6 => self.negative == self.overflow && !self.zero,
            // Both numbers of "always".
            _ => return true,
        };
        holds != (condition & 1 == 1)
    }
}

/// Adds two numbers and a carry, and gives the flags of it. A subtraction adds the complement, and 1.
#[inline]
pub(super) const fn add_with_carry(a: u64, b: u64, carry: bool, wide: bool) -> (u64, Nzcv) {
    if wide {
        let (sum, first) = a.overflowing_add(b);
        let (sum, second) = sum.overflowing_add(carry as u64);
        let flags = Nzcv {
            negative: sum >> 63 == 1,
            zero: sum == 0,
            carry: first || second,
            overflow: ((a ^ sum) & (b ^ sum)) >> 63 == 1,
        };
        (sum, flags)
    } else {
        let (a, b) = (a & 0xffff_ffff, b & 0xffff_ffff);
        let all = a + b + carry as u64;
        let sum = all & 0xffff_ffff;
        let flags = Nzcv {
            negative: sum >> 31 == 1,
            zero: sum == 0,
            carry: all >> 32 == 1,
            overflow: ((a ^ sum) & (b ^ sum)) >> 31 & 1 == 1,
        };
        (sum, flags)
    }
}
