//! The architecture of a program, which may be another than that of this machine.

use object::elf::{EM_AARCH64, EM_X86_64};

/// An architecture whose programs can be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Architecture {
    /// x86-64.
    #[default]
    X86_64,
    /// AArch64.
    Aarch64,
}

impl Architecture {
    /// Returns that of an ELF file with this `e_machine`. `None` if it is another.
    pub(crate) fn of_elf(machine: u16) -> Option<Self> {
        match machine {
            machine if machine == EM_X86_64.0 => Some(Self::X86_64),
            machine if machine == EM_AARCH64.0 => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// Returns its name, as in [`std::env::consts::ARCH`].
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// Returns that of this machine. `None` if it is another.
    pub(crate) const fn of_machine() -> Option<Self> {
        if cfg!(target_arch = "x86_64") {
            Some(Self::X86_64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Self::Aarch64)
        } else {
            None
        }
    }
}
