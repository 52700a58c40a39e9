//! Finds where async tasks wait in a process that nobody prepared, from a copy of its memory.
//!
//! The crate is for programs without the wrapper and without the agent of this project. It copies memory of the process and
//! polls each task in an emulator, over the copy. Nothing is written to the process, and no code runs in it.
//!
//! * [`target`]: the memory of the process that is inspected.
//! * [`emulate`]: an interpreter of machine code over copy-on-write memory.
#![forbid(unsafe_code)]

pub mod emulate;
pub mod target;
