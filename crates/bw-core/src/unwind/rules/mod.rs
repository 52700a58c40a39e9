//! The backend of kept rules: `.eh_frame` evaluated once for each return address, then looked up.
//!
//! Each architecture is a folder: its registers, and how a rule says where they are saved.

#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code)]
mod aarch64;
mod cfi;
mod known_modules;
#[allow(unsafe_code)]
mod module;
mod postponed;
#[allow(unsafe_code)]
mod registers;
mod rule;
mod table;
#[allow(unsafe_code)]
mod walk;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use self::aarch64 as architecture;
#[cfg(target_arch = "x86_64")]
use self::x86_64 as architecture;

pub(crate) use self::architecture::ThreadWalker;
pub(super) use self::walk::{evaluate_postponed, prepare, walk};

/// What [`known_modules`] is made of. Its model has loom's instead.
mod primitives {
    pub(super) use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
}

/// Whether this backend exists here.
pub(super) const AVAILABLE: bool = true;
