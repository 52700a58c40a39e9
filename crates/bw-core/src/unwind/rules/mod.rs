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

#[cfg(target_arch = "x86_64")]
pub(super) use blocked::walk as walk_blocked;
pub(super) use walk::{prepare, walk};

/// The leaf's return address may be in its link register, and nothing tells that of another thread.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn walk_blocked(_thread: u64) -> Option<Vec<usize>> {
    None
}

/// Whether this backend exists here.
pub(super) const AVAILABLE: bool = true;
