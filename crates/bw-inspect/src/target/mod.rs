//! The process that is inspected.

mod memory;

pub use memory::{Memory, Unreadable};
