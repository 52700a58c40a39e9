//! x
#![allow(missing_docs)]
mod address;
mod raw_trace;
pub use address::{LookupAddress, ReturnAddress};
pub use raw_trace::{RawStack, RawTrace, StackFlags, Stacks};
