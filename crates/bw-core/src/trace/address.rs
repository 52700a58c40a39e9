//! Code addresses, typed by what they are.

use core::fmt;
use core::num::NonZeroUsize;

/// The address a call returns to: one past the call instruction, in this process (an AVMA).
///
/// Every address the clone hook records is one of these. It is *not* the address to look up in debug
/// information: a call that ends its function returns into the next one. Use
/// [`lookup`](Self::lookup) for that; it is the one place where the subtraction happens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReturnAddress(NonZeroUsize);

impl ReturnAddress {
    /// Wraps a return address. `None` for zero, which ends a stack and is no address.
    #[must_use]
    pub const fn new(address: usize) -> Option<Self> {
        match NonZeroUsize::new(address) {
            Some(address) => Some(Self(address)),
            None => None,
        }
    }

    /// The address itself.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0.get()
    }

    /// The address to look up in unwind tables, symbol tables and debug information: one byte back, inside
    /// the call.
    #[must_use]
    pub const fn lookup(self) -> LookupAddress {
        LookupAddress(self.0.get() - 1)
    }
}

impl fmt::Debug for ReturnAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReturnAddress({:#x})", self.0)
    }
}

impl fmt::Display for ReturnAddress {
    /// Hexadecimal with `0x`; width and fill apply.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format_args!("{:#x}", self.0).to_string())
    }
}

impl fmt::LowerHex for ReturnAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An address inside the instruction that was executing, in this process (an AVMA): what tables are asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupAddress(usize);

impl LookupAddress {
    /// Wraps an instruction pointer, which is looked up as it is.
    #[must_use]
    pub const fn from_instruction_pointer(address: usize) -> Self {
        Self(address)
    }

    /// The address itself.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

impl fmt::Debug for LookupAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LookupAddress({:#x})", self.0)
    }
}

impl fmt::LowerHex for LookupAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lookup_address_lies_inside_the_call() {
        let address = ReturnAddress::new(0x1000).unwrap();
        assert_eq!(address.get(), 0x1000);
        assert_eq!(address.lookup().get(), 0xfff);
        assert_eq!(LookupAddress::from_instruction_pointer(0x1000).get(), 0x1000);
    }

    #[test]
    fn zero_is_no_address() {
        assert_eq!(ReturnAddress::new(0), None);
        assert_eq!(ReturnAddress::new(1).unwrap().lookup().get(), 0);
    }

    #[test]
    fn addresses_print_in_hexadecimal() {
        let address = ReturnAddress::new(0xabc).unwrap();
        assert_eq!(format!("{address}"), "0xabc");
        assert_eq!(format!("{address:>8}"), "   0xabc");
        assert_eq!(format!("{address:#x}"), "0xabc");
        assert_eq!(format!("{address:?}"), "ReturnAddress(0xabc)");
        assert_eq!(format!("{:?}", address.lookup()), "LookupAddress(0xabb)");
    }
}
