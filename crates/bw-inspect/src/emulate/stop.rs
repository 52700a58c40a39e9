//! Why a run ended.

use core::fmt;

/// The reason why a run ended. The program counter is at the instruction that was not executed.
///
/// Every other register and the memory are as after the instruction before it, so a run can go on after the caller has
/// answered a trap or a system call by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The program counter reached this address, which is one of the traps.
    Trap(u64),
    /// Memory cannot be read.
    Unreadable {
        /// The address of the instruction.
        at: u64,
        /// The address that the instruction wanted to read or write, or its own address if the code cannot be read.
        address: u64,
    },
    /// The interpreter does not know an instruction.
    Unknown {
        /// The address of the instruction.
        at: u64,
        /// Its mnemonic.
        mnemonic: String,
    },
    /// As many instructions were executed as the caller allowed.
    OutOfBudget,
    /// The next instruction is a system call.
    SystemCall {
        /// The address of the instruction.
        at: u64,
    },
    /// The next instruction ends the program or hands it to a debugger.
    Halted {
        /// The address of the instruction.
        at: u64,
    },
    /// The overlay holds as many pages as it may.
    PageLimit {
        /// The address of the instruction that touched one page more.
        at: u64,
    },
    /// A division by zero, or a quotient that does not fit.
    DivideError {
        /// The address of the instruction.
        at: u64,
    },
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trap(at) => write!(f, "reached the trap at {at:#x}"),
            Self::Unreadable { at, address } => {
                write!(f, "the instruction at {at:#x} uses memory at {address:#x}, which cannot be read")
            }
            Self::Unknown { at, mnemonic } => write!(f, "unknown instruction `{mnemonic}` at {at:#x}"),
            Self::OutOfBudget => f.write_str("the budget of instructions is used up"),
            Self::SystemCall { at } => write!(f, "system call at {at:#x}"),
            Self::Halted { at } => write!(f, "the instruction at {at:#x} halts the program"),
            Self::PageLimit { at } => write!(f, "the instruction at {at:#x} touches more pages than allowed"),
            Self::DivideError { at } => write!(f, "division by zero or overflow of a division at {at:#x}"),
        }
    }
}
