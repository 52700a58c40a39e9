//! The interpreter of AArch64 against the processor.
//!
//! On AArch64, or under an emulator of it, random words of every group of the encoding are executed with random operands, by the
//! interpreter and by the processor: `ci/aarch64`. Some of the results are recorded in a file, so that every other machine compares the
//! interpreter with the processor, too.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]
#![expect(clippy::cast_possible_truncation, reason = "random numbers are cut to any width")]

mod by_hand;
#[cfg(target_arch = "aarch64")]
mod differential;
mod interpreted;
#[cfg(target_arch = "aarch64")]
mod native;
#[path = "../processor/operands.rs"]
mod operands;
mod recorded;
#[cfg(target_arch = "aarch64")]
mod words;
