//! The backend of kept rules: `.eh_frame` evaluated once for each return address, then looked up.

mod cfi;
mod met;
#[allow(unsafe_code)]
mod module;
#[allow(unsafe_code)]
mod registers;
mod rule;
mod table;
#[allow(unsafe_code)]
mod walk;

pub(super) use walk::{prepare, walk};

/// Whether this backend exists here.
pub(super) const AVAILABLE: bool = true;
