//! AArch64.
//!
//! # What is covered
//!
//! * Integer instructions of the baseline, with `crc32`; of pointer authentication as far as pointers are not signed.
//! * Loads and stores of all addressing modes, exclusive ones, ordered ones, and the atomic instructions of LSE.
//! * Floating-point arithmetic and conversions of single and double precision; conversions of half precision.
//! * Vector instructions as compilers emit them. Not covered are most that round or double with saturation, estimates, arithmetic of
//!   half precision, matrices, AES and SHA.
//!
//! Of SVE there is only what the C library copies and fills memory with; everything else of it ends a run with
//! [`Stop::Unknown`](super::Stop::Unknown).
//!
//! # How an instruction is decoded
//!
//! By hand, in the order of the encoding tables of the Arm architecture manual: a file for each of their groups. Each instruction has
//! 4 bytes, and each group has its fields at fixed places, so that a decoder is one `match` for each group. A decoder of another
//! crate would give names and operands, which had to be taken apart once more to find the function that executes them.

#![expect(clippy::cast_possible_truncation, reason = "parts of registers are what instructions work on")]

mod groups;
mod instruction;
mod integer;
mod memory;
mod nzcv;
mod register_file;
mod scalable;
mod simd;

pub use instruction::Instruction;
pub use nzcv::Nzcv;
pub use register_file::Cpu;
