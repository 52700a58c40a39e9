//! The backend of kept rules: `.eh_frame` evaluated once for each return address, then looked up.

#[cfg(target_arch = "x86_64")]
mod blocked;
mod cfi;
mod met;
#[allow(unsafe_code)]
mod module;
#[cfg(target_arch = "x86_64")]
mod prologue;
#[allow(unsafe_code)]
mod registers;
mod rule;
mod table;
#[allow(unsafe_code)]
mod walk;

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use super::no_onlooker::Onlooker;
#[cfg(target_arch = "x86_64")]
pub(crate) use blocked::Onlooker;
pub(super) use walk::{prepare, walk};

/// Whether this backend exists here.
pub(super) const AVAILABLE: bool = true;
