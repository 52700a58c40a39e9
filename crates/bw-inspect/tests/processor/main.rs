//! The interpreter against the processor: the same bytes with the same operands, executed by both.
//!
//! `forms` encodes every form of every instruction that iced-x86 knows. The interpreter decides which of them it covers; for those,
//! registers, vectors, memory and defined flags must be what the processor leaves.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![expect(clippy::cast_possible_truncation, reason = "random numbers are cut to any width")]

mod differential;
mod forms;
mod native;
mod operands;
mod snippets;
