//! Memory of a process that is looked at.

use std::error::Error;
use std::fmt;

/// Memory of a process that is looked at. Every read may fail.
pub trait Memory {
    /// Fills `into` with the bytes from `address` on.
    ///
    /// # Errors
    ///
    /// When one of the bytes cannot be read. What `into` holds then is not specified.
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable>;
}

/// The error of a read: no memory is there, or it may not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The address of the read.
    pub address: u64,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read memory at {:#x}", self.address)
    }
}

impl Error for Unreadable {}
