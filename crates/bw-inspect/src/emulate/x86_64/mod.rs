//! x86-64.
//!
//! # What is covered
//!
//! * Integer instructions of the baseline, including `lock` prefixes, `cmpxchg16b`, string instructions with `rep`, BMI1, BMI2,
//!   `popcnt`, `lzcnt`, `tzcnt`, `movbe`, ADX.
//! * SSE to SSE4.2 as far as compilers emit them, AVX, AVX2 and FMA, except gathers. `xsave` and `xrstor`, with which the dynamic
//!   loader keeps vector registers.
//! * Of AVX-512, the moves, comparisons and bitwise operations that `memcpy`, `strlen` and their like of the C library use, with
//!   masks. `cpuid` does not announce them.
//! * `cpuid`, `rdtsc` and `xgetbv` with fixed answers.
//!
//! # What is not
//!
//! x87 and MMX, AES and SHA, transactions, privileged instructions, the rest of AVX-512. They end a run with
//! [`Stop::Unknown`](super::Stop::Unknown).

#![expect(clippy::cast_possible_truncation, reason = "parts of registers are what instructions work on")]

mod avx512;
mod cpu;
mod decode;
mod flags;
mod form;
mod integer;
mod operand;
mod vector;

pub use cpu::Cpu;
pub use flags::Flags;
pub use form::Form;
