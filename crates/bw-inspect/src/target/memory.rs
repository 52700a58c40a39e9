//! Memory of a process that is looked at.

use core::fmt;

/// Memory of a process that is looked at. Every read may fail.
pub trait Memory {
    /// Fills `into` with the bytes at `address`.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] if any of the bytes cannot be read. The content of `into` is then unspecified.
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable>;
}

/// The error of a read: memory that is not mapped, or that a core file does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// The address that could not be read.
    pub address: u64,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read memory at {:#x}", self.address)
    }
}

impl core::error::Error for Unreadable {}
