//! Finding the files that describe a module. Reads of them only what tells whether they do.

pub(crate) mod identity;
mod object_probe;
pub(crate) mod search;
