//! Why one instruction could not be executed.

use core::fmt;

use crate::target::Unreadable;

/// The reason why an instruction was not executed. The registers are as before the instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Memory at this address cannot be read. Writes fail likewise: what cannot be read is not mapped.
    Unreadable(u64),
    /// The overlay holds as many pages as it may.
    PageLimit,
    /// The interpreter does not know the instruction.
    Unknown,
    /// The instruction is a system call.
    SystemCall,
    /// The instruction ends the program or hands it to a debugger: `ud2`, `int3`, `hlt`.
    Halted,
    /// A division by zero, or a quotient that does not fit.
    DivideError,
}

impl From<Unreadable> for Fault {
    fn from(unreadable: Unreadable) -> Self {
        Self::Unreadable(unreadable.address)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(address) => write!(f, "cannot read memory at {address:#x}"),
            Self::PageLimit => f.write_str("too many pages were touched"),
            Self::Unknown => f.write_str("unknown instruction"),
            Self::SystemCall => f.write_str("system call"),
            Self::Halted => f.write_str("an instruction that halts"),
            Self::DivideError => f.write_str("division by zero or overflow of a division"),
        }
    }
}

impl core::error::Error for Fault {}
